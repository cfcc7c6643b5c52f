// A thread that pushes records into a queue that others push into too. Each record moves one of a few
// counters in shared memory, under that counter's lock, as an announce moves its baseline. Posts which
// of its records it was told are durable, and which are lost.

import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import { accountingConfig } from '#accounting/config.ts';
import { TransferQueue } from '#accounting/transfers/transfer-queue.ts';
import { TRANSFER_RECORD_BYTES } from '#accounting/transfers/transfer-record.ts';
import { SystemClock } from '#base/clock.ts';
import { SeededRandom } from '#base/random.ts';

export interface QueueHammerData {
  readonly queue: SharedArrayBuffer;
  /** A lock and a value for each counter. */
  readonly counters: SharedArrayBuffer;
  readonly config: Readonly<Record<string, number>>;
  readonly worker: number;
  readonly steps: number;
}

export interface QueueHammerResult {
  readonly durable: readonly number[];
  readonly lost: readonly number[];
}

/** What a record says here: whose it is, which counter, its value from here on. */
export const RECORD = { id: 0, counter: 1, value: 2 } as const;

export function lockCounter(counters: Int32Array, counter: number): void {
  while (Atomics.compareExchange(counters, counter * 2, 0, 1) !== 0) {
    Atomics.wait(counters, counter * 2, 1, 1);
  }
}

export function unlockCounter(counters: Int32Array, counter: number): void {
  Atomics.store(counters, counter * 2, 0);
  Atomics.notify(counters, counter * 2, 1);
}

if (parentPort !== null) await hammer(workerData as QueueHammerData);

async function hammer(data: QueueHammerData): Promise<void> {
  const { worker, steps } = data;
  const random = new SeededRandom(worker);
  const counters = new Int32Array(data.counters);
  const queue = new TransferQueue({
    memory: data.queue,
    worker,
    clock: new SystemClock(),
    config: accountingConfig.parse(data.config),
    wakeWriter: () => parentPort?.postMessage('look'),
  });
  parentPort?.on('message', ({ position, durable }: { position: number; durable: boolean }) => {
    queue.tell(position, durable);
  });
  const result = { durable: [] as number[], lost: [] as number[] };
  const words = new Uint32Array(TRANSFER_RECORD_BYTES / 4);
  let told = 0;
  for (let step = 0; step < steps; ) {
    const counter = random.u32() % (counters.length / 2);
    lockCounter(counters, counter);
    queue.willWait();
    const position = queue.reserve();
    if (position >= 0) {
      const id = worker * 1_000_000 + step;
      words[RECORD.id] = id;
      words[RECORD.counter] = counter;
      words[RECORD.value] = counters[counter * 2 + 1]! + 1;
      queue.words.set(words, queue.recordWordAt(queue.placeOf(position)));
      queue.publish(position);
      counters[counter * 2 + 1] = words[RECORD.value]!;
      queue.onSettled(position, (durable) => {
        told++;
        (durable ? result.durable : result.lost).push(id);
      });
      step++;
    } else queue.wontWait();
    unlockCounter(counters, counter);
    if (position < 0 || step % 20 === 0) {
      queue.flush();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  await queue.settled();
  assert.equal(told, steps);
  queue.close();
  parentPort?.postMessage(result);
}
