// The log in process, each row beside what the machine itself allows in the same run, in turn, five
// rounds, medians:
//
// - durable appends of 100-byte records by 1 to 1,000 callers that each wait for their answer, beside
//   one write and one fdatasync after another of as many bytes as the log has put into one sync, into
//   a file that was filled with zeros before;
// - appends to memory in batches of 1,000;
// - reading from the beginning, beside reading the same bytes of one file and summing them;
// - opening a log of 1,000 topics with 10 segments each, in a fresh process.
//
// By itself: node -C swarmkeep-src bench/log.ts

import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MessageChannel, Worker } from 'node:worker_threads';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { silentLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import type { Log } from '#log/log.ts';
import { PortLog } from '#log/port/port-log.ts';
import { crc32c } from '#log/segment/crc32c.ts';
import { PackedRecords } from '#log/segment/packed-records.ts';
import { Registry } from '#metrics/registry.ts';
import { runProgram } from '#tools/child-process.ts';

const VALUE_BYTES = 100;
const RECORD_BYTES = 112;
const ROUNDS = 5;
const ROUND_MS = 800;
const CALLERS = [1, 10, 100, 1000];
const BATCH_RECORDS = 1000;
const READ_RECORDS = 1_000_000;
const RAW_FILE_BYTES = 64 * 1024 * 1024;
const RAW_READ_BYTES = 1024 * 1024;
const TOPICS = 1000;
const SEGMENTS = 10;
const OPENER = fileURLToPath(new URL('./load/log-open-process.ts', import.meta.url));
const ONE = [{ value: new Uint8Array(VALUE_BYTES).fill(7) }];

interface Rate {
  readonly rate: number;
  /** CPU time of this process, µs a record. */
  readonly micros: number;
}

/** Prints a line for each case. */
export async function run(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-bench-log-'));
  try {
    print(`load average ${loadavg()[0]?.toFixed(1)}`, {});
    const metrics = new Registry();
    const log = await open(`${folder}/local`, metrics);
    await log.createTopic('bench', { consistency: 'durable' });
    const raw = await RawFile.create(`${folder}/raw`);
    for (const callers of CALLERS) await compareAppends({ log, metrics, raw, callers });
    await raw.close();
    await measureMemory(log);
    await compareReads(log, folder);
    await log.close();
    await measureThread(`${folder}/thread`);
    await measureOpen(`${folder}/many`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function open(
  folder: string,
  metrics: Registry = new Registry(),
  config: object = {},
): Promise<LocalLog> {
  return LocalLog.open({
    disk: new SystemDisk(),
    clock: new SystemClock(),
    random: new SystemRandom(),
    logger: silentLogger,
    metrics,
    config: logConfig.parse(config),
    folder,
  });
}

/** A file of zeros, written over from its beginning to its end and again. */
class RawFile {
  readonly #file: Awaited<ReturnType<SystemDisk['create']>>;
  #at = 0;

  static async create(path: string): Promise<RawFile> {
    const file = await new SystemDisk().create(path);
    const zeros = new Uint8Array(RAW_READ_BYTES);
    for (let at = 0; at < RAW_FILE_BYTES; at += zeros.byteLength) await file.write(zeros, at);
    await file.datasync();
    return new RawFile(file);
  }

  private constructor(file: Awaited<ReturnType<SystemDisk['create']>>) {
    this.#file = file;
  }

  async sync(block: Uint8Array): Promise<void> {
    if (this.#at + block.byteLength > RAW_FILE_BYTES) this.#at = 0;
    await this.#file.write(block, this.#at);
    await this.#file.datasync();
    this.#at += Math.ceil(block.byteLength / 512) * 512;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

async function compareAppends(world: {
  readonly log: Log;
  readonly metrics: Registry;
  readonly raw: RawFile;
  readonly callers: number;
}): Promise<void> {
  const { log, metrics, raw, callers } = world;
  const [ours, disks, together]: [Rate[], Rate[], number[]] = [[], [], []];
  for (let round = 0; round < ROUNDS; round++) {
    const before = [
      counted(metrics, 'appended_records_total'),
      counted(metrics, 'sync_seconds_count'),
    ];
    ours.push(await rateOf(callers, 1, () => log.append('bench', ONE)));
    const records = counted(metrics, 'appended_records_total') - (before[0] ?? 0);
    const syncs = counted(metrics, 'sync_seconds_count') - (before[1] ?? 0);
    const each = Math.max(1, Math.round(records / syncs));
    together.push(each);
    const block = new Uint8Array(each * RECORD_BYTES).fill(7);
    disks.push(await rateOf(1, each, () => raw.sync(block)));
  }
  const [own, disk] = [medianRate(ours), medianRate(disks)];
  const timesMs: number[] = [];
  await rateOf(callers, 1, async () => {
    const startMs = performance.now();
    await log.append('bench', ONE);
    timesMs.push(performance.now() - startMs);
  });
  print(`durable appends, ${callers} callers`, {
    'records/s': own.rate,
    'CPU µs/record': own.micros,
    'records a sync': median(together),
    ...percentiles(timesMs),
    'write and fdatasync of as many, records/s': disk.rate,
    [callers === CALLERS.at(-1) ? 'of that (aim 0.7, floor 0.4)' : 'of that']: own.rate / disk.rate,
  });
}

async function measureMemory(log: Log): Promise<void> {
  const many = new Array(BATCH_RECORDS).fill(ONE[0]);
  const packed = PackedRecords.of(many);
  await log.createTopic('memory', { consistency: 'memory' });
  for (const [what, records] of [
    ['records', many],
    ['packed records', packed],
  ] as const) {
    const rates: Rate[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      rates.push(await rateOf(1, BATCH_RECORDS, () => log.append('memory', records)));
    }
    const { rate, micros } = medianRate(rates);
    print(`memory appends, batches of 1,000 ${what}`, {
      'records/s (aim 2M, floor 1M)': rate,
      'CPU µs/record': micros,
    });
  }
}

async function compareReads(log: Log, folder: string): Promise<void> {
  await log.createTopic('read', { consistency: 'durable' });
  const packed = PackedRecords.of(new Array(BATCH_RECORDS).fill(ONE[0]));
  for (let count = 0; count < READ_RECORDS; count += BATCH_RECORDS) {
    await log.append('read', packed);
  }
  const { bytes } = await log.stats('read');
  const file = await new SystemDisk().create(`${folder}/sequential`);
  const block = new Uint8Array(RAW_READ_BYTES).fill(7);
  for (let at = 0; at < bytes; at += block.byteLength) await file.write(block, at);
  const [ours, raws]: [number[], number[]] = [[], []];
  const [ourMs, rawMs]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    let sinceMs = performance.now();
    let before = process.cpuUsage();
    for (let from = 0; from < READ_RECORDS; ) {
      from = (await log.read('read', { from })).nextOffset;
    }
    ours.push(bytes / (performance.now() - sinceMs) / 1000);
    ourMs.push(cpuMs(before));
    sinceMs = performance.now();
    before = process.cpuUsage();
    for (let at = 0; at < bytes; at += block.byteLength) {
      await file.read(block, at);
      crc32c(block);
    }
    raws.push(bytes / (performance.now() - sinceMs) / 1000);
    rawMs.push(cpuMs(before));
  }
  await file.close();
  const [own, raw] = [median(ours), median(raws)];
  print('reading from the beginning', {
    'MB/s': own,
    'records/s': (own * 1_000_000 * READ_RECORDS) / bytes,
    'the same bytes of a file, summed, MB/s': raw,
    'of that (aim 0.6, floor 0.3)': own / raw,
    'by CPU time': median(rawMs) / median(ourMs),
  });
}

async function measureThread(folder: string): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(new URL('../sim/log-thread.ts', import.meta.url), {
    workerData: { folder, port: port1 },
    transferList: [port1],
  });
  const log = await PortLog.connect(port2);
  await log.createTopic('bench', { consistency: 'durable' });
  for (const callers of [1, 1000]) {
    const rates: Rate[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      rates.push(await rateOf(callers, 1, () => log.append('bench', ONE)));
    }
    const { rate, micros } = medianRate(rates);
    print(`durable appends from another thread, ${callers} callers`, {
      'records/s': rate,
      'CPU µs/record': micros,
    });
  }
  await log.close();
  await worker.terminate();
}

async function measureOpen(folder: string): Promise<void> {
  const log = await open(folder, new Registry(), { segmentBytesMax: 4096, topicsMax: 2 * TOPICS });
  const packed = PackedRecords.of(new Array(30).fill(ONE[0]));
  const fill = async (topic: string): Promise<void> => {
    await log.createTopic(topic, { consistency: 'memory' });
    for (let segment = 0; segment < SEGMENTS; segment++) await log.append(topic, packed);
  };
  const names = Array.from({ length: TOPICS }, (_, nth) => `topic-${nth}`);
  for (let nth = 0; nth < TOPICS; nth += 50)
    await Promise.all(names.slice(nth, nth + 50).map(fill));
  await log.close();
  const found: { ms: number; rss: number; bytes: number; segments: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const words = ['-C', 'swarmkeep-src', '--expose-gc', OPENER, folder];
    const { output } = await runProgram(process.execPath, words);
    found.push(JSON.parse(output));
  }
  const of = (name: 'ms' | 'rss' | 'bytes' | 'segments'): number =>
    median(found.map((one) => one[name]));
  print(`open with ${TOPICS} topics`, {
    'ms (aim 500, floor 2000)': of('ms'),
    segments: of('segments'),
    'MB of the process': of('rss') / 1e6,
    'MB of the log': of('bytes') / 1e6,
  });
}

async function rateOf(callers: number, each: number, once: () => Promise<unknown>): Promise<Rate> {
  let count = 0;
  const before = process.cpuUsage();
  const sinceMs = performance.now();
  // A look at the clock for each record would be a part of what is measured.
  let isOver = false;
  const timer = setTimeout(() => {
    isOver = true;
  }, ROUND_MS);
  const call = async (): Promise<void> => {
    while (!isOver) {
      await once();
      count += each;
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  clearTimeout(timer);
  const { user, system } = process.cpuUsage(before);
  return {
    rate: count / ((performance.now() - sinceMs) / 1000),
    micros: (user + system) / count,
  };
}

function cpuMs(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

function counted(metrics: Registry, name: string): number {
  const pattern = new RegExp(`^swarmkeep_log_${name} ([0-9.e+]+)$`, 'm');
  return Number(pattern.exec(metrics.render())?.[1] ?? 0);
}

function medianRate(rates: readonly Rate[]): Rate {
  return {
    rate: median(rates.map(({ rate }) => rate)),
    micros: median(rates.map(({ micros }) => micros)),
  };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function percentiles(timesMs: number[]): Record<string, number> {
  const sorted = timesMs.sort((a, b) => a - b);
  const at = (part: number): number => sorted[Math.floor(sorted.length * part)] ?? 0;
  return { 'p50 ms': at(0.5), 'p99 ms': at(0.99) };
}

function print(what: string, numbers: Record<string, number>): void {
  const shown = Object.entries(numbers).map(([name, value]) => {
    const text = value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(2);
    return `${text} ${name}`;
  });
  const tail = shown.length === 0 ? '' : `: ${shown.join(', ')}`;
  process.stdout.write(`log: ${what}${tail}\n`);
}

if (import.meta.main) await run();
