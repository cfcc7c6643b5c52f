// The appends that wait for a topic's writer: taken or refused at the door, withdrawn by their signal,
// and handed out in order, one write's worth at a time.

import { LogError } from '#log/errors.ts';
import type { Appended, AppendOptions, CancelSignal, LogRecord } from '#log/log.ts';
import { PackedRecords, packedBytes } from '#log/segment/packed-records.ts';
import { Crowd } from './crowd.ts';
import { type Pending, refusalOf } from './pending-append.ts';
import { roomOf } from './size-limit.ts';
import type { TopicState } from './topic-state.ts';
import type { TopicWorld } from './topic-world.ts';

export class AppendQueue {
  readonly #world: TopicWorld;
  readonly #state: TopicState;
  readonly #crowd: Crowd;
  #pendings: Pending[] = [];
  #bytes = 0;

  constructor(world: TopicWorld, state: TopicState) {
    this.#world = world;
    this.#state = state;
    this.#crowd = new Crowd(world.clock, world.config.gatherMsMax);
  }

  get length(): number {
    return this.#pendings.length;
  }

  /** Settled by the writer, or here when it is refused or taken back; `onTaken` when it waits. */
  add(
    records: readonly LogRecord[] | PackedRecords,
    options: AppendOptions,
    onTaken: () => void,
  ): Promise<Appended> {
    return new Promise((resolve, reject) => {
      const isPacked = records instanceof PackedRecords;
      const count = isPacked ? records.count : records.length;
      const bytes = isPacked ? records.bytes.byteLength : packedBytes(records);
      const { signal } = options;
      const refusal = this.#refuse(count, bytes);
      if (refusal !== undefined || signal?.aborted === true) {
        reject(refusal ?? signal?.reason);
        return;
      }
      if (isPacked && !records.isWellFormed) {
        reject(new LogError('LOG_BATCH_INVALID', 'Cannot append packed records: malformed'));
        return;
      }
      const pending: Pending = {
        records,
        count,
        bytes,
        consistency: options.consistency ?? this.#state.consistency,
        stamp: options.producer,
        resolve,
        reject,
        stopListening: undefined,
        isCancelled: false,
        firstOffset: 0,
      };
      if (signal !== undefined) this.#listen(pending, signal);
      this.#pendings.push(pending);
      this.#bytes += bytes;
      this.#crowd.came(pending.consistency === 'durable' ? this.#pendings.length : Infinity);
      onTaken();
    });
  }

  /** Resolves when most of those who were appending are there again; undefined: go on at once. */
  gather(): Promise<void> | undefined {
    // Only appends that each want a sync are worth waiting for.
    const areDurable = this.#pendings.every(({ consistency }) => consistency === 'durable');
    return areDurable ? this.#crowd.gather(this.#pendings.length) : undefined;
  }

  /** What is written next, in order, at most so many bytes at once but one append at least. */
  take(bytesMax: number): Pending[] {
    const { limit } = this.#state;
    let count = 0;
    let bytes = 0;
    let room = 0;
    const portion = this.#crowd.portion(this.#pendings.length);
    for (const pending of this.#pendings) {
      if (count === portion) break;
      room += limit === undefined ? pending.bytes : roomOf(pending.bytes);
      if (count > 0 && room > bytesMax) break;
      count++;
      bytes += pending.isCancelled ? 0 : pending.bytes;
    }
    const isAll = count === this.#pendings.length;
    const taken = isAll ? this.#pendings : this.#pendings.slice(0, count);
    this.#pendings = isAll ? [] : this.#pendings.slice(count);
    this.#bytes -= bytes;
    const flush = taken.filter((pending) => !pending.isCancelled);
    for (const pending of flush) pending.stopListening?.();
    return flush;
  }

  /** A sync has served so many. */
  served(count: number): void {
    this.#crowd.served(count, this.#pendings.length);
  }

  /** Everything that waits; the queue is empty after it. */
  drain(): Pending[] {
    const waiting = this.#pendings.filter((pending) => !pending.isCancelled);
    for (const pending of waiting) pending.stopListening?.();
    this.#pendings = [];
    this.#bytes = 0;
    return waiting;
  }

  #refuse(count: number, bytes: number): LogError | undefined {
    const { config, metrics } = this.#world;
    const { name } = this.#state;
    const refusal = refusalOf({ count, bytes }, { name, config, queueBytes: this.#bytes });
    if (refusal?.code === 'LOG_QUEUE_FULL') metrics.refusals.add(1);
    return refusal;
  }

  #listen(pending: Pending, signal: CancelSignal): void {
    const abort = (): void => {
      pending.isCancelled = true;
      this.#bytes -= pending.bytes;
      pending.reject(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    pending.stopListening = () => signal.removeEventListener('abort', abort);
  }
}
