// Records laid out as a batch's body has them (batch.ts), so that they cross a thread or wait for
// their append as one buffer, and are copied once more, into the write. Layout of each record:
//
//    0  offset delta    u32  from the batch's first offset; ascending, with holes after compaction
//    4  key length      u32  0xffffffff: no key
//    8  value length    u32  0xffffffff: no value, the key is gone (tombstone)
//   12  key, value

import { assert } from '#base/assert.ts';
import type { LogRecord } from '#log/log.ts';

export const RECORD_HEADER_BYTES = 12;
export const NO_LENGTH = 0xffff_ffff;

/** `count` records in `bytes`, their offset deltas 0 to count - 1. Read-only once it was made. */
export class PackedRecords {
  readonly count: number;
  readonly bytes: Uint8Array;
  /** CRC32C of `bytes`, from whoever had it first: damage on the way to the disk is found by it. */
  readonly sum: number | undefined;
  #isWellFormed: boolean | undefined;

  /** `bytes` is checked before it is written, by `isWellFormed`. */
  constructor(count: number, bytes: Uint8Array, sum?: number) {
    this.count = count;
    this.bytes = bytes;
    this.sum = sum;
  }

  static of(records: readonly LogRecord[]): PackedRecords {
    const bytes = new Uint8Array(packedBytes(records));
    writeRecords({ bytes, view: viewOf(bytes), at: 0 }, records, 0);
    return PackedRecords.packed(records.length, bytes);
  }

  /** Of bytes that `writeRecords` has laid out: they are not checked again. */
  static packed(count: number, bytes: Uint8Array): PackedRecords {
    const packed = new PackedRecords(count, bytes);
    packed.#isWellFormed = count > 0;
    return packed;
  }

  /** Lengths add up to the whole, there are `count` records and their deltas have no gap. */
  get isWellFormed(): boolean {
    this.#isWellFormed ??= this.#check();
    return this.#isWellFormed;
  }

  #check(): boolean {
    const view = viewOf(this.bytes);
    let at = 0;
    let count = 0;
    while (at < this.bytes.byteLength) {
      if (at + RECORD_HEADER_BYTES > this.bytes.byteLength) return false;
      if (view.getUint32(at, true) !== count) return false;
      at += RECORD_HEADER_BYTES + lengthAt(view, at + 4) + lengthAt(view, at + 8);
      if (at > this.bytes.byteLength) return false;
      count++;
    }
    return count === this.count && count > 0;
  }
}

/** The records of an append, whichever way it has them; views of the packed ones. */
export function unpacked(records: readonly LogRecord[] | PackedRecords): readonly LogRecord[] {
  if (!(records instanceof PackedRecords)) return records;
  const { bytes } = records;
  const view = viewOf(bytes);
  const all: LogRecord[] = [];
  for (let at = 0; at < bytes.byteLength; ) {
    const hasKey = view.getUint32(at + 4, true) !== NO_LENGTH;
    const isGone = view.getUint32(at + 8, true) === NO_LENGTH;
    const keyAt = at + RECORD_HEADER_BYTES;
    const valueAt = keyAt + lengthAt(view, at + 4);
    const end = valueAt + lengthAt(view, at + 8);
    const value = bytes.subarray(valueAt, end);
    const key = hasKey ? { key: bytes.subarray(keyAt, valueAt) } : undefined;
    all.push({ ...key, value, ...(isGone ? { tombstone: true as const } : undefined) });
    at = end;
  }
  return all;
}

/** Collects records one by one into a buffer that grows to `bytesMax` and is used again. */
export class RecordPacker {
  readonly #bytesMax: number;
  #bytes: Uint8Array;
  #view: DataView;
  #used = 0;
  #count = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#bytes = new Uint8Array(Math.min(bytesMax, 4096));
    this.#view = viewOf(this.#bytes);
  }

  get count(): number {
    return this.#count;
  }

  get byteLength(): number {
    return this.#used;
  }

  /** Copies the record; false, and nothing changed, when it does not fit any more. */
  add(record: LogRecord): boolean {
    const size = recordBytes(record);
    if (this.#used + size > this.#bytesMax) return false;
    this.#grow(this.#used + size);
    const target = { bytes: this.#bytes, view: this.#view, at: this.#used };
    writeRecord(target, record, this.#count);
    this.#used = target.at;
    this.#count++;
    return true;
  }

  /** A copy of what was collected; the packer is empty after it. */
  take(): PackedRecords {
    const packed = PackedRecords.packed(this.#count, this.#bytes.slice(0, this.#used));
    this.#used = 0;
    this.#count = 0;
    return packed;
  }

  #grow(size: number): void {
    if (size <= this.#bytes.byteLength) return;
    const bytes = new Uint8Array(Math.min(this.#bytesMax, Math.max(size, this.#used * 2)));
    bytes.set(this.#bytes.subarray(0, this.#used));
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }
}

/** Where the next byte goes. `at` moves as records are written. */
export interface WriteTarget {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  at: number;
}

export function recordBytes(record: LogRecord): number {
  return RECORD_HEADER_BYTES + (record.key?.byteLength ?? 0) + record.value.byteLength;
}

export function packedBytes(records: readonly LogRecord[]): number {
  let size = 0;
  for (const record of records) size += recordBytes(record);
  return size;
}

export function writeRecords(
  target: WriteTarget,
  records: readonly LogRecord[],
  firstDelta: number,
): void {
  for (let nth = 0; nth < records.length; nth++)
    writeRecord(target, records[nth]!, firstDelta + nth);
}

export function writeRecord(target: WriteTarget, record: LogRecord, delta: number): void {
  const { bytes, view } = target;
  const { key, value } = record;
  assert(record.tombstone !== true || value.byteLength === 0, 'a tombstone has no value');
  let at = target.at;
  view.setUint32(at, delta, true);
  view.setUint32(at + 4, key === undefined ? NO_LENGTH : key.byteLength, true);
  view.setUint32(at + 8, record.tombstone === true ? NO_LENGTH : value.byteLength, true);
  at += RECORD_HEADER_BYTES;
  if (key !== undefined) {
    bytes.set(key, at);
    at += key.byteLength;
  }
  bytes.set(value, at);
  target.at = at + value.byteLength;
}

/** Copies well-formed packed records and moves their deltas up by `firstDelta`. */
export function writePacked(target: WriteTarget, packed: PackedRecords, firstDelta: number): void {
  const { view } = target;
  target.bytes.set(packed.bytes, target.at);
  const end = target.at + packed.bytes.byteLength;
  if (firstDelta > 0) {
    let at = target.at;
    for (let nth = 0; nth < packed.count; nth++) {
      view.setUint32(at, firstDelta + nth, true);
      at += RECORD_HEADER_BYTES + lengthAt(view, at + 4) + lengthAt(view, at + 8);
    }
  }
  target.at = end;
}

/** A stored length: the sentinel for "none" takes no bytes. */
export function lengthAt(view: DataView, at: number): number {
  const length = view.getUint32(at, true);
  return length === NO_LENGTH ? 0 : length;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
