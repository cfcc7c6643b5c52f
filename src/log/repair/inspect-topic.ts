// Reads a whole topic and says what is wrong with it, changing nothing: the part that `verify.ts`
// reports and `repair.ts` mends. It may run beside a writer: what is being written lies above the
// durable mark, and that is never called damage.

import type { Disk, DiskFile } from '#base/disk.ts';
import { gapReason, readRecords } from '#log/segment/batch.ts';
import { Checkpoint, readWhole } from '#log/segment/checkpoint.ts';
import {
  decodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type Segment,
  segmentName,
} from '#log/segment/segment.ts';
import { indexPath } from '#log/segment/segment-indexes.ts';
import { type ScannedBatch, SegmentScanner } from '#log/segment/segment-scanner.ts';
import { SparseIndex } from '#log/segment/sparse-index.ts';
import { MARK_NAME } from '#log/topic/topic-files.ts';
import { endOfUnproven } from './lost-mark.ts';
import { listSegments } from './recovery.ts';

const INDEX_BYTES_MAX = 16 * 1024 * 1024;
/** Of a range whose end has not been seen yet. */
const UNKNOWN = -1;

export interface Problem {
  readonly kind:
    | 'mark' // the durable mark is missing or garbled; the next start makes it again
    | 'header' // the first 512 bytes
    | 'range' // no valid batch where one belongs
    | 'padding' // something stands in the zeros after a good batch; no record is harmed
    | 'missing' // offsets that no batch has, at the end of a segment or of the topic
    | 'hole' // offsets that no batch has, between two that touch: there is no room for a gap
    | 'torn' // above the durable mark: not damage, the next start cuts it
    | 'gap' // damage that was repaired before: not counted again
    | 'index'; // a cache that is made again when it is wanted
  readonly segment: Segment | undefined;
  readonly position: number;
  readonly end: number;
  /** Offsets that cannot be read; the same twice when none are known to be harmed. */
  readonly first: number;
  readonly next: number;
  readonly detail: string;
}

export interface Inspection {
  readonly problems: readonly Problem[];
  readonly segments: number;
  readonly batches: number;
  readonly records: number;
  readonly bytes: number;
  readonly firstOffset: number;
  readonly nextOffset: number;
}

export interface InspectOptions {
  readonly disk: Disk;
  /** The topic's. */
  readonly folder: string;
  readonly logId: string;
  readonly epoch: number;
  readonly signal?: AbortSignal;
  /** After each segment: how many bytes were read. */
  readonly onProgress?: (bytes: number) => void;
}

/** @throws the disk's errors; the signal's reason */
export async function inspectTopic(options: InspectOptions): Promise<Inspection> {
  return new Inspector(options).run();
}

class Inspector {
  readonly #options: InspectOptions;
  readonly #problems: Problem[] = [];
  #batches = 0;
  #records = 0;
  #bytes = 0;
  #mark = 0;
  #isMarkLost = false;
  /** Where the zeros at the end of a segment begin. */
  readonly #tails = new Map<Segment, number>();

  constructor(options: InspectOptions) {
    this.#options = options;
  }

  async run(): Promise<Inspection> {
    const { disk, folder, epoch } = this.#options;
    // The mark first: what it covers was on disk before the segments are looked at.
    const mark = await Checkpoint.open(disk, { folder, name: MARK_NAME, epoch });
    const segments = await listSegments(disk, folder);
    this.#mark = Math.max(mark.value ?? 0, segments.at(-1)?.firstOffset ?? 0);
    this.#isMarkLost = mark.value === undefined && segments.length > 0;
    if (this.#isMarkLost) this.#lostMark(segments.at(-1)!);
    let offset = segments[0]?.firstOffset ?? 0;
    for (const [nth, segment] of segments.entries()) {
      const limit = segments[nth + 1]?.firstOffset;
      offset = await this.#inspect(segment, limit);
    }
    if (offset < this.#mark) {
      this.#missing(segments.at(-1), offset, this.#mark);
    }
    return {
      problems: this.#problems,
      segments: segments.length,
      batches: this.#batches,
      records: this.#records,
      bytes: this.#bytes,
      firstOffset: segments[0]?.firstOffset ?? this.#mark,
      nextOffset: Math.max(offset, this.#mark),
    };
  }

  /** The offset that the segment ends at. `limit` is where the next begins, if there is one. */
  async #inspect(segment: Segment, limit: number | undefined): Promise<number> {
    const { disk, signal, onProgress } = this.#options;
    const file = await disk.open(segment.path, { write: false });
    try {
      await this.#header(file, segment);
      const scanner = new SegmentScanner({
        file,
        position: SEGMENT_HEADER_BYTES,
        end: segment.endPosition,
        offset: segment.firstOffset,
        padding: true,
      });
      const ranges: Problem[] = [];
      for (let offset = segment.firstOffset; ; offset = scanner.offset) {
        signal?.throwIfAborted();
        const item = await scanner.next();
        if (item === undefined) break;
        if (item.kind === 'batch') {
          this.#batch(segment, item, offset, ranges);
          continue;
        }
        const { position, end } = item;
        if (item.isZeros && end >= segment.endPosition) {
          this.#tails.set(segment, position);
          continue;
        }
        const detail = 'no valid batch stands here';
        ranges.push({
          kind: 'range',
          segment,
          position,
          end,
          first: offset,
          next: UNKNOWN,
          detail,
        });
      }
      const torn = ranges.at(-1);
      if (this.#isMarkLost && limit === undefined) {
        const place = { position: torn?.position ?? 0, offset: scanner.offset };
        const end = torn?.next === UNKNOWN ? await endOfUnproven(file, place) : scanner.offset;
        this.#mark = Math.max(this.#mark, end);
      }
      this.#judge(ranges, limit ?? Math.max(scanner.offset, this.#mark));
      if (limit !== undefined) await this.#sealed(segment, scanner.offset, limit);
      onProgress?.(segment.endPosition);
      return scanner.offset;
    } finally {
      await file.close();
    }
  }

  async #header(file: DiskFile, segment: Segment): Promise<void> {
    const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
    const count = await file.read(bytes, 0);
    const read = decodeSegmentHeader(bytes.subarray(0, count));
    const { firstOffset } = segment;
    const isOurs =
      read.kind === 'good' &&
      read.header.firstOffset === firstOffset &&
      read.header.logId === this.#options.logId;
    if (isOurs) return;
    const detail =
      read.kind === 'good'
        ? 'the segment was written for another place or another log'
        : read.kind === 'newer'
          ? `format version ${read.version}, expected 1`
          : 'the segment header is damaged';
    const end = SEGMENT_HEADER_BYTES;
    const [first, next] = [firstOffset, firstOffset];
    this.#problems.push({ kind: 'header', segment, position: 0, end, first, next, detail });
  }

  #batch(segment: Segment, item: ScannedBatch, expected: number, ranges: Problem[]): void {
    const { header, bytes, position } = item;
    const first = header.firstOffset;
    const next = first + header.span;
    const end = position + header.length;
    this.#batches++;
    this.#records += header.records;
    this.#bytes += header.length;
    this.#mark = Math.max(this.#mark, header.durableOffset);
    const last = ranges.at(-1);
    if (last !== undefined && last.end === position) {
      ranges[ranges.length - 1] = { ...last, next: first };
    } else if (first > expected) {
      const detail = 'offsets are missing between two batches';
      const place = { position, end: position };
      ranges.push({ kind: 'hole', segment, ...place, first: expected, next: first, detail });
    }
    if (header.isGap) {
      const detail = gapReason(bytes, header);
      if (next > first)
        this.#problems.push({ kind: 'gap', segment, position, end, first, next, detail });
    } else if (!readRecords(bytes, header, { from: first, recordsMax: header.records }, [])) {
      const detail = 'the records do not fill their batch';
      ranges.push({ kind: 'range', segment, position, end, first, next, detail });
    }
    if (!item.isPadded) {
      const detail = 'the zeros after a batch are damaged; no record is';
      this.#problems.push({
        kind: 'padding',
        segment,
        position: end,
        end,
        first: next,
        next,
        detail,
      });
    }
  }

  #judge(ranges: readonly Problem[], limit: number): void {
    for (const range of ranges) {
      // A range at the end has taken everything up to where the next segment begins, or the mark.
      const next = range.next === UNKNOWN ? Math.max(range.first, limit) : range.next;
      if (range.first < this.#mark) this.#problems.push({ ...range, next });
      else {
        const detail = 'a torn tail above the durable mark; the next start cuts it';
        this.#problems.push({ ...range, kind: 'torn', next: range.first, detail });
      }
    }
  }

  async #sealed(segment: Segment, offset: number, limit: number): Promise<void> {
    if (offset < limit && !this.#problems.some((p) => p.segment === segment && p.next === limit)) {
      this.#missing(segment, offset, limit);
    }
    const bytes = await readWhole(this.#options.disk, indexPath(segment), INDEX_BYTES_MAX);
    if (bytes === undefined || SparseIndex.decode(bytes, segment) !== undefined) return;
    const [first, next] = [segment.firstOffset, segment.firstOffset];
    const detail = 'the index is made again when it is wanted';
    this.#problems.push({ kind: 'index', segment, position: 0, end: 0, first, next, detail });
  }

  #lostMark(segment: Segment): void {
    const [first, next] = [segment.firstOffset, segment.firstOffset];
    const detail =
      'the durable mark is missing or garbled; nothing at the end can be shown to be torn';
    this.#problems.push({ kind: 'mark', segment, position: 0, end: 0, first, next, detail });
  }

  #missing(segment: Segment | undefined, first: number, next: number): void {
    const known = this.#problems.some((p) => p.kind === 'range' && p.next === next);
    if (known) return;
    const end = segment?.endPosition ?? 0;
    const position = (segment && this.#tails.get(segment)) ?? end;
    const detail = 'records that were on disk are gone';
    this.#problems.push({ kind: 'missing', segment, position, end, first, next, detail });
  }
}

/** `transfers/00000000000000000000.log, byte 512`: for people and tests. */
export function placeOf(problem: Problem): string {
  const name =
    problem.segment === undefined ? 'no segment' : segmentName(problem.segment.firstOffset);
  return `${name}, byte ${problem.position}`;
}
