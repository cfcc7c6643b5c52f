// A batch, version 1: records that were appended together. It is the unit on disk and on the wire,
// byte for byte. This file owns the format. Integers are little endian; u64 values are below 2^53.
//
//    0  magic              u32  "SKB1"
//    4  checksum           u32  CRC32C of bytes 8 to length
//    8  length             u32  header and body as stored, 64 to 67,108,864
//   12  version            u8   1
//   13  codec              u8   0 none, 1 zstd, 2 gzip: how the body is stored
//   14  flags              u16  1: a gap, see below; other bits are zero
//   16  first offset       u64
//   24  records            u32  how many the body holds; 0 where compaction left none of them
//   28  span               u32  offsets that belong to the batch, at least `records`: compaction
//                               leaves holes, and the next batch begins at first offset + span
//   32  raw length         u32  bytes of the body when it is not compressed
//   36  epoch              u32  the log's, at the time of writing
//   40  time               u64  Unix milliseconds at which the batch was closed
//   48  producer id        u64  0: none. With one, the batch is exactly one append
//   56  producer sequence  u32  of that append, ascending within the producer
//   60  durable lag        u32  first offset minus the durable mark when the batch was written: what
//                               lies below was on disk by then, so recovery never cuts it
//   64  body               records as packed-records.ts lays them out
//
// A batch is valid if and only if magic, version and flags are known, the lengths and counts fit
// each other, and the checksum matches. A gap holds no records: its span names offsets that were
// lost, its body is the reason in UTF-8, filled with zeros up to the place of what it replaces.

import { assert } from '#base/assert.ts';
import type { ReadRecord } from '#log/log.ts';
import { CODEC_MAX, CODEC_NONE, compressBody, openBody } from './codec.ts';
import { crc32c, crc32cJoined } from './crc32c.ts';
import {
  lengthAt,
  NO_LENGTH,
  packedBytes,
  RECORD_HEADER_BYTES,
  viewOf,
  writeRecord,
} from './packed-records.ts';

export const BATCH_HEADER_BYTES = 64;
/** No batch is longer, whatever the configuration: a bound for lengths read from a file. */
export const BATCH_BYTES_LIMIT = 64 * 1024 * 1024;
export const BATCH_MAGIC = 0x31424b53;
const BATCH_VERSION = 1;
const FLAG_GAP = 1;
const LAG_MAX = 0xffff_ffff;

export interface BatchHeader {
  readonly length: number;
  readonly codec: number;
  readonly isGap: boolean;
  readonly firstOffset: number;
  readonly records: number;
  readonly span: number;
  readonly rawLength: number;
  readonly epoch: number;
  readonly timeMs: number;
  readonly producerId: number;
  readonly producerSequence: number;
  /** The durable mark that the writer knew: everything below was on disk. */
  readonly durableOffset: number;
}

/** What a writer decides; the lengths follow from the body. */
export interface BatchFields {
  readonly firstOffset: number;
  readonly records: number;
  readonly span: number;
  readonly epoch: number;
  readonly timeMs: number;
  readonly durableOffset: number;
  readonly isGap?: boolean;
  readonly producerId?: number;
  readonly producerSequence?: number;
  /** CRC32C of the body, when it is known: then it is not computed again. */
  readonly bodySum?: number | undefined;
  /** Of a body that is stored compressed. */
  readonly codec?: number;
  readonly rawLength?: number;
}

/** Writes the header before a body that already stands at `start` + 64 up to `end`, and sums it. */
export function sealBatch(
  bytes: Uint8Array,
  start: number,
  end: number,
  fields: BatchFields,
): void {
  const length = end - start;
  assert(length >= BATCH_HEADER_BYTES && length <= BATCH_BYTES_LIMIT, 'a batch has a legal length');
  assert(fields.durableOffset <= fields.firstOffset, 'the durable mark is not ahead of the batch');
  const lag = fields.firstOffset - fields.durableOffset;
  assert(lag <= LAG_MAX, 'a segment is synced before 2^32 records');
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, length);
  view.setUint32(0, BATCH_MAGIC, true);
  view.setUint32(8, length, true);
  view.setUint8(12, BATCH_VERSION);
  view.setUint8(13, fields.codec ?? CODEC_NONE);
  view.setUint16(14, fields.isGap === true ? FLAG_GAP : 0, true);
  setU64(view, 16, fields.firstOffset);
  view.setUint32(24, fields.records, true);
  view.setUint32(28, fields.span, true);
  view.setUint32(32, fields.rawLength ?? length - BATCH_HEADER_BYTES, true);
  view.setUint32(36, fields.epoch, true);
  setU64(view, 40, fields.timeMs);
  setU64(view, 48, fields.producerId ?? 0);
  view.setUint32(56, fields.producerSequence ?? 0, true);
  view.setUint32(60, lag, true);
  const body = start + BATCH_HEADER_BYTES;
  const { bodySum } = fields;
  const sum =
    bodySum === undefined
      ? crc32c(bytes, start + 8, end)
      : crc32cJoined(crc32c(bytes, start + 8, body), bodySum, end - body);
  view.setUint32(4, sum, true);
}

/** Sums a batch anew whose records were changed in place; everything else of it stays. */
export function resealBatch(bytes: Uint8Array, at: number, header: BatchHeader): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, BATCH_HEADER_BYTES);
  view.setUint32(4, crc32c(bytes, at + 8, at + header.length), true);
}

/** The header at `at`, or undefined when its own fields are not legal. The sum is not looked at. */
export function readBatchHeader(bytes: Uint8Array, at: number): BatchHeader | undefined {
  if (bytes.byteLength - at < BATCH_HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, BATCH_HEADER_BYTES);
  if (view.getUint32(0, true) !== BATCH_MAGIC || view.getUint8(12) !== BATCH_VERSION) {
    return undefined;
  }
  const flags = view.getUint16(14, true);
  const firstOffset = getU64(view, 16);
  const header: BatchHeader = {
    length: view.getUint32(8, true),
    codec: view.getUint8(13),
    isGap: flags === FLAG_GAP,
    firstOffset,
    records: view.getUint32(24, true),
    span: view.getUint32(28, true),
    rawLength: view.getUint32(32, true),
    epoch: view.getUint32(36, true),
    timeMs: getU64(view, 40),
    producerId: getU64(view, 48),
    producerSequence: view.getUint32(56, true),
    durableOffset: firstOffset - view.getUint32(60, true),
  };
  return flags <= FLAG_GAP && isLegal(header) ? header : undefined;
}

function isLegal(header: BatchHeader): boolean {
  const { length, codec, records, rawLength } = header;
  if (length < BATCH_HEADER_BYTES || length > BATCH_BYTES_LIMIT) return false;
  if (codec > CODEC_MAX || rawLength > BATCH_BYTES_LIMIT) return false;
  if (codec === CODEC_NONE && rawLength !== length - BATCH_HEADER_BYTES) return false;
  if (header.durableOffset < 0) return false;
  for (const value of [header.firstOffset + header.span, header.timeMs, header.producerId]) {
    if (!Number.isSafeInteger(value)) return false;
  }
  if (header.isGap) return records === 0;
  if (records === 0) return header.span > 0 && rawLength === 0 && codec === CODEC_NONE;
  return records > 0 && header.span >= records && records * RECORD_HEADER_BYTES <= rawLength;
}

/** Whether the checksum matches. All `length` bytes of the header must be there. */
export function isBatchIntact(bytes: Uint8Array, at: number, header: BatchHeader): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, BATCH_HEADER_BYTES);
  return crc32c(bytes, at + 8, at + header.length) === view.getUint32(4, true);
}

/** CRC32C of the body of an intact batch, without a look at the body. */
export function bodySumOf(bytes: Uint8Array, at: number, header: BatchHeader): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, BATCH_HEADER_BYTES);
  const head = crc32c(bytes, at + 8, at + BATCH_HEADER_BYTES);
  // Joining takes the head's part out again as it puts it in: both are exclusive ors.
  return crc32cJoined(head, view.getUint32(4, true), header.length - BATCH_HEADER_BYTES);
}

export interface RecordLimits {
  /** Records below it are left out. */
  readonly from: number;
  readonly recordsMax: number;
}

/**
 * Adds the batch's records to `into`; their parts are views into `batch`, which must stay as it is, or
 * into its body as it was opened. False when the body cannot be opened or does not hold what the
 * header says: damage that the checksum did not see.
 */
export function readRecords(
  batch: Uint8Array,
  header: BatchHeader,
  limits: RecordLimits,
  into: ReadRecord[],
): boolean {
  const body = openBody(batch.subarray(BATCH_HEADER_BYTES, header.length), header);
  if (body === undefined) return false;
  const view = viewOf(body);
  const { buffer, byteOffset } = body;
  const { firstOffset, timeMs } = header;
  let at = 0;
  for (let nth = 0, last = -1; nth < header.records; nth++) {
    if (at + RECORD_HEADER_BYTES > body.byteLength) return false;
    const delta = view.getUint32(at, true);
    const keyLength = view.getUint32(at + 4, true);
    const valueLength = view.getUint32(at + 8, true);
    if (delta <= last || delta >= header.span) return false;
    last = delta;
    at += RECORD_HEADER_BYTES;
    const valueAt = at + (keyLength === NO_LENGTH ? 0 : keyLength);
    const end = valueAt + (valueLength === NO_LENGTH ? 0 : valueLength);
    if (end > body.byteLength) return false;
    const offset = firstOffset + delta;
    if (offset >= limits.from) {
      if (into.length >= limits.recordsMax) return true;
      // Views by constructor, and one shape for nearly all: a third of the time of what is shorter.
      const value = new Uint8Array(buffer, byteOffset + valueAt, end - valueAt);
      if (keyLength === NO_LENGTH && valueLength !== NO_LENGTH) {
        into.push({ offset, timeMs, value });
      } else {
        const keyBytes = new Uint8Array(buffer, byteOffset + at, valueAt - at);
        const key = keyLength === NO_LENGTH ? undefined : { key: keyBytes };
        const gone = valueLength === NO_LENGTH ? { tombstone: true as const } : undefined;
        into.push({ offset, timeMs, ...key, value, ...gone });
      }
    }
    at = end;
  }
  return at === body.byteLength;
}

/** A record's value within a body. */
export interface PlacedValue {
  readonly offset: number;
  readonly at: number;
  readonly length: number;
}

/**
 * Shows each record's value in place, without an object for any of them: for who reads millions. The
 * value is `body` from `at` on, lent for the call; a tombstone's is empty. Ends when `visit` says false.
 * As readRecords() it returns false where the body is not what the header says, and then shows nothing.
 */
export function visitValues(
  batch: Uint8Array,
  header: BatchHeader,
  from: number,
  visit: (body: Uint8Array, value: PlacedValue) => boolean,
): boolean {
  const body = openBody(batch.subarray(BATCH_HEADER_BYTES, header.length), header);
  if (body === undefined) return false;
  const view = viewOf(body);
  if (!isBodyWhole(view, header)) return false;
  const value = { offset: 0, at: 0, length: 0 };
  let at = 0;
  for (let nth = 0; nth < header.records; nth++) {
    value.offset = header.firstOffset + view.getUint32(at, true);
    value.at = at + RECORD_HEADER_BYTES + lengthAt(view, at + 4);
    value.length = lengthAt(view, at + 8);
    at = value.at + value.length;
    if (value.offset >= from && !visit(body, value)) return true;
  }
  return true;
}

function isBodyWhole(view: DataView, { records, span }: BatchHeader): boolean {
  let at = 0;
  for (let nth = 0, last = -1; nth < records; nth++) {
    if (at + RECORD_HEADER_BYTES > view.byteLength) return false;
    const delta = view.getUint32(at, true);
    if (delta <= last || delta >= span) return false;
    last = delta;
    at += RECORD_HEADER_BYTES + lengthAt(view, at + 4) + lengthAt(view, at + 8);
    if (at > view.byteLength) return false;
  }
  return at === view.byteLength;
}

/**
 * The batch with these of its records, as they are now, in their place: offsets, span and everything
 * else stay, and so does its codec unless it no longer pays. To be summed by resealBatch.
 */
export function editedBatch(
  batch: Uint8Array,
  header: BatchHeader,
  records: readonly ReadRecord[],
): Uint8Array {
  const raw = new Uint8Array(packedBytes(records));
  const target = { bytes: raw, view: viewOf(raw), at: 0 };
  for (const record of records) writeRecord(target, record, record.offset - header.firstOffset);
  const packed = compressBody(raw, header.codec);
  const body = packed ?? raw;
  const bytes = new Uint8Array(BATCH_HEADER_BYTES + body.byteLength);
  bytes.set(batch.subarray(0, BATCH_HEADER_BYTES));
  bytes.set(body, BATCH_HEADER_BYTES);
  const view = viewOf(bytes);
  view.setUint32(8, bytes.byteLength, true);
  view.setUint8(13, packed === undefined ? CODEC_NONE : header.codec);
  view.setUint32(24, records.length, true);
  view.setUint32(32, raw.byteLength, true);
  return bytes;
}

/** To be summed by resealBatch. */
export function setSpan(batch: Uint8Array, span: number): void {
  viewOf(batch).setUint32(28, span, true);
}

/** The reason that a gap's body gives. */
export function gapReason(batch: Uint8Array, header: BatchHeader): string {
  const body = batch.subarray(BATCH_HEADER_BYTES, header.length);
  const end = body.indexOf(0);
  return new TextDecoder().decode(body.subarray(0, Math.min(end < 0 ? body.byteLength : end, 200)));
}

export function setU64(view: DataView, at: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, 'a stored number is below 2^53');
  view.setUint32(at, value % 0x1_0000_0000, true);
  view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true);
}

/** May exceed 2^53 when the bytes are not ours; the caller checks. */
export function getU64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true);
}
