// Gives any range of a file for who can send a part of another file of this machine: a segment that the
// store lends is told by its place, never read; any other is read and verified, as by readFileRange, and
// lent to the next reader.

import { ArchiveError } from '#archive/errors.ts';
import type { LentBlob, Store } from '#store/store.ts';
import { type FileMap, segmentRef } from './file-map.ts';
import type { FileRange } from './file-reader.ts';
import { segmentLength } from './segments.ts';

/** Of one part, so that who sends it has something to do without being woken. */
const LENT_BYTES_MAX = 32 * 1024 * 1024;
const PLACES_MAX = 16;

/** Bytes that lie in files of this machine, in order, until they are released. */
export interface LentPlace {
  readonly descriptor: number;
  readonly position: number;
  readonly bytes: number;
}

export class LentPart {
  readonly places: readonly LentPlace[];
  readonly bytes: number;
  /** Whoever sends it tells here how much went out; also when it was not all. */
  sentBytes = 0;
  readonly #lent: readonly LentBlob[];

  /** The part of each blob that belongs to it. */
  constructor(all: readonly { readonly lent: LentBlob; readonly part: FileRange }[]) {
    this.places = all.map(({ lent, part }) => ({
      descriptor: lent.descriptor,
      position: lent.position + part.start,
      bytes: part.end - part.start,
    }));
    this.bytes = this.places.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#lent = all.map(({ lent }) => lent);
  }

  /** Idempotent. */
  release(): void {
    for (const lent of this.#lent) lent.release();
  }
}

export type RangePart = Uint8Array | LentPart;

export interface LendingStore extends Pick<Store, 'get'> {
  /** A segment. Undefined: it must be read. */
  lend(map: FileMap, number: number): Promise<LentBlob | undefined>;
}

/**
 * The bytes of the range in order: a segment or what the range has of it at a time, or several that are
 * lent. Who takes a part releases it. The next one is looked for while this one is on its way.
 * @throws as readFileRange
 */
export async function* lendFileRange(
  store: LendingStore,
  map: FileMap,
  range: FileRange & { readonly signal?: AbortSignal },
): AsyncGenerator<RangePart> {
  const { start, end } = range;
  if (!(start >= 0 && start <= end && end <= map.bytes)) {
    throw new ArchiveError('ARCHIVE_RANGE_INVALID', `No bytes ${start} to ${end} of ${map.bytes}`);
  }
  if (start === end) return;
  const reading = { store, map, range };
  let next: Promise<Found> | undefined = find(reading, Math.floor(start / map.segmentBytes));
  try {
    while (next !== undefined) {
      const { part, following }: Found = await next;
      next = following * map.segmentBytes < end ? find(reading, following) : undefined;
      // It is awaited in its turn, or let go of when the reader has gone.
      next?.catch(() => undefined);
      yield part;
    }
  } finally {
    next?.then(
      ({ part }) => part instanceof LentPart && part.release(),
      () => undefined,
    );
  }
}

interface Reading {
  readonly store: LendingStore;
  readonly map: FileMap;
  readonly range: FileRange & { readonly signal?: AbortSignal };
}

interface Found {
  readonly part: RangePart;
  /** The segment that it goes on with. */
  readonly following: number;
}

async function find(reading: Reading, first: number): Promise<Found> {
  const { store, map, range } = reading;
  const all: { lent: LentBlob; part: FileRange }[] = [];
  let bytes = 0;
  let number = first;
  for (; all.length < PLACES_MAX && bytes < LENT_BYTES_MAX; number++) {
    if (number * map.segmentBytes >= range.end) break;
    const lent = await lentSegment(reading, number).catch((error: unknown) => {
      for (const one of all) one.lent.release();
      throw error;
    });
    if (lent === undefined) break;
    const part = partOf(reading, number);
    all.push({ lent, part });
    bytes += part.end - part.start;
  }
  if (all.length > 0) return { part: new LentPart(all), following: number };
  const segment = await store.get(segmentRef(map, first), { signal: range.signal });
  const length = segmentLength(map, first);
  if (segment.length !== length) {
    const message = `Segment ${first} has ${segment.length} bytes, expected ${length}`;
    throw new ArchiveError('ARCHIVE_MAP_INVALID', message);
  }
  const part = partOf(reading, first);
  return { part: segment.subarray(part.start, part.end), following: first + 1 };
}

async function lentSegment({ store, map }: Reading, number: number): Promise<LentBlob | undefined> {
  const lent = await store.lend(map, number);
  if (lent?.bytes === segmentLength(map, number)) return lent;
  lent?.release();
  return undefined;
}

/** What the range has of a segment. */
function partOf({ map, range }: Reading, number: number): FileRange {
  const from = number * map.segmentBytes;
  const start = Math.max(0, range.start - from);
  return { start, end: Math.min(segmentLength(map, number), range.end - from) };
}
