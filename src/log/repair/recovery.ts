// What a topic does before its first use after any kind of end: finds its segments, reads the last
// one through, decides by the durable mark what is a torn tail (cut, a copy kept) and what is damage
// (kept, copied, reported), and syncs what it found before anyone may read it. The rules stand in
// segment.ts. Sealed segments are not read here: readers, the scrub and `log verify` do that.
//
// Not covered: a disk that fails a sync, a process that ends before its cut, and then a loss of
// power. After the first two the kernel still shows bytes here that it will never write.

import type { Disk, DiskFile } from '#base/disk.ts';
import { messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import { LogError } from '#log/errors.ts';
import type { Appended, ProducerStamp } from '#log/log.ts';
import {
  decodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type Segment,
  segmentName,
  segmentOffset,
} from '#log/segment/segment.ts';
import { type Scanned, SegmentScanner } from '#log/segment/segment-scanner.ts';
import { SparseIndex } from '#log/segment/sparse-index.ts';
import { placeKey } from './damage-reports.ts';
import { endOfUnproven } from './lost-mark.ts';
import { setAside } from './set-aside.ts';

export interface RecoveryWorld {
  readonly disk: Disk;
  readonly folder: string;
  readonly topic: string;
  readonly logger: Logger;
  /** What the file `mark` says; undefined when it is missing or garbled. */
  readonly mark: number | undefined;
  /** `place` is named as by damage-reports.ts, where there is one. */
  onDamage(place?: string): void;
  onTornTail(): void;
  /** A batch of the last segment that carries a producer's stamp; it may be cut after this. */
  onStamped?(stamp: ProducerStamp, appended: Appended): void;
}

export interface Recovered {
  readonly segments: Segment[];
  /** The offset that the next record gets. Everything below is on disk, or was lost and reported. */
  readonly nextOffset: number;
  /** Whether the last segment goes on; else the next append makes a new one. */
  readonly lastIsActive: boolean;
  readonly lastCreatedMs: number;
}

/** @throws LogError LOG_VERSION_UNSUPPORTED, and the disk's errors */
export async function recoverTopic(world: RecoveryWorld): Promise<Recovered> {
  // A new name that was not synced before the last end is made to stay before it is relied on.
  await world.disk.syncFolder(world.folder);
  const segments = await listSegments(world.disk, world.folder);
  let mark = world.mark ?? 0;
  if (world.mark === undefined && segments.length > 0) reportLostMark(world);
  for (;;) {
    const last = segments.at(-1);
    if (last === undefined) {
      if (mark > 0) reportMissing(world, 0, mark);
      return { segments, nextOffset: mark, lastIsActive: false, lastCreatedMs: 0 };
    }
    // The one before was synced to its end before this one was made.
    mark = Math.max(mark, last.firstOffset);
    const recovered = await recoverLast(world, last, mark);
    if (recovered !== undefined) return { segments, ...recovered };
    segments.pop();
    await world.disk.remove(last.path);
    await world.disk.syncFolder(world.folder);
  }
}

/** By their names, in order. Their end is the file's until more is known. */
export async function listSegments(disk: Disk, folder: string): Promise<Segment[]> {
  const segments: Segment[] = [];
  for (const name of await disk.list(folder)) {
    const firstOffset = segmentOffset(name);
    if (firstOffset === undefined) continue;
    const path = `${folder}/${name}`;
    const found = await disk.stat(path);
    if (found === undefined || found.isFolder) continue;
    const endPosition = found.sizeBytes;
    segments.push({ path, firstOffset, endPosition, index: undefined, timeMsMax: undefined });
  }
  return segments;
}

type RecoveredLast = Omit<Recovered, 'segments'>;

/** Undefined when the segment holds nothing and was only just being made: it is to be removed. */
async function recoverLast(
  world: RecoveryWorld,
  segment: Segment,
  markBefore: number,
): Promise<RecoveredLast | undefined> {
  const file = await world.disk.open(segment.path, { write: true });
  try {
    const header = await readHeader(file, segment);
    const found = await scanAll(world, file, segment);
    let mark = markBefore;
    for (const item of found) {
      if (item.kind === 'batch') mark = Math.max(mark, item.durableOffset);
    }
    if (world.mark === undefined) mark = Math.max(mark, await unprovenEnd(file, segment, found));
    const hasBatches = found.some((item) => item.kind === 'batch');
    if (!hasBatches && header === undefined && mark <= segment.firstOffset) return undefined;
    if (header === undefined) {
      world.onDamage(placeKey(segment.firstOffset, 0));
      world.logger.error('The header of a segment is damaged; its batches are read all the same', {
        topic: world.topic,
        segment: segmentName(segment.firstOffset),
      });
    }
    const kept = await keep(world, { file, segment, found, mark });
    await file.datasync();
    segment.index = kept.index;
    segment.endPosition = kept.index.endPosition;
    const { nextOffset } = kept.index;
    if (nextOffset < mark) reportMissing(world, nextOffset, mark);
    return {
      nextOffset: Math.max(nextOffset, mark),
      lastIsActive: nextOffset >= mark,
      lastCreatedMs: header?.createdMs ?? 0,
    };
  } finally {
    await file.close();
  }
}

async function readHeader(
  file: DiskFile,
  segment: Segment,
): Promise<{ readonly createdMs: number } | undefined> {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
  const count = await file.read(bytes, 0);
  const read = decodeSegmentHeader(bytes.subarray(0, count));
  if (read.kind === 'newer') {
    throw new LogError(
      'LOG_VERSION_UNSUPPORTED',
      `Cannot open segment "${segment.path}": format version ${read.version}, expected 1`,
    );
  }
  if (read.kind === 'bad' || read.header.firstOffset !== segment.firstOffset) return undefined;
  return read.header;
}

interface FoundBatch {
  readonly kind: 'batch';
  readonly position: number;
  readonly endPosition: number;
  readonly firstOffset: number;
  readonly nextOffset: number;
  readonly timeMs: number;
  readonly durableOffset: number;
}

type Found = FoundBatch | Extract<Scanned, { kind: 'bad' }>;

async function scanAll(world: RecoveryWorld, file: DiskFile, segment: Segment): Promise<Found[]> {
  const scanner = new SegmentScanner({
    file,
    position: SEGMENT_HEADER_BYTES,
    end: segment.endPosition,
    offset: segment.firstOffset,
  });
  const found: Found[] = [];
  for (;;) {
    const item = await scanner.next();
    if (item === undefined) return found;
    if (item.kind === 'bad') {
      found.push(item);
      continue;
    }
    const { firstOffset, span, timeMs, durableOffset } = item.header;
    const { producerId: id, producerSequence: sequence, records: count } = item.header;
    if (id !== 0) world.onStamped?.({ id, sequence }, { firstOffset, count });
    found.push({
      kind: 'batch',
      position: item.position,
      endPosition: scanner.position,
      firstOffset,
      nextOffset: firstOffset + span,
      timeMs,
      durableOffset,
    });
  }
}

interface Tail {
  readonly file: DiskFile;
  readonly segment: Segment;
  readonly found: readonly Found[];
  readonly mark: number;
}

/** Walks what was found, sets aside what is bad, cuts the tail, and indexes what stays. */
async function keep(world: RecoveryWorld, tail: Tail): Promise<{ readonly index: SparseIndex }> {
  const { file, segment, found, mark } = tail;
  const index = new SparseIndex(segment.firstOffset, SEGMENT_HEADER_BYTES);
  for (let nth = 0; nth < found.length; nth++) {
    const item = found[nth]!;
    if (item.kind === 'batch') {
      // Offsets may be missing before a batch only where damage was, below the mark.
      if (item.firstOffset === index.nextOffset || item.firstOffset <= mark) {
        index.add(item);
        continue;
      }
    } else if (index.nextOffset < mark) {
      if (!(item.isZeros && nth === found.length - 1)) await reportDamage(world, tail, item);
      continue;
    }
    await cut(world, tail, item.position);
    return { index };
  }
  if (segment.endPosition !== index.endPosition && index.nextOffset >= mark) {
    await file.truncate(index.endPosition);
  }
  return { index };
}

async function cut(world: RecoveryWorld, tail: Tail, position: number): Promise<void> {
  const { file, segment, found } = tail;
  const isEmpty = found.every(
    (item) => item.position < position || (item.kind === 'bad' && item.isZeros),
  );
  if (!isEmpty) {
    const range = { file, segment: segment.firstOffset, position, end: segment.endPosition };
    const copy = await setAside(world, 'torn', range);
    world.onTornTail();
    world.logger.warn('A torn tail was cut; nothing in it had been acknowledged as on disk', {
      topic: world.topic,
      segment: segmentName(segment.firstOffset),
      position,
      bytes: segment.endPosition - position,
      copy,
    });
  }
  await file.truncate(position);
}

async function reportDamage(
  world: RecoveryWorld,
  tail: Tail,
  range: { readonly position: number; readonly end: number },
): Promise<void> {
  const { file, segment } = tail;
  world.onDamage(placeKey(segment.firstOffset, range.position));
  const at = { segment: segmentName(segment.firstOffset), position: range.position };
  let copy = '';
  try {
    copy = await setAside(world, 'damage', { file, segment: segment.firstOffset, ...range });
  } catch (error) {
    world.logger.warn('Cannot keep a copy of a damaged range', { ...at, error: messageOf(error) });
  }
  world.logger.error('A segment is damaged below its durable mark; readers are given a gap', {
    topic: world.topic,
    ...at,
    bytes: range.end - range.position,
    copy,
  });
}

/** Everything that stands in the segment, the damaged end as well. */
async function unprovenEnd(
  file: DiskFile,
  segment: Segment,
  found: readonly Found[],
): Promise<number> {
  let offset = segment.firstOffset;
  for (const item of found) if (item.kind === 'batch') offset = item.nextOffset;
  const last = found.at(-1);
  if (last?.kind !== 'bad' || last.isZeros) return offset;
  return endOfUnproven(file, { position: last.position, offset });
}

function reportLostMark(world: RecoveryWorld): void {
  world.onDamage();
  world.logger.error(
    'The durable mark of a topic is missing or garbled; nothing at its end is cut as torn',
    { topic: world.topic },
  );
}

function reportMissing(world: RecoveryWorld, first: number, next: number): void {
  world.onDamage();
  world.logger.error('Records that were on disk are missing; readers are given a gap', {
    topic: world.topic,
    first,
    next,
  });
}
