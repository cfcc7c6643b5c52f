// A topic whose durable mark is missing or garbled beside segments. A topic has its mark before its
// first segment, so that this is damage; and nothing at its end can then be shown to have been
// unacknowledged. So nothing is cut: what stands there counts as having been on disk.

import type { DiskFile } from '#base/disk.ts';
import { BATCH_HEADER_BYTES, readBatchHeader } from '#log/segment/batch.ts';

/** A bad range whose header says more records than this is not believed. */
const SPAN_MAX = 1_000_000;

export interface LastRange {
  readonly position: number;
  /** The offset that its first record would have. */
  readonly offset: number;
}

/**
 * The offset after what a damaged range at the end may have held: as its header says, if that is
 * believable, else one record, so that no offset is given twice. @throws the disk's error
 */
export async function endOfUnproven(
  file: Pick<DiskFile, 'read'>,
  { position, offset }: LastRange,
): Promise<number> {
  const bytes = new Uint8Array(BATCH_HEADER_BYTES);
  const count = await file.read(bytes, position);
  const header = readBatchHeader(bytes.subarray(0, count), 0);
  const isBelievable = header?.firstOffset === offset && header.span <= SPAN_MAX;
  return offset + (isBelievable ? Math.max(1, header.span) : 1);
}
