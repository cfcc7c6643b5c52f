// A log that can change records in sealed segments without moving any: for what must not be kept, such
// as addresses. Log engines that cannot are simply not one of these.

import type { Log } from './log.ts';

export interface RewritingLog extends Log {
  /**
   * Takes the next sealed segment of the topic and lets a change see each of its records. A segment in
   * which nothing changed is left alone; another is written anew beside the old one, synced, read
   * back, and renamed over it, so that a crash leaves the one or the other, whole. Offsets, times and
   * positions stay as they are; readers never wait. Damaged and compressed batches stay as they are.
   * @throws LogError LOG_TOPIC_UNKNOWN, LOG_REWRITE_FAILED (nothing changed), LOG_CLOSED; the
   *   signal's reason, between two batches
   */
  rewriteSegment(topic: string, options: RewriteOptions): Promise<RewriteResult>;
}

export interface RewriteOptions {
  /** The first sealed segment that begins here or later. */
  readonly from: number;
  /** The name under which the log's owner was given the change, and what it is told. */
  readonly change: string;
  /** Crosses threads: plain data. */
  readonly input: unknown;
  /** Segments without a batch as new as this are passed over. Unix milliseconds. */
  readonly newestMsMin?: number;
  /** Segments whose first batch is newer than this are passed over. */
  readonly oldestMsMax?: number;
  readonly signal?: AbortSignal;
}

export interface RewriteResult {
  /** Where to go on; undefined when no sealed segment was there any more. */
  readonly nextOffset: number | undefined;
  /** Records that were looked at, and that were changed. */
  readonly records: number;
  readonly changed: number;
}

/**
 * Edits a record's value in place, never its length; true when it did. Made once for each segment from
 * what `rewriteSegment` was told.
 */
export type RecordChange = (input: unknown) => (value: Uint8Array) => boolean;
