// What the writer and the readers of one topic share: its segments, how far it is written, answered
// and on disk, and who waits for more. Only the writer moves the numbers.

import { assert } from '#base/assert.ts';
import type { Clock } from '#base/clock.ts';
import { LogError } from '#log/errors.ts';
import type { Consistency, TopicStats } from '#log/log.ts';
import { SEGMENT_HEADER_BYTES, type Segment } from '#log/segment/segment.ts';
import type { SizeLimit } from './size-limit.ts';
import type { TopicRules } from './topic-rules.ts';

interface Waiter {
  readonly wake: () => void;
}

export class TopicState {
  readonly name: string;
  readonly consistency: Consistency;
  readonly rules: TopicRules;
  /** In order; the last may be the active one. */
  readonly segments: Segment[];
  /** The offset of the next record that is written. */
  nextOffset: number;
  /** Everything below is on disk, or was lost and is a gap. */
  durableOffset: number;
  /** Everything below was answered to whoever appended it. */
  answeredOffset: number;
  /** The lowest offset that was written, and is answered only by the next sync. */
  waitingOffset = Number.POSITIVE_INFINITY;
  isClosed = false;
  /** Whether every removal of a segment is known to last. Recovery has synced those of before. */
  areRemovalsDurable = true;
  /**
   * Segments that end here or below may be removed by whoever needs room: nobody holds them and
   * their hooks have run.
   */
  releasedOffset = 0;
  #naming: Promise<unknown> = Promise.resolve();
  readonly #readersMax: number;
  readonly #waiters = new Set<Waiter>();

  constructor(options: {
    readonly name: string;
    readonly consistency: Consistency;
    readonly rules: TopicRules;
    readonly segments: Segment[];
    readonly nextOffset: number;
    readonly readersMax: number;
  }) {
    this.name = options.name;
    this.consistency = options.consistency;
    this.rules = options.rules;
    this.segments = options.segments;
    this.nextOffset = options.nextOffset;
    this.durableOffset = options.nextOffset;
    this.answeredOffset = options.nextOffset;
    this.#readersMax = options.readersMax;
  }

  get limit(): SizeLimit | undefined {
    return this.rules.limit;
  }

  get firstOffset(): number {
    return this.segments[0]?.firstOffset ?? this.nextOffset;
  }

  /** Readers see what is below. In a `memory` topic that is what was answered, else what is on disk. */
  get visibleOffset(): number {
    if (this.consistency !== 'memory') return this.durableOffset;
    const answered = Math.min(this.answeredOffset, this.waitingOffset);
    return Math.max(this.durableOffset, answered);
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  /** Of batches, without segment headers and preallocated room. */
  get bytes(): number {
    let bytes = 0;
    for (const { endPosition } of this.segments) {
      bytes += Math.max(0, endPosition - SEGMENT_HEADER_BYTES);
    }
    return bytes;
  }

  get stats(): TopicStats {
    return {
      name: this.name,
      firstOffset: this.firstOffset,
      nextOffset: this.nextOffset,
      durableOffset: this.durableOffset,
      segments: this.segments.length,
      bytes: this.bytes,
    };
  }

  /** Whether its file is the one of that name. */
  holds(segment: Segment): boolean {
    return segment.isStale !== true && this.segments.includes(segment);
  }

  /**
   * Runs alone among those that remove sealed segments or put another file in their place, so that
   * none comes back under a name that was given up. Whoever met a stale segment waits here.
   */
  exclusive<T>(change: () => Promise<T>): Promise<T> {
    const run = this.#naming.then(change);
    this.#naming = run.catch(() => undefined);
    return run;
  }

  /** The place in `segments` of the one that holds `offset`, or would; -1 before the first. */
  segmentAt(offset: number): number {
    let low = 0;
    let high = this.segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.segments[middle]!.firstOffset <= offset) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** To be called when the visible offset may have moved, and at the end. */
  wakeReaders(): void {
    for (const { wake } of [...this.#waiters]) wake();
  }

  /**
   * Resolves when something above `offset` is visible, after `waitMs`, or when the topic closes.
   * @throws LogError LOG_READERS_FULL; rejects with the signal's reason
   */
  async waitBeyond(
    offset: number,
    options: { readonly clock: Clock; readonly waitMs: number; readonly signal?: AbortSignal },
  ): Promise<void> {
    assert(!this.isClosed, 'nobody waits on a closed topic');
    if (this.#waiters.size >= this.#readersMax) {
      throw new LogError(
        'LOG_READERS_FULL',
        `Cannot wait for records of topic "${this.name}": ${this.#readersMax} readers wait already`,
      );
    }
    const { signal } = options;
    await new Promise<void>((resolve, reject) => {
      const end = (): void => {
        timer.cancel();
        signal?.removeEventListener('abort', abort);
        this.#waiters.delete(waiter);
      };
      const abort = (): void => {
        end();
        reject(signal?.reason);
      };
      const wake = (): void => {
        if (this.visibleOffset <= offset && !this.isClosed) return;
        end();
        resolve();
      };
      const waiter: Waiter = { wake };
      const timer = options.clock.after(options.waitMs, () => {
        end();
        resolve();
      });
      this.#waiters.add(waiter);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }
}
