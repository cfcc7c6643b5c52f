// A pack, version 2: one file of a packed store, `<store>/<number, 10 digits>.pack`. This file owns
// the format. Integers are little endian; "checksum" is CRC32 as of zlib, seeded with the CRC32 of the
// store id, which nobody outside knows: bytes that somebody puts cannot pass for a record.
//
//    0  magic       u32  "SKP1"
//    4  checksum    u32  of bytes 8 to 512, not seeded
//    8  version     u16  2; in 1 records have no series
//   10  zeros
//   16  store id    16 bytes, random
//   32  number      u32  as in the file's name
//   36  zeros up to 512
//  512  records, in groups: what was written before one sync. A group begins at a multiple of 512, so a
//       torn write harms only what was not acknowledged; within it records begin at multiples of 8.
//       Zeros between.
//
// A record is a header of 64 bytes, then its body:
//
//    0  magic       u32  "SKB1"
//    4  checksum    u32  of bytes 8 to 64, seeded
//    8  kind        u8   1 a blob, 2 the removal of a blob, 3 a mark
//    9  order       u24  in its series
//   12  length      u32  of the body; 0 unless a blob
//   16  hash        32 bytes, SHA-256 of the blob; zeros in a mark
//   48  position    u48  of this header in the file
//   54  series      u16  low half of the CRC32 of the series' name; all zeros when it has none
//   56  durable     u48  everything of this pack below it was on the medium when this was written
//   62  series      u16  high half
//
// The body needs no checksum: its hash is its name. Packs in order of number, and records in order
// of position, tell what the store holds: the last record of a hash decides. A pack is made under
// the name `.new` and renamed once its header is on the medium; the one before was synced first.
// So only the last pack can be torn, and only above the highest `durable` in it: such a tail is cut.
// What is invalid elsewhere is damage: reported, skipped up to the next valid record, never cut. A
// mark is written when a store ends in order, so that then no bit can rot unseen; and marks fill the sectors
// around a large body up to whole pages of 4 KiB (layout.ts), each a group of its own. A pack whose header is
// damaged is read with the seed that its records prove (lost-seed.ts), and not written to any more.
//
// Series and order say which blobs are read one after the other: compaction lays them side by side. Two
// series of one checksum are only laid into each other.

import { crc32 } from 'node:zlib';
import { assert } from '#base/assert.ts';
import type { DiskFile } from '#base/disk.ts';
import { StoreError } from '#store/errors.ts';
import { BLOB_BYTES_MAX, type Series } from '#store/store.ts';

export const PACK_HEADER_BYTES = 512;
export const RECORD_HEADER_BYTES = 64;
export const GROUP_ALIGNMENT = 512;
export const STORE_ID_AT = 16;
export const STORE_ID_BYTES = 16;
const RECORD_ALIGNMENT = 8;
const PACK_MAGIC = 0x31504b53;
const RECORD_MAGIC = 0x31424b53;
const VERSION = 2;
/** Beyond it they come in the order they came in. */
const ORDER_MAX = 0xff_ffff;
const WINDOW_BYTES = 256 * 1024;

export type RecordKind = 'blob' | 'removal' | 'mark';
const KINDS: readonly (RecordKind | undefined)[] = [undefined, 'blob', 'removal', 'mark'];

export interface PackRecord {
  readonly kind: RecordKind;
  readonly hash: Uint8Array;
  readonly bytes: number;
  readonly position: number;
  readonly durable: number;
  readonly series: SeriesPlace;
}

export interface SeriesPlace {
  /** 0 is none. */
  readonly key: number;
  readonly order: number;
}

export const NO_SERIES: SeriesPlace = { key: 0, order: 0 };

export interface Damage {
  readonly start: number;
  readonly end: number;
}

export interface PackScan {
  /** Where the last valid record ends. */
  readonly end: number;
  readonly durable: number;
  readonly damage: readonly Damage[];
}

export function packName(number: number): string {
  return `${String(number).padStart(10, '0')}.pack`;
}

export function packNumber(name: string): number | undefined {
  return /^[0-9]{10}\.pack$/.test(name) ? Number(name.slice(0, 10)) : undefined;
}

export function alignUp(position: number, alignment: number): number {
  return Math.ceil(position / alignment) * alignment;
}

/** Where the record after one that ends at `end` begins, in the same group. */
export function nextRecord(end: number): number {
  return alignUp(end, RECORD_ALIGNMENT);
}

/** As a pack keeps it. */
export function seriesPlace(series: Series | undefined): SeriesPlace {
  if (series === undefined) return NO_SERIES;
  const { name, order } = series;
  assert(Number.isSafeInteger(order) && order >= 0, 'an order is a whole number from 0 on');
  return { key: crc32(name) || 1, order: Math.min(order, ORDER_MAX) };
}

export function packHeader(storeId: Uint8Array, number: number): Buffer {
  const header = Buffer.alloc(PACK_HEADER_BYTES);
  header.writeUInt32LE(PACK_MAGIC, 0);
  header.writeUInt16LE(VERSION, 8);
  header.set(storeId, STORE_ID_AT);
  header.writeUInt32LE(number, 32);
  header.writeUInt32LE(crc32(header.subarray(8)), 4);
  return header;
}

/** Undefined when the header is damaged. */
export async function readPackHeader(
  file: DiskFile,
  path: string,
): Promise<{ readonly storeId: Uint8Array; readonly isCurrent: boolean } | undefined> {
  const header = Buffer.alloc(PACK_HEADER_BYTES);
  if ((await file.read(header, 0)) < PACK_HEADER_BYTES) return undefined;
  if (header.readUInt32LE(0) !== PACK_MAGIC) return undefined;
  if (header.readUInt32LE(4) !== crc32(header.subarray(8))) return undefined;
  const version = header.readUInt16LE(8);
  if (version < 1 || version > VERSION) {
    throw new StoreError(
      'STORE_VERSION_UNSUPPORTED',
      `Cannot open "${path}": version ${version}, expected 1 to ${VERSION}`,
    );
  }
  const storeId = Uint8Array.from(header.subarray(STORE_ID_AT, STORE_ID_AT + STORE_ID_BYTES));
  return { storeId, isCurrent: version === VERSION };
}

export function writeRecordHeader(into: Buffer, record: PackRecord, seed: number): void {
  into.writeUInt32LE(RECORD_MAGIC, 0);
  into.writeUInt8(KINDS.indexOf(record.kind), 8);
  into.writeUIntLE(record.series.order, 9, 3);
  into.writeUInt32LE(record.bytes, 12);
  into.set(record.hash, 16);
  into.writeUIntLE(record.position, 48, 6);
  into.writeUInt16LE(record.series.key & 0xffff, 54);
  into.writeUIntLE(record.durable, 56, 6);
  into.writeUInt16LE(record.series.key >>> 16, 62);
  into.writeUInt32LE(crc32(into.subarray(8, RECORD_HEADER_BYTES), seed), 4);
}

/** Undefined unless a record begins there that belongs there. */
export function recordIn(header: Buffer, position: number, seed: number): PackRecord | undefined {
  if (header.byteLength < RECORD_HEADER_BYTES) return undefined;
  if (header.readUInt32LE(0) !== RECORD_MAGIC) return undefined;
  if (header.readUInt32LE(4) !== crc32(header.subarray(8, RECORD_HEADER_BYTES), seed)) {
    return undefined;
  }
  const kind = KINDS[header.readUInt8(8)];
  const bytes = header.readUInt32LE(12);
  if (kind === undefined || bytes > BLOB_BYTES_MAX || (kind !== 'blob' && bytes > 0)) {
    return undefined;
  }
  if (header.readUIntLE(48, 6) !== position) return undefined;
  const durable = header.readUIntLE(56, 6);
  const key = header.readUInt16LE(54) + header.readUInt16LE(62) * 0x1_0000;
  const series = key === 0 ? NO_SERIES : { key, order: header.readUIntLE(9, 3) };
  const hash = Uint8Array.from(header.subarray(16, 48));
  return { kind, hash, bytes, position, durable, series };
}

/** Walks the headers of a pack in order, telling each valid record; bodies are not read. */
export async function scanPack(
  file: DiskFile,
  seed: number,
  onRecord: (record: PackRecord) => void,
): Promise<PackScan> {
  const scanner = new Scanner(file, await file.sizeBytes(), seed);
  const damage: Damage[] = [];
  let position = PACK_HEADER_BYTES;
  let end = PACK_HEADER_BYTES;
  let durable = PACK_HEADER_BYTES;
  while (position < scanner.sizeBytes) {
    // Most headers lie in the window: a waited call for each would take most of the time of an open.
    let record = scanner.recordHere(position) ?? (await scanner.recordAt(position));
    if (record === undefined) {
      const group = alignUp(position, GROUP_ALIGNMENT);
      const gapIsZero =
        group > position &&
        (scanner.isZeroHere(position, group) || (await scanner.isZero(position, group)));
      if (gapIsZero) {
        position = group;
        continue;
      }
      record = await scanner.recordAfter(position);
      if (record === undefined) {
        // Zeros to the end are room, anything else is a tail for the caller to judge.
        // It begins here, not at the end of the last body: `durable` counts the zeros behind that.
        if (!(await scanner.isZero(position, scanner.sizeBytes))) {
          damage.push({ start: position, end: scanner.sizeBytes });
        }
        break;
      }
      damage.push({ start: position, end: record.position });
    }
    const bodyEnd = record.position + RECORD_HEADER_BYTES + record.bytes;
    onRecord(record);
    durable = Math.max(durable, record.durable);
    end = bodyEnd;
    position = nextRecord(bodyEnd);
    if (position === bodyEnd || scanner.isZeroHere(bodyEnd, position)) continue;
    if (!(await scanner.isZero(bodyEnd, position))) {
      damage.push({ start: bodyEnd, end: position });
    }
  }
  return { end, durable, damage };
}

class Scanner {
  readonly sizeBytes: number;
  readonly #file: DiskFile;
  readonly #seed: number;
  readonly #window = Buffer.alloc(WINDOW_BYTES);
  #start = 0;
  #length = 0;

  constructor(file: DiskFile, sizeBytes: number, seed: number) {
    this.#file = file;
    this.sizeBytes = sizeBytes;
    this.#seed = seed;
  }

  /** As recordAt, of what the window holds already; undefined is no answer. */
  recordHere(position: number): PackRecord | undefined {
    if (!this.#holds(position, RECORD_HEADER_BYTES)) return undefined;
    const at = position - this.#start;
    const header = this.#window.subarray(at, at + RECORD_HEADER_BYTES);
    const record = recordIn(header, position, this.#seed);
    const isWhole =
      record !== undefined && position + RECORD_HEADER_BYTES + record.bytes <= this.sizeBytes;
    return isWhole ? record : undefined;
  }

  /** As isZero, of what the window holds already; false is no answer. */
  isZeroHere(from: number, to: number): boolean {
    if (!this.#holds(from, to - from)) return false;
    for (let at = from - this.#start; at < to - this.#start; at++) {
      if (this.#window[at] !== 0) return false;
    }
    return true;
  }

  /** A valid record that lies wholly in the file. */
  async recordAt(position: number): Promise<PackRecord | undefined> {
    const header = await this.#bytes(position, RECORD_HEADER_BYTES);
    const record = recordIn(header, position, this.#seed);
    if (record === undefined) return undefined;
    const end = position + RECORD_HEADER_BYTES + record.bytes;
    return end <= this.sizeBytes ? record : undefined;
  }

  async recordAfter(position: number): Promise<PackRecord | undefined> {
    const first = alignUp(position + 1, RECORD_ALIGNMENT);
    for (let at = first; at + RECORD_HEADER_BYTES <= this.sizeBytes; at += RECORD_ALIGNMENT) {
      // The window is looked at without waiting: a waited call per 8 bytes would take minutes.
      if (at < this.#start || at + 4 > this.#start + this.#length) await this.#bytes(at, 4);
      if (this.#window.readUInt32LE(at - this.#start) !== RECORD_MAGIC) continue;
      const record = await this.recordAt(at);
      if (record !== undefined) return record;
    }
    return undefined;
  }

  async isZero(from: number, to: number): Promise<boolean> {
    for (let at = from; at < to && at < this.sizeBytes; ) {
      const part = await this.#bytes(at, Math.min(WINDOW_BYTES, to - at));
      if (part.byteLength === 0) return true;
      if (part.some((byte) => byte !== 0)) return false;
      at += part.byteLength;
    }
    return true;
  }

  #holds(position: number, length: number): boolean {
    return position >= this.#start && position + length <= this.#start + this.#length;
  }

  async #bytes(position: number, length: number): Promise<Buffer> {
    if (!this.#holds(position, length)) {
      this.#length = await this.#file.read(this.#window, position);
      this.#start = position;
    }
    const at = position - this.#start;
    return this.#window.subarray(at, Math.min(at + length, this.#length));
  }
}
