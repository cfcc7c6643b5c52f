// How many records of 100 bytes the log takes in a second when each is answered from disk, for 1 to
// 1,000 callers that each wait for their answer; beside it what the disk itself allows in the same
// run: one write and one fdatasync after another, of one sector and of 64 KiB. Then how fast records
// are read back, and how long a start takes. By itself: node -C swarmkeep-src bench/log.ts

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel, Worker } from 'node:worker_threads';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { silentLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import type { Log } from '#log/log.ts';
import { PackedRecords } from '#log/packed-records.ts';
import { PortLog } from '#log/port-log.ts';
import { Registry } from '#metrics/registry.ts';

const VALUE_BYTES = 100;
const RUN_MS = 1500;
const CALLERS = [1, 10, 100, 1000];
const BATCH_RECORDS = 512;

/** Prints a line for each case. */
export async function run(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-bench-log-'));
  try {
    for (const bytes of [512, 65_536]) await measureDisk(folder, bytes);
    const log = await open(`${folder}/local`);
    await log.createTopic('bench', { consistency: 'durable' });
    for (const callers of CALLERS) await measureAppends('in one thread', log, callers);
    await measureBatches(log);
    await measureReads(log);
    await log.close();
    await measureStart(`${folder}/local`);
    await measureThread(`${folder}/thread`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function open(folder: string): Promise<LocalLog> {
  return LocalLog.open({
    disk: new SystemDisk(),
    clock: new SystemClock(),
    random: new SystemRandom(),
    logger: silentLogger,
    metrics: new Registry(),
    config: logConfig.parse({}),
    folder,
  });
}

async function measureDisk(folder: string, bytes: number): Promise<void> {
  const file = await new SystemDisk().create(`${folder}/raw-${bytes}`);
  const block = new Uint8Array(bytes).fill(1);
  const timesMs: number[] = [];
  const sinceMs = performance.now();
  for (let position = 0; performance.now() - sinceMs < RUN_MS; position += bytes) {
    const startMs = performance.now();
    await file.write(block, position);
    await file.datasync();
    timesMs.push(performance.now() - startMs);
  }
  await file.close();
  const seconds = (performance.now() - sinceMs) / 1000;
  print(`disk alone: write of ${bytes} bytes and fdatasync`, {
    'syncs/s': timesMs.length / seconds,
    'records/s that fit': (timesMs.length / seconds) * Math.max(1, Math.floor(bytes / 112)),
    ...percentiles(timesMs),
  });
}

async function measureAppends(where: string, log: Log, callers: number): Promise<void> {
  const records = [{ value: new Uint8Array(VALUE_BYTES).fill(7) }];
  const timesMs: number[] = [];
  const sinceMs = performance.now();
  const cpuBefore = process.cpuUsage();
  const call = async (): Promise<void> => {
    while (performance.now() - sinceMs < RUN_MS) {
      const startMs = performance.now();
      await log.append('bench', records);
      timesMs.push(performance.now() - startMs);
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  const cpu = process.cpuUsage(cpuBefore);
  print(`durable appends ${where}, ${callers} callers`, {
    'records/s': timesMs.length / ((performance.now() - sinceMs) / 1000),
    'CPU µs/record': (cpu.user + cpu.system) / timesMs.length,
    ...percentiles(timesMs),
  });
}

/** As the tracker appends: packed batches, the next when the last is answered. */
async function measureBatches(log: Log): Promise<void> {
  const record = { value: new Uint8Array(VALUE_BYTES).fill(7) };
  const packed = PackedRecords.of(new Array(BATCH_RECORDS).fill(record));
  const sinceMs = performance.now();
  const cpuBefore = process.cpuUsage();
  let count = 0;
  for (; performance.now() - sinceMs < RUN_MS; count += BATCH_RECORDS) {
    await log.append('bench', packed);
  }
  const cpu = process.cpuUsage(cpuBefore);
  print(`durable batches of ${BATCH_RECORDS}, one at a time`, {
    'records/s': count / ((performance.now() - sinceMs) / 1000),
    'CPU µs/record': (cpu.user + cpu.system) / count,
  });
}

async function measureReads(log: Log): Promise<void> {
  const sinceMs = performance.now();
  let count = 0;
  for (let from = 0; ; ) {
    const { records, nextOffset } = await log.read('bench', { from });
    if (records.length === 0) break;
    count += records.length;
    from = nextOffset;
  }
  const seconds = (performance.now() - sinceMs) / 1000;
  print('reading from the beginning', { records: count, 'records/s': count / seconds });
}

async function measureStart(folder: string): Promise<void> {
  const sinceMs = performance.now();
  const log = await open(folder);
  const { nextOffset, bytes } = await log.stats('bench');
  print('start', { ms: performance.now() - sinceMs, records: nextOffset, bytes });
  await log.close();
}

async function measureThread(folder: string): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(new URL('../sim/log-thread.ts', import.meta.url), {
    workerData: { folder, port: port1 },
    transferList: [port1],
  });
  const log = await PortLog.connect(port2);
  await log.createTopic('bench', { consistency: 'durable' });
  for (const callers of [1, 1000]) await measureAppends('from another thread', log, callers);
  await log.close();
  await worker.terminate();
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
  process.stdout.write(`log: ${what}: ${shown.join(', ')}\n`);
}

if (import.meta.main) await run();
