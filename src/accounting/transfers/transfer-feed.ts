// The newest records that are on disk, out of the queue that they came by (transfer-queue.ts), for who
// follows the log and would otherwise read them from it again: the ledger, in another thread. What it
// shows are the log's records at their offsets, and none that the log does not have. Whoever is too far
// behind, or has just started, is shown nothing and reads the log.
//
// Nobody waits for a reader: a place may be taken again while it is looked at. So some records are
// copied at a time, and shown when none of their places was taken meanwhile.

import type { AccountingConfig } from '#accounting/config.ts';
import type { Clock } from '#base/clock.ts';
import {
  capacityOf,
  POSITIONS,
  QUEUE_PLACE_WORDS,
  QUEUE_ROOM_WORDS,
  TransferQueue,
} from './transfer-queue.ts';

/** Copied at once: what the nearest cache holds. */
const COPIED_RECORDS = 128;

/** 32 words from `at` on are the record, lent for the call. */
export type RecordVisitor = (words: Uint32Array, at: number) => void;

export class TransferFeed {
  readonly #queue: TransferQueue;
  readonly #capacity: number;
  readonly #copied = new Uint32Array(COPIED_RECORDS * QUEUE_PLACE_WORDS + 1);
  readonly #run = { from: 0, next: 0, position: 0 };

  /** `memory` is the queue's, from TransferQueue.reserve() with an equal config. */
  constructor(world: {
    readonly memory: SharedArrayBuffer;
    readonly clock: Clock;
    readonly config: AccountingConfig;
  }) {
    this.#capacity = capacityOf(world.config);
    this.#queue = new TransferQueue({ ...world, worker: 0, wakeWriter: () => undefined });
  }

  /**
   * Shows the records at offset `from` and behind it, in order, at most `recordsMax`; returns how many.
   * 0 where it has none of them: then the log does, or they are not on disk yet.
   */
  read(from: number, recordsMax: number, visit: RecordVisitor): number {
    const run = this.#run;
    if (!this.#queue.readRun(run) || from < run.from || from >= run.next) return 0;
    const behind = run.next - from;
    if (behind > this.#capacity) return 0;
    const first = (run.position - behind) & POSITIONS;
    const count = Math.min(behind, recordsMax);
    for (let shown = 0; shown < count; shown += COPIED_RECORDS) {
      const some = Math.min(COPIED_RECORDS, count - shown);
      const position = (first + shown) & POSITIONS;
      const half = this.#queue.halfOf(position);
      this.#queue.copyPlaces(position, some, this.#copied, half);
      if (!this.#queue.isStanding(position)) return shown;
      for (let nth = 0; nth < some; nth++) {
        visit(this.#copied, half + nth * QUEUE_PLACE_WORDS + QUEUE_ROOM_WORDS);
      }
    }
    return count;
  }
}
