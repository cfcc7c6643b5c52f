// Reads one topic: finds the segment, then by its index a place before the offset, then walks the
// batches. Reads run side by side with each other and with the writer, and never look at bytes at
// or beyond the visible offset. Bytes are copied twice: from the file into a window, and each batch
// that is answered into memory of its own, which its records share and the caller owns.

import { utf8 } from '#base/bytes.ts';
import type { DiskFile } from '#base/disk.ts';
import { codeOf } from '#base/errors.ts';
import type { BatchRead } from '#log/batch-log.ts';
import { LogError } from '#log/errors.ts';
import type { LogGap, ReadFrom, ReadOptions, ReadRecord, ReadResult } from '#log/log.ts';
import { MISSING } from '#log/read-values.ts';
import type { DamageReports } from '#log/repair/damage-reports.ts';
import { BATCH_HEADER_BYTES, gapReason, readRecords, sealBatch } from '#log/segment/batch.ts';
import { SEGMENT_HEADER_BYTES, type Segment } from '#log/segment/segment.ts';
import { type BadRange, type ScannedBatch, SegmentScanner } from '#log/segment/segment-scanner.ts';
import type { TopicState } from './topic-state.ts';
import type { TopicWorld } from './topic-world.ts';

const WINDOW_BYTES_MIN = 4096;
const WINDOW_BYTES = 256 * 1024;
/**
 * For who reads on and on: each trip to the disk costs as much as many records. A read of `readBytesMax`
 * ends with the batch that passes it: with room for that one it takes one trip, not two.
 */
const WINDOW_BYTES_MAX = 1280 * 1024;
const RECORDS_MANY = 4096;
/** Smaller ones are copied, so that a record that is kept does not keep a whole window with it. */
const LENT_BYTES_MIN = 32 * 1024;

/** A read being collected. */
interface Collected {
  readonly records: ReadRecord[];
  readonly gaps: LogGap[];
  /** Given, whole batches are collected here as they stand, in place of records and gaps. */
  readonly batches?: Uint8Array[];
  readonly recordsMax: number;
  readonly bytesMax: number;
  bytes: number;
  /** Records of `batches`. */
  count: number;
  /** Everything below is in `records`, in `gaps`, or belongs to neither. */
  offset: number;
  isFull: boolean;
}

export class TopicReader {
  readonly #world: TopicWorld;
  readonly #state: TopicState;
  readonly #damage: DamageReports;

  constructor(world: TopicWorld, state: TopicState, damage: DamageReports) {
    this.#world = world;
    this.#damage = damage;
    this.#state = state;
  }

  async read(options: ReadOptions): Promise<ReadResult> {
    const { records, gaps, offset } = await this.#read(options, undefined);
    this.#world.metrics.recordsRead.add(records.length);
    return { records, gaps, nextOffset: offset };
  }

  async readBatches(options: ReadOptions): Promise<BatchRead> {
    const batches: Uint8Array[] = [];
    const { count, bytes, offset } = await this.#read(options, batches);
    this.#world.metrics.recordsRead.add(count);
    return { batches, records: count, bytes, nextOffset: offset };
  }

  async #read(options: ReadOptions, batches: Uint8Array[] | undefined): Promise<Collected> {
    const { config, clock } = this.#world;
    const state = this.#state;
    const { waitMs = 0, signal } = options;
    let offset = await this.#resolve(options.from);
    const deadlineMs = clock.monotonicMs() + waitMs;
    for (;;) {
      signal?.throwIfAborted();
      // Who asked for no offset is not told that one was removed meanwhile.
      while (isPlace(options.from) && offset < state.firstOffset) {
        offset = await this.#resolve(options.from);
      }
      this.#check(offset);
      const into: Collected = {
        records: [],
        gaps: [],
        ...(batches === undefined ? undefined : { batches }),
        recordsMax: clamp(options.recordsMax, config.readRecordsMax),
        bytesMax: clamp(options.bytesMax, config.readBytesMax),
        bytes: 0,
        count: 0,
        offset,
        isFull: false,
      };
      if (offset < state.visibleOffset) {
        await this.#collect(into);
        offset = into.offset;
        // Batches of which compaction left nothing from here on are passed over.
        const isAny = into.batches !== undefined ? into.bytes > 0 : into.records.length > 0;
        if (isAny || into.gaps.length > 0) return into;
        continue;
      }
      const leftMs = deadlineMs - clock.monotonicMs();
      if (leftMs <= 0) return into;
      const wait = { clock, waitMs: leftMs, ...(signal === undefined ? undefined : { signal }) };
      await state.waitBeyond(offset, wait);
    }
  }

  async #resolve(from: ReadFrom): Promise<number> {
    const state = this.#state;
    if (typeof from === 'number') return from;
    if (from === 'beginning') return state.firstOffset;
    if (from === 'end') return state.visibleOffset;
    const visible = state.visibleOffset;
    for (let after = -1; ; ) {
      const segment = state.segments.find(({ firstOffset }) => firstOffset > after);
      if (segment === undefined) return visible;
      try {
        const offset = await this.#findTime(segment, from.timeMs);
        if (segment.isStale === true && (await this.#isReplaced(segment))) continue;
        if (offset !== undefined) return Math.min(offset, visible);
      } catch (error) {
        // A segment that went away between is no failure.
        const isGone = codeOf(error) === 'ENOENT' && !state.segments.includes(segment);
        if (!isGone) throw this.#failure(error, segment);
      }
      after = segment.firstOffset;
    }
  }

  async #findTime(segment: Segment, timeMs: number): Promise<number | undefined> {
    if (segment.timeMsMax !== undefined && segment.timeMsMax < timeMs) return undefined;
    const index = await this.#world.indexes.of(segment);
    const from = index.findTime(timeMs);
    if (from === undefined) return undefined;
    const lease = await this.#world.files.lease(segment.path, { write: false });
    try {
      const { position, offset } = from;
      const end = segment.endPosition;
      const scanner = new SegmentScanner({ file: lease.file, position, end, offset });
      for (;;) {
        const item = await scanner.next();
        if (item === undefined) return undefined;
        if (item.kind === 'batch' && item.header.timeMs >= timeMs) return item.header.firstOffset;
      }
    } finally {
      lease.release();
    }
  }

  #check(offset: number): void {
    const { name, firstOffset, nextOffset, isClosed } = this.#state;
    if (isClosed)
      throw new LogError('LOG_CLOSED', `Cannot read topic "${name}": the log is closed`);
    if (offset < firstOffset) {
      throw new LogError(
        'LOG_OFFSET_REMOVED',
        `Cannot read topic "${name}" at offset ${offset}: the first that exists is ${firstOffset}`,
        { offset: firstOffset },
      );
    }
    if (offset > nextOffset || !Number.isSafeInteger(offset)) {
      throw new LogError(
        'LOG_OFFSET_BEYOND_END',
        `Cannot read topic "${name}" at offset ${offset}: the end is ${nextOffset}`,
        { offset: nextOffset },
      );
    }
  }

  async #collect(into: Collected): Promise<void> {
    const state = this.#state;
    const visible = state.visibleOffset;
    while (into.offset < visible && !into.isFull) {
      // Let go while this read: what it has stands, and whoever goes on from there is told.
      if (into.offset < state.firstOffset) return;
      const place = state.segmentAt(into.offset);
      const next = state.segments[place + 1]?.firstOffset ?? visible;
      const limit = Math.min(visible, next);
      const segment = state.segments[place];
      if (segment !== undefined) {
        try {
          // Replaced while it was opened: look again where it stands now.
          if (!(await this.#collectFrom(segment, limit, into))) continue;
        } catch (error) {
          // A segment that went away between is no failure: the offset is checked again.
          if (codeOf(error) === 'ENOENT' && !state.segments.includes(segment)) return;
          // Its files were closed under it.
          if (state.isClosed) this.#check(into.offset);
          throw this.#failure(error, segment);
        }
      }
      if (!into.isFull && into.offset < limit) addGap(into, limit, MISSING);
    }
  }

  async #collectFrom(segment: Segment, limit: number, into: Collected): Promise<boolean> {
    const { files, indexes } = this.#world;
    const index = await indexes.of(segment);
    const from = index.find(into.offset) ?? {
      position: SEGMENT_HEADER_BYTES,
      offset: segment.firstOffset,
    };
    const lease = await files.lease(segment.path, { write: false });
    try {
      if (await this.#isReplaced(segment)) return false;
      const windowBytes = windowFor(into);
      const scanner = new SegmentScanner({
        file: lease.file,
        position: from.position,
        end: segment.endPosition,
        offset: from.offset,
        windowBytes,
      });
      while (into.offset < limit && !into.isFull) {
        const item = await scanner.next();
        if (item === undefined) return true;
        if (item.kind === 'bad') await this.#report(segment, item, lease.file);
        else if (item.header.firstOffset >= limit) return true;
        else if (scanner.offset > into.offset) this.#take(item, scanner, into);
      }
      return true;
    } finally {
      lease.release();
    }
  }

  /** When so, resolves once the new one is known. */
  async #isReplaced(segment: Segment): Promise<boolean> {
    if (segment.isStale !== true) return false;
    await this.#state.exclusive(() => Promise.resolve());
    // The old one again, when it could not be replaced.
    return true;
  }

  #take(item: ScannedBatch, scanner: SegmentScanner, into: Collected): void {
    const { header } = item;
    const nextOffset = scanner.offset;
    if (header.firstOffset > into.offset) addGap(into, header.firstOffset, MISSING);
    if (header.isGap) {
      addGap(into, nextOffset, gapReason(item.bytes, header));
      return;
    }
    if (into.batches !== undefined) {
      into.batches.push(owned(item, scanner));
      into.bytes += header.length;
      // An estimate where compaction left holes; a reader goes on with the next read.
      into.count += Math.min(header.records, nextOffset - into.offset);
      into.offset = nextOffset;
      into.isFull = into.count >= into.recordsMax || into.bytes >= into.bytesMax;
      return;
    }
    const before = into.records.length;
    const limits = { from: into.offset, recordsMax: into.recordsMax };
    if (!readRecords(owned(item, scanner), header, limits, into.records)) {
      into.records.length = before;
      addGap(into, nextOffset, MISSING);
      return;
    }
    into.bytes += header.length;
    const isWhole = into.records.length < into.recordsMax;
    const last = into.records.at(-1)?.offset ?? nextOffset - 1;
    into.offset = isWhole ? nextOffset : last + 1;
    into.isFull = !isWhole || into.bytes >= into.bytesMax;
  }

  /** Padding is not looked at. */
  async #report(segment: Segment, range: BadRange, file: DiskFile): Promise<void> {
    const { position, end, isZeros } = range;
    if (isZeros && end === segment.endPosition) return;
    const message = 'A read found damage; readers are given a gap';
    await this.#damage.report({ segment, position, end, file, message });
  }

  #failure(cause: unknown, segment: Segment): unknown {
    if (cause instanceof LogError || codeOf(cause) === undefined) return cause;
    return new LogError(
      'LOG_READ_FAILED',
      `Cannot read segment "${segment.path}" of topic "${this.#state.name}"`,
      { cause },
    );
  }
}

/** A place that always has records, or will: the beginning, whatever it is, or a time. */
function isPlace(from: ReadFrom): boolean {
  return from === 'beginning' || typeof from === 'object';
}

/** Its bytes, for the caller to keep. */
function owned(item: ScannedBatch, scanner: SegmentScanner): Uint8Array {
  return item.header.length < LENT_BYTES_MIN ? item.bytes.slice() : scanner.lend(item);
}

function addGap(into: Collected, next: number, reason: string): void {
  if (next <= into.offset) return;
  if (into.batches !== undefined) {
    const gap = gapBatch(into.offset, next, reason);
    into.batches.push(gap);
    into.bytes += gap.byteLength;
    into.offset = next;
    return;
  }
  const last = into.gaps.at(-1);
  if (last !== undefined && last.next === into.offset && last.reason === reason) {
    into.gaps[into.gaps.length - 1] = { first: last.first, next, reason };
  } else {
    into.gaps.push({ first: into.offset, next, reason });
  }
  into.offset = next;
}

/** A gap as its own batch, for who reads batches; its span is a u32, and so no gap is larger. */
function gapBatch(first: number, next: number, reason: string): Uint8Array {
  const text = utf8(reason);
  const bytes = new Uint8Array(BATCH_HEADER_BYTES + text.byteLength);
  bytes.set(text, BATCH_HEADER_BYTES);
  sealBatch(bytes, 0, bytes.byteLength, {
    firstOffset: first,
    records: 0,
    span: Math.min(next - first, 0xffff_ffff),
    epoch: 0,
    timeMs: 0,
    durableOffset: first,
    isGap: true,
  });
  return bytes;
}

function windowFor({ recordsMax, bytesMax }: Collected): number {
  const most = recordsMax < RECORDS_MANY ? WINDOW_BYTES : WINDOW_BYTES_MAX;
  return Math.min(most, Math.max(WINDOW_BYTES_MIN, bytesMax * 2));
}

function clamp(asked: number | undefined, max: number): number {
  return Math.max(1, Math.min(asked ?? max, max));
}
