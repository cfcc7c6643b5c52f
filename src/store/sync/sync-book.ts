// What a sync must remember beside its queue: where its comparison stands, and which blobs it could
// not copy. cli gives it tables.

import type { BlobRef } from '#base/ids.ts';

export interface SyncState {
  /** A comparison is due at once: the queue lost something, or the sync is new. */
  readonly isOwed: boolean;
  /** The next prefix of a comparison that is under way, 0 to 255; undefined when none is. */
  readonly prefix: number | undefined;
  /** Prefixes that the comparison under way, or the last one, could not read. */
  readonly failedPrefixes: readonly number[];
  /** When the last comparison ended, Unix milliseconds; undefined before the first. */
  readonly comparedMs: number | undefined;
  /** When the last sample of the far side was read. */
  readonly sampledMs: number | undefined;
}

export interface SyncFailure {
  readonly sync: string;
  readonly ref: BlobRef;
  /** Of the last failure. */
  readonly code: string;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly tries: number;
  /** It was copied since, and is listed until somebody acknowledges it. */
  readonly isCopied: boolean;
}

export interface SyncBook {
  state(sync: string): Promise<SyncState>;
  change(sync: string, change: Partial<SyncState>): Promise<void>;
  /** Lists it, or counts one more; one that was acknowledged is listed again when its code changed. */
  failed(sync: string, failures: readonly { ref: BlobRef; code: string }[]): Promise<void>;
  /** They are there now: those acknowledged are forgotten, the others listed as copied. */
  copied(sync: string, refs: readonly BlobRef[]): Promise<void>;
  /** Not yet copied, by name, also those acknowledged. */
  uncopied(sync: string, page: { readonly after?: BlobRef; limit: number }): Promise<BlobRef[]>;
  /** Of all syncs, not acknowledged, in the order of sync and name. */
  unacknowledged(page: {
    readonly after?: { readonly sync: string; readonly ref: BlobRef };
    readonly limit: number;
  }): Promise<SyncFailure[]>;
  unacknowledgedCount(sync: string): Promise<number>;
  /** Of all syncs; all blobs unless some are named. Answers how many were listed. */
  acknowledge(refs: readonly BlobRef[] | undefined): Promise<number>;
}
