// The queue of what a store received and other stores shall get. cli gives it a topic of the log.

import type { BlobRef } from '#base/ids.ts';

export interface QueuedBlob {
  readonly ref: BlobRef;
  /** Unix milliseconds. */
  readonly queuedMs: number;
}

export interface QueueRead {
  /** In the order they were added; one may come several times. Empty at the end. */
  readonly blobs: readonly QueuedBlob[];
  /** What `commit` takes when all of them are dealt with. */
  readonly next: number;
  /**
   * Something before them is gone unread, or may be: the reader is new, the queue is bounded and let
   * it go, or it was damaged. Both stores must then be compared.
   */
  readonly hasLost: boolean;
}

export interface QueueLag {
  readonly blobs: number;
  /** When the oldest of them was added, Unix milliseconds; undefined when there is none. */
  readonly sinceMs: number | undefined;
}

export interface DurableQueue {
  /** Durable when it resolves. What it throws the put throws, of which this is a part. */
  add(refs: readonly BlobRef[]): Promise<void>;
  /** From the reader's place on, the same again until it commits. Waits up to `waitMs` for a first. */
  read(
    reader: string,
    options: {
      readonly limit: number;
      readonly waitMs: number;
      readonly signal: AbortSignal;
    },
  ): Promise<QueueRead>;
  /** Durable when it resolves. */
  commit(reader: string, next: number): Promise<void>;
  lag(reader: string): Promise<QueueLag>;
}
