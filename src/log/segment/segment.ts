// A segment, version 1: one file of a topic, `<log>/<topic>/<first offset, 20 digits>.log`. This file
// owns the format; batch.ts has the bytes of a batch. Integers are little endian.
//
//    0  magic         u32  "SKS1"
//    4  checksum      u32  CRC32C of bytes 8 to 512
//    8  version       u16  1
//   10  reserved      u16  0
//   12  alignment     u32  512
//   16  log id        16 bytes, the id of the log that wrote it
//   32  epoch         u32  the log's when the file was made
//   36  reserved      u32  0
//   40  first offset  u64  as in the file's name
//   48  created       u64  Unix milliseconds
//   56  zeros up to 512
//  512  batches, each at a multiple of the alignment, zeros up to the next; then zeros to the end
//
// A batch that was synced never shares a sector with a later one, so a torn write harms only what
// was not acknowledged. Assumption: writing a sector does not damage its neighbours.
//
// Each batch begins at the offset where the one before ended, and each segment where the one before
// ended. A segment ends where the next begins: it was synced and trimmed before the next was made.
// So only the last can be torn, and only above the durable mark, which is the highest of: the file
// `mark` (checkpoint.ts), what the batches say (their durable lag), the last segment's first offset.
// An invalid place above the mark is a torn tail and is cut; below it is damage: it is copied to
// `damaged/`, reported, skipped by readers, and never cut.

import { assert } from '#base/assert.ts';
import { fromHex, toHex } from '#base/bytes.ts';
import { ALIGNMENT } from './alignment.ts';
import { getU64, setU64 } from './batch.ts';
import { crc32c } from './crc32c.ts';
import { viewOf } from './packed-records.ts';
import type { SparseIndex } from './sparse-index.ts';

export const SEGMENT_HEADER_BYTES = 512;
const SEGMENT_MAGIC = 0x31534b53;
const SEGMENT_VERSION = 1;
const NAME = /^[0-9]{20}\.log$/;

/** A segment that a topic knows of. The writer moves `endPosition` of the active one. */
export interface Segment {
  readonly path: string;
  readonly firstOffset: number;
  /** Where the last batch's room ends; nothing is read beyond. */
  endPosition: number;
  /** Always there for the active segment; of a sealed one loaded when it is wanted. */
  index: SparseIndex | undefined;
  /** Highest time of its batches, once known. */
  timeMsMax: number | undefined;
  /** Of the one that is being written: where what is on disk ends. Before the first sync all is. */
  durableEnd?: number;
  /** Another file is taking this one's name: neither its end nor its index fits what stands there. */
  isStale?: boolean;
}

export interface SegmentHeader {
  readonly logId: string;
  readonly epoch: number;
  readonly firstOffset: number;
  readonly createdMs: number;
}

export type SegmentHeaderRead =
  | { readonly kind: 'good'; readonly header: SegmentHeader }
  | { readonly kind: 'newer'; readonly version: number }
  | { readonly kind: 'bad' };

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
  const view = viewOf(bytes);
  const id = fromHex(header.logId);
  assert(id?.byteLength === 16, 'a log id is 32 hex digits');
  view.setUint32(0, SEGMENT_MAGIC, true);
  view.setUint16(8, SEGMENT_VERSION, true);
  view.setUint32(12, ALIGNMENT, true);
  bytes.set(id, 16);
  view.setUint32(32, header.epoch, true);
  setU64(view, 40, header.firstOffset);
  setU64(view, 48, header.createdMs);
  view.setUint32(4, crc32c(bytes, 8), true);
  return bytes;
}

export function decodeSegmentHeader(bytes: Uint8Array): SegmentHeaderRead {
  if (bytes.byteLength < SEGMENT_HEADER_BYTES) return { kind: 'bad' };
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== SEGMENT_MAGIC) return { kind: 'bad' };
  if (view.getUint32(4, true) !== crc32c(bytes, 8, SEGMENT_HEADER_BYTES)) return { kind: 'bad' };
  const version = view.getUint16(8, true);
  if (version > SEGMENT_VERSION) return { kind: 'newer', version };
  const firstOffset = getU64(view, 40);
  if (version === 0 || view.getUint32(12, true) !== ALIGNMENT) return { kind: 'bad' };
  if (!Number.isSafeInteger(firstOffset)) return { kind: 'bad' };
  const header = {
    logId: toHex(bytes.subarray(16, 32)),
    epoch: view.getUint32(32, true),
    firstOffset,
    createdMs: getU64(view, 48),
  };
  return { kind: 'good', header };
}

export function segmentName(firstOffset: number): string {
  return `${String(firstOffset).padStart(20, '0')}.log`;
}

/** The first offset that a file's name says, or undefined when it is not a segment's name. */
export function segmentOffset(name: string): number | undefined {
  const offset = NAME.test(name) ? Number(name.slice(0, 20)) : Number.NaN;
  return Number.isSafeInteger(offset) ? offset : undefined;
}
