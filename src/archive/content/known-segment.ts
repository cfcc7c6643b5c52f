// Names a segment that a map tells of by its root alone. The map says the name and the root of the same
// bytes, and whoever stored them hashed both; so bytes of that length and with that root are those, and have
// that name. The root costs 0.6 of what name and root cost together, because its blocks can be hashed two
// at a time (native/hash.c). Bytes with another root are hashed for the name that they have.

import { hash } from 'node:crypto';
import type { SegmentHasher } from '#archive/hash/segment-hasher.ts';
import { bytesEqual } from '#base/bytes.ts';
import type { Sha256 } from '#store/store.ts';
import { type FileMap, mapSegmentCount, segmentName, segmentRoot } from './file-map.ts';
import { segmentHeight, segmentLength } from './segments.ts';

/** Rows of a segment's tree: of a file of one segment as many as it needs. */
export function rootHeight(map: FileMap): number | undefined {
  return mapSegmentCount(map) === 1 ? undefined : segmentHeight(map.segmentBytes);
}

/** For a store that reads what should be that segment. `onRoot` hears of one of the right length. */
export function knownSegment(
  hasher: SegmentHasher,
  map: FileMap,
  number: number,
  onRoot?: (root: Uint8Array) => void,
): Sha256 {
  return async (bytes) => {
    // A tree of another length may have the same root: a row of hashes is bytes, too.
    if (bytes.length !== segmentLength(map, number)) return hash('sha256', bytes, 'buffer');
    const root = await hasher.root(bytes, rootHeight(map));
    onRoot?.(root);
    if (bytesEqual(root, segmentRoot(map, number))) return segmentName(map, number);
    return (await hasher.tree(bytes, { height: undefined, layerHeight: undefined })).sha256;
  };
}
