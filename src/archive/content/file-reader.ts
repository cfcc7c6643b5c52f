// Gives any range of a file from its map: segment after segment, each verified by the store before its
// first byte is given, the next one asked for while this one is on its way.

import { ArchiveError } from '#archive/errors.ts';
import type { Store } from '#store/store.ts';
import { type FileMap, segmentRef } from './file-map.ts';
import { segmentLength } from './segments.ts';

export interface FileRange {
  readonly start: number;
  /** Before it; at most the file's bytes. */
  readonly end: number;
}

/**
 * The bytes of the range in order, a segment or what the range has of it at a time. Memory: two
 * segments. @throws ArchiveError ARCHIVE_RANGE_INVALID, ARCHIVE_FILE_MISSING when a segment is not there
 * or not as it was; StoreError
 */
export async function* readFileRange(
  store: Pick<Store, 'get'>,
  map: FileMap,
  range: FileRange & { readonly signal?: AbortSignal },
): AsyncGenerator<Uint8Array> {
  const { start, end } = range;
  if (!(start >= 0 && start <= end && end <= map.bytes)) {
    throw new ArchiveError('ARCHIVE_RANGE_INVALID', `No bytes ${start} to ${end} of ${map.bytes}`);
  }
  if (start === end) return;
  const last = Math.floor((end - 1) / map.segmentBytes);
  let next = segmentOf(store, map, Math.floor(start / map.segmentBytes), range.signal);
  for (let number = Math.floor(start / map.segmentBytes); number <= last; number++) {
    const segment = await next;
    if (number < last) {
      next = segmentOf(store, map, number + 1, range.signal);
      // It is awaited in its turn, or not at all when the reader has gone.
      next.catch(() => undefined);
    }
    const from = number * map.segmentBytes;
    yield segment.subarray(Math.max(0, start - from), Math.min(segment.length, end - from));
  }
}

async function segmentOf(
  store: Pick<Store, 'get'>,
  map: FileMap,
  number: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const bytes = await store.get(segmentRef(map, number), { signal });
  if (bytes.length !== segmentLength(map, number)) {
    const message = `Segment ${number} has ${bytes.length} bytes, expected ${segmentLength(map, number)}`;
    throw new ArchiveError('ARCHIVE_MAP_INVALID', message);
  }
  return bytes;
}
