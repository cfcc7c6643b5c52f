// Threads that push into one queue while its writer fails again and again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { accountingConfig } from '#accounting/config.ts';
import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { SeededRandom } from '#base/random.ts';
import { Registry } from '#metrics/registry.ts';
import { MemoryLog } from '#sim/memory-log.ts';
import {
  lockCounter,
  type QueueHammerData,
  type QueueHammerResult,
  RECORD,
  unlockCounter,
} from '#sim/queue-hammer.ts';
import { TransferFeed } from './transfer-feed.ts';
import { TransferQueue } from './transfer-queue.ts';
import { TRANSFERS_TOPIC } from './transfer-record.ts';
import { TransferWriter } from './transfer-writer.ts';

const THREADS = 3;
const STEPS = 4000;
const COUNTERS = 5;
/** Shown at once, of 128 places. */
const SHOWN_MAX = 90;
/** Small, so that the queue is full all the time. */
const SETTINGS = { batchRecordsMax: 32, recordsPendingMax: 100, batchAgeMsMax: 5 };

test('T21: records of threads that meet stand in the log without gap or repeat, whatever is lost', async () => {
  const config = accountingConfig.parse(SETTINGS);
  const queue = TransferQueue.reserve(config);
  const memory = new SharedArrayBuffer(COUNTERS * 8);
  const counters = new Int32Array(memory);
  const log = await failingLog();
  const workers: Worker[] = [];
  const writer = new TransferWriter({
    ...{ log, config, memory: queue, logger: silentLogger },
    clock: new SystemClock(),
    metrics: new Registry(),
    onLost: (records) => {
      for (const record of records) {
        const { counter, value } = read(record);
        lockCounter(counters, counter);
        // Newest first, each from where it had brought its counter.
        assert.equal(counters[counter * 2 + 1], value);
        counters[counter * 2 + 1] = value - 1;
        unlockCounter(counters, counter);
      }
    },
    onTold: (position, durable) => {
      for (const [at, worker] of workers.entries()) {
        if (writer.queue.hasWaiters(at + 1)) worker.postMessage({ position, durable });
      }
    },
  });
  const results = Array.from({ length: THREADS }, (_, at) => {
    const shape = { queue, counters: memory, config: SETTINGS, steps: STEPS };
    const { worker, result } = hammer({ ...shape, worker: at + 1 }, () => writer.wake());
    workers.push(worker);
    return result;
  });
  const following = follow(
    new TransferFeed({ memory: queue, clock: new SystemClock(), config }),
    log,
  );
  const told = await Promise.all(results);
  await writer.close();
  const followed = await following.end();
  for (const worker of workers) await worker.terminate();

  const records = log.recordsOf(TRANSFERS_TOPIC).map(({ value }) => read(value));
  assert.deepEqual(followed.ids, idsOf(records));
  // How many came by the queue and how many by the log is for the machine to say: none is lost or doubled.
  assert.ok(followed.fed < records.length, `${followed.fed} by the queue`);
  const reached = new Array<number>(COUNTERS).fill(0);
  for (const { counter, value } of records) {
    assert.equal(value, reached[counter]! + 1);
    reached[counter] = value;
  }
  assert.deepEqual(
    reached,
    [...reached.keys()].map((at) => counters[at * 2 + 1]),
  );
  const stored = new Set(records.map(({ id }) => id));
  const durable = told.flatMap((result) => result.durable);
  const lost = told.flatMap((result) => result.lost);
  assert.equal(stored.size, records.length);
  assert.deepEqual(new Set(durable), stored);
  assert.equal(durable.length + lost.length, THREADS * STEPS);
  assert.ok(lost.length > 0 && writer.losses > 5, `${writer.losses} losses`);
});

/**
 * Takes from the queue what it has, and else one record from the log, while other threads take places
 * again.
 */
function follow(
  feed: TransferFeed,
  log: MemoryLog,
): { end(): Promise<{ readonly ids: readonly number[]; readonly fed: number }> } {
  const ids: number[] = [];
  let fed = 0;
  let isEnding = false;
  const running = (async () => {
    for (let isLast = false; ; isLast = isEnding) {
      const from = ids.length;
      // Now and then as if it had been too slow.
      if (from % 50 !== 49) {
        fed += feed.read(from, SHOWN_MAX, (words, at) => ids.push(words[at + RECORD.id]!));
      }
      if (ids.length > from) continue;
      const { records } = await log.read(TRANSFERS_TOPIC, { from, recordsMax: 1 });
      ids.push(...records.map(({ value }) => read(value).id));
      if (records.length === 0 && isLast) return;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  })();
  return {
    end: async () => {
      isEnding = true;
      await running;
      return { ids, fed };
    },
  };
}

function idsOf(records: readonly { readonly id: number }[]): readonly number[] {
  return records.map(({ id }) => id);
}

async function failingLog(): Promise<MemoryLog> {
  const log = new MemoryLog();
  const random = new SeededRandom(7);
  await log.createTopic(TRANSFERS_TOPIC);
  log.delay = () => new Promise((resolve) => setImmediate(resolve));
  log.beforeAppend = () => {
    if (random.u32() % 12 === 0) throw new Error('planted');
  };
  return log;
}

function hammer(
  data: QueueHammerData,
  onLook: () => void,
): { readonly worker: Worker; readonly result: Promise<QueueHammerResult> } {
  const url = new URL(import.meta.resolve('#sim/queue-hammer.ts'));
  const worker = new Worker(url, { workerData: data, execArgv: ['-C', 'swarmkeep-src'] });
  const result = new Promise<QueueHammerResult>((resolve, reject) => {
    worker.on('message', (message: 'look' | QueueHammerResult) => {
      if (message === 'look') onLook();
      else resolve(message);
    });
    worker.once('error', reject);
  });
  return { worker, result };
}

function read(record: Uint8Array): { id: number; counter: number; value: number } {
  const words = new Uint32Array(record.slice().buffer);
  return {
    id: words[RECORD.id]!,
    counter: words[RECORD.counter]!,
    value: words[RECORD.value]!,
  };
}
