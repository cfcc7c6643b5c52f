// `swarmkeep log bench`: how fast a log server answers here: start and stop, every command, and answers
// that are errors. Against --url it makes a topic of its own there; else it starts a server of its own
// in the temporary folder.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { silentLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import type { Item, LocalCommand, Options, Output } from '#cli/command.ts';
import { numberOf } from '#cli/command.ts';
import { connectUrl, declareUrl } from '#cli/remote.ts';
import type { RemoteLog } from '#log/remote-log.ts';
import { wholeNumber } from './log-commands.ts';

const VALUE_BYTES = 100;
const BATCH_RECORDS = 1000;
const CALLERS = 100;

interface Case {
  readonly what: string;
  readonly callers: number;
  /** Records, or calls, that one run moves. */
  readonly each: number;
  readonly run: () => Promise<unknown>;
}

export const logBench: LocalCommand = {
  name: 'log bench',
  summary: 'Measure a log server: each command, errors too, start and stop.',
  example: 'swarmkeep log bench --seconds 1 --json',
  local: true,
  declare(commander) {
    commander.option('--seconds <n>', 'How long each case runs.', '1');
    declareUrl(commander);
  },
  prepare: (words) => ({ seconds: wholeNumber(words.options['seconds'], '--seconds') ?? 1 }),
  async runLocal(options, input, output) {
    const runMs = Math.max(50, (numberOf(input, 'seconds') ?? 1) * 1000);
    if (options.url !== undefined) {
      const log = await connectUrl(options, output.signal);
      await measure(log, runMs, output);
      await log.close();
      return;
    }
    await measureOwn(options, runMs, output);
  },
  text: (item) =>
    `${String(item['what']).padEnd(34)} ${Number(item['perSecond']).toLocaleString('en').padStart(12)}/s  p50 ${item['p50Ms']} ms  p99 ${item['p99Ms']} ms`,
};

async function measureOwn(options: Options, runMs: number, output: Output): Promise<void> {
  const { configFor } = await import('#cli/config-for.ts');
  const { LocalLog } = await import('#log/local-log.ts');
  const { LogServer } = await import('#log/server.ts');
  const { Registry } = await import('#metrics/registry.ts');
  const { listenNode } = await import('#net/stream-node.ts');
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-log-bench-'));
  const clock = new SystemClock();
  const world = {
    clock,
    random: new SystemRandom(),
    logger: silentLogger,
    metrics: new Registry(),
    config: configFor(options).log,
  };
  try {
    const startMs = clock.monotonicMs();
    const log = await LocalLog.open({ ...world, disk: new SystemDisk(), folder: `${folder}/log` });
    const server = new LogServer({ ...world, log });
    const listener = await server.listen(listenNode, { kind: 'unix', path: `${folder}/s` });
    const client = await connectUrl({ url: listener.url }, output.signal);
    output.item(once('start, to the first answer', clock.monotonicMs() - startMs));
    await measure(client, runMs, output);
    await client.close();
    const stopMs = clock.monotonicMs();
    await server.close();
    await log.close();
    output.item(once('stop', clock.monotonicMs() - stopMs));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(log: RemoteLog, runMs: number, output: Output): Promise<void> {
  const clock = new SystemClock();
  const topic = `bench-${new SystemRandom().u32().toString(16)}`;
  await log.createTopic(topic, { consistency: 'durable' });
  const one = [{ value: new Uint8Array(VALUE_BYTES).fill(7) }];
  const many = Array.from({ length: BATCH_RECORDS }, () => one[0] ?? { value: new Uint8Array(0) });
  const refused = (call: Promise<unknown>): Promise<unknown> => call.catch(() => undefined);
  const cases: readonly Case[] = [
    { what: 'append, durable', callers: 1, each: 1, run: () => log.append(topic, one) },
    {
      what: 'append, durable, 100 callers',
      callers: CALLERS,
      each: 1,
      run: () => log.append(topic, one),
    },
    {
      what: 'append, batches of 1,000',
      callers: 4,
      each: BATCH_RECORDS,
      run: () => log.append(topic, many),
    },
    {
      what: 'append, batches of 1,000, memory',
      callers: 4,
      each: BATCH_RECORDS,
      run: () => log.append(topic, many, { consistency: 'memory' }),
    },
    {
      what: 'read, 1,000 records',
      callers: 4,
      each: BATCH_RECORDS,
      run: () => log.read(topic, { from: 0, recordsMax: BATCH_RECORDS }),
    },
    { what: 'read at the end', callers: 1, each: 1, run: () => log.read(topic, { from: 'end' }) },
    { what: 'position', callers: 1, each: 1, run: () => log.position(topic, 'bench') },
    { what: 'commit', callers: 1, each: 1, run: () => log.commit(topic, 'bench', 0) },
    { what: 'stats of a topic', callers: 1, each: 1, run: () => log.stats(topic) },
    { what: 'topics', callers: 1, each: 1, run: () => log.topics() },
    { what: 'create, of one that exists', callers: 1, each: 1, run: () => log.createTopic(topic) },
    {
      what: 'error: unknown topic',
      callers: 1,
      each: 1,
      run: () => refused(log.stats('no-such-topic')),
    },
    {
      what: 'error: offset beyond the end',
      callers: 1,
      each: 1,
      run: () => refused(log.read(topic, { from: 2 ** 50 })),
    },
  ];
  for (const one of cases) {
    if (output.signal.aborted) return;
    output.item(await measureCase(one, runMs, clock));
  }
}

async function measureCase(one: Case, runMs: number, clock: SystemClock): Promise<Item> {
  const timesMs: number[] = [];
  const sinceMs = clock.monotonicMs();
  const call = async (): Promise<void> => {
    while (clock.monotonicMs() - sinceMs < runMs) {
      const startMs = clock.monotonicMs();
      await one.run();
      timesMs.push(clock.monotonicMs() - startMs);
    }
  };
  await Promise.all(Array.from({ length: one.callers }, call));
  const seconds = (clock.monotonicMs() - sinceMs) / 1000;
  timesMs.sort((a, b) => a - b);
  const at = (share: number): number => rounded(timesMs[Math.floor(timesMs.length * share)] ?? 0);
  const perSecond = Math.round((timesMs.length * one.each) / seconds);
  return { what: one.what, perSecond, p50Ms: at(0.5), p99Ms: at(0.99) };
}

function once(what: string, ms: number): Item {
  return { what, perSecond: Math.round(1000 / ms), p50Ms: rounded(ms), p99Ms: rounded(ms) };
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
