// The two kinds of ends that the queue of records has: the keeper's, with the writer that appends the
// records of all threads, and those of the others, who ask it to look and are told what settled.

import type { AccountingConfig } from '#accounting/config.ts';
import { TransferQueue } from '#accounting/transfers/transfer-queue.ts';
import { TransferWriter, type TransferWriterWorld } from '#accounting/transfers/transfer-writer.ts';
import type { Clock } from '#base/clock.ts';
import { KEEPER, type WorkerMail } from '#tracker/workers.ts';

interface QueueWorld {
  readonly clock: Clock;
  readonly config: AccountingConfig;
  readonly mail: WorkerMail;
  /** TrackerMemory.queue. */
  readonly memory: SharedArrayBuffer;
}

/** The writer of all threads; its own end is `writer.queue`. */
export function keepRecords(
  world: QueueWorld &
    Pick<TransferWriterWorld, 'log' | 'logger' | 'metrics'> & {
      /** Put the baselines of the newest `count` records back. */
      readonly onLost: (newest: number, count: number) => void;
    },
): TransferWriter {
  const { mail } = world;
  const { link } = mail;
  const writer = new TransferWriter({
    ...world,
    onLost: (records, newest) => world.onLost(newest, records.length),
    onTold: (position, durable) => {
      for (let worker = KEEPER + 1; worker < link.count; worker++) {
        if (!writer.queue.hasWaiters(worker)) continue;
        link.send(worker, { kind: 'settled', position, durable });
      }
    },
  });
  mail.on('look', () => writer.wake());
  return writer;
}

export function queueToKeeper(world: QueueWorld): TransferQueue {
  const { mail } = world;
  const queue = new TransferQueue({
    ...world,
    worker: mail.link.index,
    wakeWriter: () => mail.link.send(KEEPER, { kind: 'look' }),
  });
  mail.on('settled', ({ position, durable }) => queue.tell(position, durable));
  return queue;
}
