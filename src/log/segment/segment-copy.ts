// Writes a sealed segment anew without some of its records, or with others in their place, and gives
// the new file the old one's name:
//
//   <first offset>.log.rewrite   written, synced, read back, then renamed over <first offset>.log
//
// What a crash leaves of it is no segment by its name; the next rewriting of the topic removes it. Until
// the rename the old file stands as it was, and a crash leaves the one or the other, whole. Batches keep
// their offsets and times. One that lost all its records lends its span to the batch before it, so that
// no offset is missing. Damage is copied as it stands, and stays damage.

import type { Disk, DiskFile } from '#base/disk.ts';
import { LogError } from '#log/errors.ts';
import { aligned } from './alignment.ts';
import {
  BATCH_HEADER_BYTES,
  type BatchHeader,
  readBatchHeader,
  resealBatch,
  sealBatch,
  setSpan,
} from './batch.ts';
import { SEGMENT_HEADER_BYTES, type Segment } from './segment.ts';
import { type ScannedBatch, SegmentScanner } from './segment-scanner.ts';
import { SparseIndex } from './sparse-index.ts';

const BUFFER_BYTES = 1024 * 1024;
export const COPY_ENDING = '.rewrite';
const SPAN_MAX = 0xffff_ffff;

/** The batch as it is; nothing of it; or what is to stand in its place, with its offsets and span. */
export type Edit = 'same' | 'none' | Uint8Array;

export interface CopyOptions {
  readonly disk: Disk;
  readonly segment: Segment;
  /** `bytes` is a view for the moment. Undefined ends the copying: nothing changes. */
  edit(bytes: Uint8Array, header: BatchHeader): Edit | undefined;
  readonly signal: AbortSignal | undefined;
}

interface HeldBatch {
  readonly bytes: Uint8Array;
  header: BatchHeader;
  isChanged: boolean;
}

export class SegmentCopy {
  readonly path: string;
  readonly #disk: Disk;
  readonly #source: DiskFile;
  readonly #segment: Segment;
  readonly #index: SparseIndex;
  #file: DiskFile | undefined;
  /** Where the next batch will stand. */
  #at = SEGMENT_HEADER_BYTES;
  #buffer = new Uint8Array(0);
  #buffered = 0;
  #held: HeldBatch | undefined;
  #batches = 0;
  #bad = 0;
  #isInPlace = false;

  private constructor(disk: Disk, source: DiskFile, segment: Segment) {
    this.#disk = disk;
    this.#source = source;
    this.#segment = segment;
    this.path = `${segment.path}${COPY_ENDING}`;
    this.#index = new SparseIndex(segment.firstOffset, SEGMENT_HEADER_BYTES);
  }

  /** Copies and edits. `discard` must follow. @throws the disk's error, the signal's reason */
  static async of(options: CopyOptions): Promise<SegmentCopy> {
    const { disk, segment } = options;
    const source = await disk.open(segment.path, { write: false });
    const copy = new SegmentCopy(disk, source, segment);
    try {
      await copy.#run(options);
      return copy;
    } catch (error) {
      await copy.discard();
      throw error;
    }
  }

  get isChanged(): boolean {
    return this.#file !== undefined;
  }

  /** Syncs it and reads it through. @throws LogError LOG_REWRITE_FAILED, the disk's error */
  async prove(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    await file.datasync();
    const end = this.#at;
    const { firstOffset } = this.#segment;
    const scanner = new SegmentScanner({
      file,
      position: SEGMENT_HEADER_BYTES,
      end,
      offset: firstOffset,
    });
    let batches = 0;
    let bad = 0;
    for (let item = await scanner.next(); item !== undefined; item = await scanner.next()) {
      if (item.kind === 'batch') batches++;
      else bad++;
    }
    const isGood =
      (await file.sizeBytes()) === end &&
      scanner.offset === this.#index.nextOffset &&
      batches === this.#batches &&
      bad === this.#bad;
    if (isGood) return;
    throw new LogError(
      'LOG_REWRITE_FAILED',
      `Cannot rewrite "${this.#segment.path}": what was written does not read back`,
    );
  }

  /** Renames it. @throws the disk's error: the old file stands */
  async takePlace(): Promise<Segment> {
    await this.#disk.rename(this.path, this.#segment.path);
    this.#isInPlace = true;
    const { path, firstOffset } = this.#segment;
    const endPosition = this.#at;
    this.#index.endPosition = endPosition;
    const { timeMsMax } = this.#index;
    return { path, firstOffset, endPosition, index: this.#index, timeMsMax };
  }

  /** Closes; removes the new file unless it took its place. @throws the disk's error */
  async discard(): Promise<void> {
    await this.#source.close();
    if (this.#file === undefined) return;
    await this.#file.close();
    if (!this.#isInPlace) await this.#disk.remove(this.path);
  }

  async #run({ edit, signal }: CopyOptions): Promise<void> {
    const { endPosition, firstOffset } = this.#segment;
    const position = SEGMENT_HEADER_BYTES;
    const offset = firstOffset;
    const file = this.#source;
    const scanner = new SegmentScanner({ file, position, end: endPosition, offset });
    for (;;) {
      signal?.throwIfAborted();
      const item = await scanner.next();
      if (item === undefined) break;
      if (item.kind === 'bad') {
        await this.#flush();
        const isEnd = item.isZeros && item.end >= endPosition;
        if (!isEnd) await this.#copyBad(item.position, item.end);
        continue;
      }
      const edited = item.header.isGap ? 'same' : edit(item.bytes, item.header);
      if (edited === undefined) {
        this.#held = undefined;
        break;
      }
      await this.#put(item, edited);
    }
    await this.#flush();
    if (this.#file !== undefined) await this.#write();
  }

  async #put(item: ScannedBatch, edited: Edit): Promise<void> {
    const held = this.#held;
    const { header } = item;
    const isNext = held !== undefined && held.header.firstOffset + held.header.span;
    if (edited === 'none' && held !== undefined && !held.header.isGap) {
      const span = held.header.span + header.span;
      if (isNext === header.firstOffset && span <= SPAN_MAX) {
        held.header = { ...held.header, span };
        setSpan(held.bytes, span);
        held.isChanged = true;
        return;
      }
    }
    await this.#flush();
    const isEmpty = edited === 'none';
    const bytes = isEmpty ? emptied(header) : edited === 'same' ? item.bytes.slice() : edited;
    const now = edited === 'same' ? header : (readBatchHeader(bytes, 0) ?? header);
    // One that was emptied by an earlier copy is no change by itself.
    const isChanged = edited !== 'same' && !(isEmpty && header.records === 0);
    this.#held = { bytes, header: now, isChanged };
  }

  /** The batch that was held goes to its place. */
  async #flush(): Promise<void> {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    const { header, bytes } = held;
    if (held.isChanged) resealBatch(bytes, 0, header);
    if (held.isChanged && this.#file === undefined) await this.#begin();
    const position = this.#at;
    await this.#add(bytes);
    const { firstOffset, span, timeMs } = header;
    const nextOffset = firstOffset + span;
    this.#index.add({ firstOffset, nextOffset, position, endPosition: this.#at, timeMs });
    this.#batches++;
  }

  async #copyBad(position: number, end: number): Promise<void> {
    this.#bad++;
    if (this.#file === undefined) {
      this.#at = end;
      return;
    }
    for (let at = position; at < end; ) {
      const piece = new Uint8Array(Math.min(BUFFER_BYTES, end - at));
      const count = await this.#source.read(piece, at);
      if (count === 0) return;
      await this.#add(piece.subarray(0, count));
      at += count;
    }
  }

  /** Everything so far is as in the old file. */
  async #begin(): Promise<void> {
    this.#file = await this.#disk.create(this.path);
    this.#buffer = new Uint8Array(BUFFER_BYTES);
    for (let at = 0; at < this.#at; ) {
      const piece = this.#buffer.subarray(0, Math.min(BUFFER_BYTES, this.#at - at));
      const count = await this.#source.read(piece, at);
      if (count === 0) break;
      await this.#file.write(piece.subarray(0, count), at);
      at += count;
    }
  }

  async #add(bytes: Uint8Array): Promise<void> {
    const end = aligned(this.#at + bytes.byteLength);
    if (this.#file !== undefined) {
      if (this.#buffered + end - this.#at > this.#buffer.byteLength) await this.#write();
      if (end - this.#at > this.#buffer.byteLength) this.#buffer = new Uint8Array(end - this.#at);
      this.#buffer.set(bytes, this.#buffered);
      this.#buffer.fill(0, this.#buffered + bytes.byteLength, this.#buffered + end - this.#at);
      this.#buffered += end - this.#at;
    }
    this.#at = end;
  }

  async #write(): Promise<void> {
    if (this.#buffered === 0) return;
    const bytes = this.#buffer.subarray(0, this.#buffered);
    await this.#file?.write(bytes, this.#at - this.#buffered);
    this.#buffered = 0;
  }
}

/** What crashes left of earlier copies. @throws the disk's error */
export async function removeLeftovers(disk: Disk, folder: string): Promise<void> {
  for (const name of await disk.list(folder)) {
    if (name.endsWith(COPY_ENDING)) await disk.remove(`${folder}/${name}`);
  }
}

/** A batch whose offsets hold nothing any more. */
function emptied(header: BatchHeader): Uint8Array {
  const bytes = new Uint8Array(BATCH_HEADER_BYTES);
  const { firstOffset, span, epoch, timeMs, durableOffset } = header;
  const fields = { firstOffset, span, epoch, timeMs, durableOffset };
  sealBatch(bytes, 0, BATCH_HEADER_BYTES, { ...fields, records: 0 });
  return bytes;
}
