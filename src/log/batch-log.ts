// A log that also gives its batches as they stand on disk, for who passes them on: the server.

import type { Log, ReadOptions } from './log.ts';

export interface BatchRead {
  /** Whole batches (batch.ts), checked, in order; what damage took is a gap batch. */
  readonly batches: readonly Uint8Array[];
  /** Records in them from `from` on; an estimate where compaction left holes. */
  readonly records: number;
  readonly bytes: number;
  readonly nextOffset: number;
}

export interface BatchLog extends Log {
  /**
   * As `read`, but undecoded. The first batch may begin before `from`, and the last is given whole
   * when `recordsMax` ends inside it. @throws as read
   */
  readBatches(topic: string, options: ReadOptions): Promise<BatchRead>;
}
