// Changes records of one sealed segment. The new file is a copy of the old one but for the batches
// that changed, which stand at the same places with new sums:
//
//   <first offset>.log.rewrite   written, synced, read back, then renamed over <first offset>.log
//
// What a crash leaves of it is no segment by its name; the next rewriting of the topic removes it.

import type { Disk, DiskFile } from '#base/disk.ts';
import { CODEC_NONE, isBatchIntact, readBatchHeader, readRecords, resealBatch } from './batch.ts';
import { LogError } from './errors.ts';
import type { ReadRecord } from './log.ts';
import { SEGMENT_HEADER_BYTES, type Segment } from './segment.ts';
import { SegmentScanner } from './segment-scanner.ts';

const COPY_BYTES = 1024 * 1024;
const ENDING = '.rewrite';

export interface SegmentRewrite {
  readonly disk: Disk;
  /** The topic's. */
  readonly folder: string;
  readonly segment: Segment;
  readonly change: (value: Uint8Array) => boolean;
  /** A segment whose first batch is newer is not looked at. */
  readonly oldestMsMax: number;
  readonly signal: AbortSignal | undefined;
  /** Right before the new file takes the old one's place; false leaves the old one. */
  isWanted(): boolean;
}

export interface SegmentRewritten {
  readonly records: number;
  readonly changed: number;
}

/** What a crash left of earlier rewritings. @throws the disk's error */
export async function removeLeftovers(disk: Disk, folder: string): Promise<void> {
  for (const name of await disk.list(folder)) {
    if (name.endsWith(ENDING)) await disk.remove(`${folder}/${name}`);
  }
}

/** @throws LogError LOG_REWRITE_FAILED, the disk's error, the signal's reason; the old file stands */
export async function rewriteSegment(rewrite: SegmentRewrite): Promise<SegmentRewritten> {
  const { disk, segment } = rewrite;
  const source = await disk.open(segment.path, { write: false });
  const copy = new Copy(disk, source, `${segment.path}${ENDING}`);
  try {
    const counts = await changeInto(copy, source, rewrite);
    if (copy.changes.size > 0) await takePlace(copy, rewrite);
    return counts;
  } finally {
    await source.close();
    await copy.discard();
  }
}

async function changeInto(
  copy: Copy,
  source: DiskFile,
  { segment, change, oldestMsMax, signal }: SegmentRewrite,
): Promise<SegmentRewritten> {
  const scanner = scan(source, segment);
  let records = 0;
  let changed = 0;
  let isFirst = true;
  for (;;) {
    signal?.throwIfAborted();
    const item = await scanner.next();
    if (item === undefined) break;
    if (item.kind === 'bad' || item.header.isGap) continue;
    const { header, position } = item;
    if (isFirst && header.timeMs > oldestMsMax) break;
    isFirst = false;
    records += header.records;
    if (header.codec !== CODEC_NONE) continue;
    const bytes = item.bytes.slice();
    const all: ReadRecord[] = [];
    const limits = { from: header.firstOffset, recordsMax: header.records };
    if (!readRecords(bytes, header, limits, all)) continue;
    let here = 0;
    for (const { value } of all) if (change(value)) here++;
    if (here === 0) continue;
    resealBatch(bytes, 0, header);
    await copy.put(bytes, position);
    changed += here;
  }
  return { records, changed };
}

async function takePlace(copy: Copy, rewrite: SegmentRewrite): Promise<void> {
  const { disk, folder, segment, isWanted } = rewrite;
  await copy.finish(segment);
  if (!isWanted()) return;
  await disk.rename(copy.path, segment.path);
  copy.isInPlace = true;
  await disk.syncFolder(folder);
}

function scan(file: DiskFile, segment: Segment): SegmentScanner {
  return new SegmentScanner({
    file,
    position: SEGMENT_HEADER_BYTES,
    end: segment.endPosition,
    offset: segment.firstOffset,
  });
}

/** The new file: made at the first change, filled from the old one up to each change. */
class Copy {
  readonly path: string;
  isInPlace = false;
  /** Positions of changed batches. */
  readonly changes = new Set<number>();
  readonly #disk: Disk;
  readonly #source: DiskFile;
  #file: DiskFile | undefined;
  #filled = 0;
  #buffer = new Uint8Array(0);

  constructor(disk: Disk, source: DiskFile, path: string) {
    this.#disk = disk;
    this.#source = source;
    this.path = path;
  }

  async put(bytes: Uint8Array, position: number): Promise<void> {
    const file = await this.#make();
    await this.#fillTo(position);
    await file.write(bytes, position);
    this.#filled = position + bytes.byteLength;
    this.changes.add(position);
  }

  /** Copies the rest, syncs, and reads every changed batch back. */
  async finish(segment: Segment): Promise<void> {
    const file = await this.#make();
    const sizeBytes = await this.#source.sizeBytes();
    await this.#fillTo(sizeBytes);
    await file.datasync();
    const isWhole = (await file.sizeBytes()) === sizeBytes;
    if (!isWhole || !(await this.#isGood(file))) {
      throw new LogError(
        'LOG_REWRITE_FAILED',
        `Cannot rewrite "${segment.path}": what was written does not read back`,
      );
    }
  }

  /** Unless it took the old one's place. */
  async discard(): Promise<void> {
    if (this.#file === undefined) return;
    await this.#file.close();
    this.#file = undefined;
    if (!this.isInPlace) await this.#disk.remove(this.path);
  }

  async #make(): Promise<DiskFile> {
    this.#file ??= await this.#disk.create(this.path);
    return this.#file;
  }

  async #fillTo(end: number): Promise<void> {
    if (this.#buffer.byteLength === 0) this.#buffer = new Uint8Array(COPY_BYTES);
    while (this.#filled < end) {
      const room = this.#buffer.subarray(0, Math.min(COPY_BYTES, end - this.#filled));
      const count = await this.#source.read(room, this.#filled);
      if (count === 0) return;
      await this.#file?.write(room.subarray(0, count), this.#filled);
      this.#filled += count;
    }
  }

  async #isGood(file: DiskFile): Promise<boolean> {
    for (const position of this.changes) {
      const head = new Uint8Array(64);
      await file.read(head, position);
      const header = readBatchHeader(head, 0);
      if (header === undefined) return false;
      const bytes = new Uint8Array(header.length);
      const count = await file.read(bytes, position);
      if (count < header.length || !isBatchIntact(bytes, 0, header)) return false;
    }
    return true;
  }
}
