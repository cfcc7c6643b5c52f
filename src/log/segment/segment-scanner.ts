// Walks the batches of a segment file in order, by position, through a window of bounded size.
// Where no valid batch begins it looks at each following multiple of the alignment until one does,
// so that damage costs the records it hit and no others.

import type { DiskFile } from '#base/disk.ts';
import { ALIGNMENT, aligned } from './alignment.ts';
import {
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  type BatchHeader,
  isBatchIntact,
  readBatchHeader,
} from './batch.ts';

export type Scanned = ScannedBatch | BadRange;

export interface ScannedBatch {
  readonly kind: 'batch';
  readonly position: number;
  readonly header: BatchHeader;
  /** The whole batch; a view that the next call overwrites. */
  readonly bytes: Uint8Array;
  /** Only zeros stand between it and the next place for a batch; true when that was not asked. */
  readonly isPadded: boolean;
}

/** No valid batch begins from `position` up to `end`, where one does or the scan ended. */
export interface BadRange {
  readonly kind: 'bad';
  readonly position: number;
  readonly end: number;
  /** Only zeros: room that was never written, or a write that did not happen. */
  readonly isZeros: boolean;
}

export interface ScanOptions {
  readonly file: Pick<DiskFile, 'read'>;
  /** Where to begin: the segment's header end or a place from its index. */
  readonly position: number;
  readonly end: number;
  /** A batch with a lower first offset is not one of ours at this place. */
  readonly offset: number;
  readonly windowBytes?: number;
  /** Looks at the room after each batch as well. */
  readonly padding?: boolean;
}

const WINDOW_BYTES = 256 * 1024;

export class SegmentScanner {
  readonly #file: Pick<DiskFile, 'read'>;
  readonly #end: number;
  readonly #padding: boolean;
  #position: number;
  #offset: number;
  #window: Uint8Array;
  #windowAt = 0;
  #windowFilled = 0;
  /** Somebody keeps a part of the window: it is not written over any more. */
  #isLent = false;
  /** A batch that the search after a bad place has found; given by the next call. */
  #found: ScannedBatch | undefined;

  constructor(options: ScanOptions) {
    this.#file = options.file;
    this.#position = options.position;
    this.#end = options.end;
    this.#offset = options.offset;
    this.#padding = options.padding ?? false;
    const room = Math.max(ALIGNMENT, options.end - options.position);
    this.#window = new Uint8Array(Math.min(options.windowBytes ?? WINDOW_BYTES, room));
  }

  /** Where the next batch is looked for; after the last, the end of the room it takes. */
  get position(): number {
    return this.#position;
  }

  /** The offset that a following batch has. */
  get offset(): number {
    return this.#offset;
  }

  /** The next batch or bad range, or undefined at the end. @throws the disk's error */
  async next(): Promise<Scanned | undefined> {
    if (this.#position >= this.#end) return undefined;
    const batch = this.#found ?? (await this.#batchAt(this.#position));
    this.#found = undefined;
    if (batch === undefined) return this.#skip();
    this.#offset = batch.header.firstOffset + batch.header.span;
    this.#position = aligned(batch.position + batch.header.length);
    return batch;
  }

  /** The batch that `next` gave last, for good; it keeps the window's memory with it. */
  lend(batch: ScannedBatch): Uint8Array {
    this.#isLent = true;
    return batch.bytes;
  }

  async #skip(): Promise<BadRange> {
    const position = this.#position;
    let isZeros = await this.#isZeros(position);
    let at = position + ALIGNMENT;
    while (at < this.#end) {
      if (await this.#isZeros(at)) {
        at += ALIGNMENT;
        continue;
      }
      this.#found = await this.#batchAt(at);
      if (this.#found !== undefined) break;
      isZeros = false;
      at += ALIGNMENT;
    }
    this.#position = Math.min(at, this.#end);
    return { kind: 'bad', position, end: this.#position, isZeros };
  }

  async #batchAt(position: number): Promise<ScannedBatch | undefined> {
    if (!(await this.#load(position, BATCH_HEADER_BYTES))) return undefined;
    const header = readBatchHeader(this.#window, position - this.#windowAt);
    if (header === undefined || header.firstOffset < this.#offset) return undefined;
    if (position + header.length > this.#end) return undefined;
    const room = this.#padding ? Math.min(aligned(header.length), this.#end - position) : 0;
    const wanted = Math.max(header.length, room);
    if (!(await this.#load(position, wanted))) return undefined;
    const start = position - this.#windowAt;
    if (!isBatchIntact(this.#window, start, header)) return undefined;
    const bytes = this.#window.subarray(start, start + header.length);
    const rest = this.#window.subarray(start + header.length, start + wanted);
    const isPadded = rest.every((byte) => byte === 0);
    return { kind: 'batch', position, header, bytes, isPadded };
  }

  async #isZeros(position: number): Promise<boolean> {
    const length = Math.min(ALIGNMENT, this.#end - position);
    await this.#load(position, length);
    const start = position - this.#windowAt;
    const window = this.#window;
    // What lies past the end of the file counts as zeros.
    const end = Math.min(start + length, this.#windowFilled);
    // Nearly every sector that is looked at here is either a batch's first or all zeros.
    if (start < end && window[start] === (BATCH_MAGIC & 0xff)) return false;
    for (let at = start; at < end; at++) if (window[at] !== 0) return false;
    return true;
  }

  /** Makes `length` bytes from `position` on readable in the window; false past the file's end. */
  async #load(position: number, length: number): Promise<boolean> {
    const start = position - this.#windowAt;
    if (start >= 0 && start + length <= this.#windowFilled) return true;
    if (length > this.#window.byteLength || this.#isLent) {
      this.#window = new Uint8Array(Math.max(length, this.#window.byteLength));
      this.#isLent = false;
    }
    const room = Math.min(this.#window.byteLength, this.#end - position);
    this.#windowAt = position;
    this.#windowFilled = 0;
    this.#windowFilled = await this.#file.read(this.#window.subarray(0, room), position);
    return length <= this.#windowFilled;
  }
}
