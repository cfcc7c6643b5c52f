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
import { capacityOf, TransferQueue } from './transfer-queue.ts';
import { TRANSFERS_TOPIC } from './transfer-record.ts';
import { TransferWriter } from './transfer-writer.ts';

const THREADS = 3;
const STEPS = 4000;
const COUNTERS = 5;
/** Small, so that the queue is full all the time. */
const SETTINGS = { batchRecordsMax: 32, recordsPendingMax: 100, batchAgeMsMax: 5 };
/** Places. */
const CAPACITY = capacityOf(SETTINGS);
/** So many of the newest stand in their places until more settles, however fast the others push. */
const STANDING = CAPACITY - SETTINGS.recordsPendingMax;
/** How far behind the follower lets itself fall, in turn: the last until its places were taken again. */
const BEHIND = [0, 30, 60, 90, CAPACITY];

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
      if (durable) follower.look();
      for (const [at, worker] of workers.entries()) {
        if (writer.queue.hasWaiters(at + 1)) worker.postMessage({ position, durable });
      }
    },
  });
  const feed = new TransferFeed({ memory: queue, clock: new SystemClock(), config });
  const follower = new Follower(feed, log, () => writer.pending);
  const results = Array.from({ length: THREADS }, (_, at) => {
    const shape = { queue, counters: memory, config: SETTINGS, steps: STEPS };
    const { worker, result } = hammer({ ...shape, worker: at + 1 }, () => writer.wake());
    workers.push(worker);
    return result;
  });
  const told = await Promise.all(results);
  await writer.close();
  for (const worker of workers) await worker.terminate();

  const records = log.recordsOf(TRANSFERS_TOPIC).map(({ value }) => read(value));
  // What settled last and was not yet looked at.
  const ids = records.map(({ id }) => id);
  assert.deepEqual(follower.ids, ids.slice(0, follower.ids.length));
  assert.ok(ids.length - follower.ids.length <= CAPACITY);
  assert.ok(follower.fed > 0 && follower.overtaken > 0, `${follower.fed}, ${follower.overtaken}`);
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
 * Takes what settled out of the queue, and what the queue has no more out of the log, while other threads
 * take places again. It looks as soon as something has settled, before more can: so it is known what the
 * queue must show, and what it cannot, on a machine of any speed.
 */
class Follower {
  readonly ids: number[] = [];
  /** Records out of the queue. */
  fed = 0;
  /** How often all that it wanted next was surely gone from the queue. */
  overtaken = 0;
  readonly #feed: TransferFeed;
  readonly #log: MemoryLog;
  readonly #pending: () => number;
  #turn = 0;
  /** The first offset of what settled last. */
  #settledFrom = 0;
  #settledTo = 0;

  constructor(feed: TransferFeed, log: MemoryLog, pending: () => number) {
    this.#feed = feed;
    this.#log = log;
    this.#pending = pending;
  }

  look(): void {
    const stored = this.#log.recordsOf(TRANSFERS_TOPIC);
    this.#settledFrom = this.#settledTo;
    this.#settledTo = stored.length;
    const behind = this.#settledTo - this.ids.length;
    const wanted = BEHIND[this.#turn % BEHIND.length]!;
    // Others may push meanwhile: what waits for the disk only grows here.
    const isOvertaken = behind + this.#pending() > CAPACITY;
    if (wanted === CAPACITY ? !isOvertaken : behind <= wanted) return;
    this.#turn++;
    const shown = this.#take();
    if (isOvertaken) {
      assert.equal(shown, 0, 'whose place was taken again is not shown');
      this.overtaken++;
    }
    const standing = Math.max(this.#settledFrom, this.#settledTo - STANDING);
    for (let at = this.ids.length; at < standing; at++) this.ids.push(read(stored[at]!.value).id);
    const left = this.#settledTo - this.ids.length;
    assert.equal(this.#take(), left, 'what settled last is shown');
  }

  #take(): number {
    const from = this.ids.length;
    const shown = this.#feed.read(from, CAPACITY, (words, at) =>
      this.ids.push(words[at + RECORD.id]!),
    );
    this.fed += shown;
    return shown;
  }
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
