// `swarmkeep log bench`: how fast a log server answers here: start and stop, a connection, every command
// of the protocol, and answers that are errors, by the client library where it matters and by bare
// requests for the rest. Against --url it makes a topic of its own there; else it starts a server of
// its own in the temporary folder.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toHex, utf8 } from '#base/bytes.ts';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { silentLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { BenchLine } from '#cli/bench-line.ts';
import type { Item, LocalCommand, Options, Output } from '#cli/command.ts';
import { numberOf } from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';
import { connectUrl, declareUrl } from '#cli/remote.ts';
import type { RemoteLog } from '#log/client/remote-log.ts';
import { BATCH_HEADER_BYTES, sealBatch } from '#log/segment/batch.ts';
import { packedBytes, viewOf, writeRecords } from '#log/segment/packed-records.ts';
import { wholeNumber } from './log-commands.ts';

const VALUE_BYTES = 100;
const BATCH_RECORDS = 1000;
const CALLERS = 100;
const SECRET_BYTES = 32;

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
      await measureWire(options, runMs, output);
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
  const { LogServer } = await import('#log/server/server.ts');
  const { Registry } = await import('#metrics/registry.ts');
  const { listenStreams } = await import('#net/sockets.ts');
  const { findOrBuildAddon } = await import('#cli/addon-build.ts');
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
    const secret = world.random.bytes(SECRET_BYTES);
    const secretFile = `${folder}/secret`;
    writeFileSync(secretFile, toHex(secret), { mode: 0o600 });
    const server = new LogServer({ ...world, log, secret: utf8(toHex(secret)) });
    const { serverSockets } = world.config;
    const listen = listenStreams({ ...world, addon: findOrBuildAddon() }, serverSockets);
    const listener = await server.listen(listen, { kind: 'unix', path: `${folder}/s` });
    const at = { url: listener.url, secretFile };
    const client = await connectUrl(at, output.signal);
    output.item(once('start, to the first answer', clock.monotonicMs() - startMs));
    await measure(client, runMs, output);
    await client.close();
    await measureWire(at, runMs, output);
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
  ];
  for (const one of cases) {
    if (output.signal.aborted) return;
    output.item(await measureCase(one, runMs, clock));
  }
}

/** Every command, and every error that a client can bring about without ending its connection. */
async function measureWire(
  options: Pick<Options, 'url' | 'secretFile' | 'caFile'>,
  runMs: number,
  output: Output,
): Promise<void> {
  const clock = new SystemClock();
  const topic = `bench-${new SystemRandom().u32().toString(16)}`;
  const line = await BenchLine.connect(options, output.signal);
  const value = new Uint8Array(VALUE_BYTES).fill(7);
  const ok = await line.ask('CREATE', `${topic} durable`);
  if (ok[0] !== 'OK') throw new CliError('CLI_USAGE', `Cannot make a topic: ${ok.join(' ')}`);
  await line.ask('APPEND', `${topic} durable ${VALUE_BYTES}`, value);
  const batch = batchOf(value);
  const bad = batch.slice().fill(0, 4, 8);
  const huge = new Uint8Array(line.batchBytesMax + BATCH_HEADER_BYTES + 1);
  const beyond = 2 ** 50;
  const requests: readonly (readonly [string, string?, Uint8Array?])[] = [
    ['PING'],
    ['CONFIG'],
    ['TOPICS'],
    ['STATS'],
    ['STATS', topic],
    ['CREATE', `${topic} durable`],
    ['APPEND', `${topic} durable ${VALUE_BYTES}`, value],
    ['APPEND', `${topic} memory ${VALUE_BYTES}`, value],
    ['BATCH', `${topic} durable ${batch.byteLength}`, batch],
    ['READ', `${topic} 0 1 0 0`],
    ['COMMIT', `${topic} bench 1`],
    ['POSITION', `${topic} bench`],
    ['CANCEL', '1'],
    ['STATS', 'no-such-topic'],
    ['CREATE', '../no-name'],
    ['APPEND', `no-such-topic - ${VALUE_BYTES}`, value],
    ['BATCH', `${topic} - ${bad.byteLength}`, bad],
    ['BATCH', `${topic} - ${huge.byteLength}`, huge],
    ['READ', `${topic} ${beyond} 0 0 0`],
    ['COMMIT', `${topic} bench ${beyond}`],
  ];
  const cases: Case[] = [];
  for (const [command, rest = '', body] of requests) {
    const [kind, , code] = await line.ask(command, rest, body);
    const words = rest.replace(topic, 'topic').replace(/ [0-9]+$/, '');
    const what = kind === 'ERR' ? `${command}: ${code}` : `${command} ${words}`.trim();
    cases.push({ what, callers: 1, each: 1, run: () => line.ask(command, rest, body) });
  }
  const tail = async (): Promise<void> => {
    const { id, answered } = line.send('TAIL', `${topic} end`);
    await line.ask('CANCEL', String(id));
    await answered;
  };
  cases.push({ what: 'TAIL and its CANCEL: LOG_CANCELLED', callers: 1, each: 1, run: tail });
  const visit = async (): Promise<void> => {
    const guest = await BenchLine.connect(options, output.signal);
    await guest.ask('CLOSE');
    guest.end();
  };
  cases.push({ what: 'connect, HELLO, AUTH, CLOSE', callers: 1, each: 1, run: visit });
  for (const one of cases) {
    if (output.signal.aborted) break;
    output.item(await measureCase(one, runMs, clock));
  }
  line.end();
}

function batchOf(value: Uint8Array): Uint8Array {
  const records = new Array(BATCH_RECORDS).fill({ value });
  const bytes = new Uint8Array(BATCH_HEADER_BYTES + packedBytes(records));
  writeRecords({ bytes, view: viewOf(bytes), at: BATCH_HEADER_BYTES }, records, 0);
  sealBatch(bytes, 0, bytes.byteLength, {
    firstOffset: 0,
    records: records.length,
    span: records.length,
    epoch: 0,
    timeMs: 0,
    durableOffset: 0,
  });
  return bytes;
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
