// Where in a segment an offset is, to within `INDEX_EVERY_BYTES`: one entry for each stretch of at
// least that many bytes. Kept beside a sealed segment as `<first offset>.index`, a cache with a
// checksum: when it is missing or does not fit, it is made again from the segment. Its layout,
// little endian:
//
//    0  magic         u32  "SKI1"
//    4  checksum      u32  CRC32C of everything from byte 8 on
//    8  version       u32  1
//   12  entries       u32
//   16  first offset  u64  the segment's
//   24  next offset   u64  the one after its last record
//   32  end position  u64  the segment file's length
//   40  time          u64  the highest of its batches, Unix milliseconds
//   48  entries       {first offset u64, position u64, highest time in its stretch u64} each

import { getU64, setU64 } from './batch.ts';
import { crc32c } from './crc32c.ts';
import { viewOf } from './packed-records.ts';

export const INDEX_EVERY_BYTES = 64 * 1024;
const MAGIC = 0x31494b53;
const VERSION = 1;
const HEADER_BYTES = 48;
const ENTRY_BYTES = 24;

interface Entry {
  readonly offset: number;
  readonly position: number;
  timeMsMax: number;
}

export class SparseIndex {
  readonly #entries: Entry[] = [];
  nextOffset: number;
  endPosition: number;
  timeMsMax = 0;

  constructor(firstOffset: number, position: number) {
    this.nextOffset = firstOffset;
    this.endPosition = position;
  }

  /** A batch that follows all others. `endPosition` is where the room it takes ends. */
  add(batch: {
    readonly firstOffset: number;
    readonly nextOffset: number;
    readonly position: number;
    readonly endPosition: number;
    readonly timeMs: number;
  }): void {
    const last = this.#entries.at(-1);
    if (last === undefined || batch.position - last.position >= INDEX_EVERY_BYTES) {
      const { firstOffset: offset, position, timeMs: timeMsMax } = batch;
      this.#entries.push({ offset, position, timeMsMax });
    } else if (batch.timeMs > last.timeMsMax) {
      last.timeMsMax = batch.timeMs;
    }
    this.nextOffset = batch.nextOffset;
    this.endPosition = batch.endPosition;
    this.timeMsMax = Math.max(this.timeMsMax, batch.timeMs);
  }

  /** The last known batch that begins at or before `offset`; undefined before the first. */
  find(offset: number): { readonly offset: number; readonly position: number } | undefined {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#entries[middle]!.offset <= offset) low = middle + 1;
      else high = middle;
    }
    return this.#entries[low - 1];
  }

  /** The first stretch with a batch of at least this time. */
  findTime(timeMs: number): { readonly offset: number; readonly position: number } | undefined {
    return this.#entries.find((entry) => entry.timeMsMax >= timeMs);
  }

  encode(firstOffset: number): Uint8Array {
    const bytes = new Uint8Array(HEADER_BYTES + this.#entries.length * ENTRY_BYTES);
    const view = viewOf(bytes);
    view.setUint32(0, MAGIC, true);
    view.setUint32(8, VERSION, true);
    view.setUint32(12, this.#entries.length, true);
    setU64(view, 16, firstOffset);
    setU64(view, 24, this.nextOffset);
    setU64(view, 32, this.endPosition);
    setU64(view, 40, this.timeMsMax);
    let at = HEADER_BYTES;
    for (const entry of this.#entries) {
      setU64(view, at, entry.offset);
      setU64(view, at + 8, entry.position);
      setU64(view, at + 16, entry.timeMsMax);
      at += ENTRY_BYTES;
    }
    view.setUint32(4, crc32c(bytes, 8), true);
    return bytes;
  }

  /** Undefined unless the bytes are whole and belong to a segment of this offset and length. */
  static decode(
    bytes: Uint8Array,
    segment: { readonly firstOffset: number; readonly endPosition: number },
  ): SparseIndex | undefined {
    if (bytes.byteLength < HEADER_BYTES) return undefined;
    const view = viewOf(bytes);
    const count = view.getUint32(12, true);
    if (view.getUint32(0, true) !== MAGIC || view.getUint32(8, true) !== VERSION) return undefined;
    if (bytes.byteLength !== HEADER_BYTES + count * ENTRY_BYTES) return undefined;
    if (view.getUint32(4, true) !== crc32c(bytes, 8)) return undefined;
    if (getU64(view, 16) !== segment.firstOffset) return undefined;
    if (getU64(view, 32) !== segment.endPosition) return undefined;
    const index = new SparseIndex(getU64(view, 24), segment.endPosition);
    index.timeMsMax = getU64(view, 40);
    for (let at = HEADER_BYTES; at < bytes.byteLength; at += ENTRY_BYTES) {
      index.#entries.push({
        offset: getU64(view, at),
        position: getU64(view, at + 8),
        timeMsMax: getU64(view, at + 16),
      });
    }
    return index;
  }
}
