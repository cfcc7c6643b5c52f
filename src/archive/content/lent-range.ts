// Gives any range of a file for who can send a part of another file of this machine: a segment that the
// store lends is told by its place, never read; any other is read and verified, as by readFileRange, and
// lent to the next reader.

import { ArchiveError } from '#archive/errors.ts';
import type { LentBlob, Store } from '#store/store.ts';
import { type FileMap, segmentRef } from './file-map.ts';
import type { FileRange } from './file-reader.ts';
import { segmentLength } from './segments.ts';

/** A part of a file of this machine, until it is released. */
export class LentPart {
  readonly descriptor: number;
  readonly position: number;
  readonly bytes: number;
  /** Whoever sends it tells here how much went out; also when it was not all. */
  sentBytes = 0;
  readonly #lent: LentBlob;

  constructor(lent: LentBlob, part: FileRange) {
    this.descriptor = lent.descriptor;
    this.position = lent.position + part.start;
    this.bytes = part.end - part.start;
    this.#lent = lent;
  }

  /** Idempotent. */
  release(): void {
    this.#lent.release();
  }
}

export type RangePart = Uint8Array | LentPart;

export interface LendingStore extends Pick<Store, 'get'> {
  /** Undefined: it must be read. */
  lend(ref: Parameters<Store['get']>[0]): Promise<LentBlob | undefined>;
}

/**
 * The bytes of the range in order, a segment or what the range has of it at a time. Who takes a part
 * releases it. The next one is looked for while this one is on its way. @throws as readFileRange
 */
export async function* lendFileRange(
  store: LendingStore,
  map: FileMap,
  range: FileRange & { readonly signal?: AbortSignal },
): AsyncGenerator<RangePart> {
  const { start, end, signal } = range;
  if (!(start >= 0 && start <= end && end <= map.bytes)) {
    throw new ArchiveError('ARCHIVE_RANGE_INVALID', `No bytes ${start} to ${end} of ${map.bytes}`);
  }
  if (start === end) return;
  const partOf = async (number: number): Promise<RangePart> => {
    const from = number * map.segmentBytes;
    const length = segmentLength(map, number);
    const part = { start: Math.max(0, start - from), end: Math.min(length, end - from) };
    const ref = segmentRef(map, number);
    const lent = await store.lend(ref);
    if (lent?.bytes === length) return new LentPart(lent, part);
    lent?.release();
    const bytes = await store.get(ref, { signal });
    if (bytes.length === length) return bytes.subarray(part.start, part.end);
    const message = `Segment ${number} has ${bytes.length} bytes, expected ${length}`;
    throw new ArchiveError('ARCHIVE_MAP_INVALID', message);
  };
  const last = Math.floor((end - 1) / map.segmentBytes);
  let next: Promise<RangePart> | undefined = partOf(Math.floor(start / map.segmentBytes));
  try {
    for (let number = Math.floor(start / map.segmentBytes); next !== undefined; number++) {
      const part: RangePart = await next;
      next = number < last ? partOf(number + 1) : undefined;
      // It is awaited in its turn, or let go of when the reader has gone.
      next?.catch(() => undefined);
      yield part;
    }
  } finally {
    next?.then(
      (part) => part instanceof LentPart && part.release(),
      () => undefined,
    );
  }
}
