// The map of a file, version 1: what its segments are. It is a blob of the store itself, so that a file
// can be found and proven from blobs alone. This file owns the format. Integers are little endian.
//
//   0   8  "SKFMAP1\n"
//   8   4  bytes of a segment: a power of two, 256 KiB to 16 MiB
//   12  4  number of segments, 1 to 262,143
//   16  8  bytes of the file, at least 1
//   24  8  zero
//   32  32 pieces root of the file (BEP 52)
//   64  64 for each segment: SHA-256 of its bytes (the name of its blob), then its root
//
// The root of a segment covers its blocks of 16 KiB, filled up with zero leaves to a whole segment; of a
// file of one segment to the next power of two only, as BEP 52 has it, so that it is the pieces root.
// A map is accepted when its roots give the pieces root: then each segment is proven by its own root. The
// names and the length of the last segment are proven by the blobs, which must have just that length.
// An empty file has no root, no map and no segments. The same content with the same size of segments is
// the same map, byte for byte.

import { assert } from '#base/assert.ts';
import { bytesEqual, toHex } from '#base/bytes.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import { merkleRoot, SHA256_BYTES } from '#wire/merkle.ts';
import { isSegmentBytes, SEGMENTS_MAX, segmentCount, segmentHeight } from './segments.ts';

const MAGIC = Buffer.from('SKFMAP1\n', 'latin1');
const HEAD_BYTES = 64;
const ENTRY_BYTES = 2 * SHA256_BYTES;

/** Of an encoded map. */
export const MAP_BYTES_MIN: number = HEAD_BYTES + ENTRY_BYTES;
/** Where the name of the first segment stands in an encoded map. */
export const MAP_FIRST_NAME = { at: HEAD_BYTES, bytes: SHA256_BYTES } as const;

/** What is known of one file's content. */
export interface FileMap {
  /** 32 bytes. */
  readonly root: Uint8Array;
  readonly bytes: number;
  readonly segmentBytes: number;
  /** For each segment the SHA-256 of its bytes and its root, 64 bytes. */
  readonly segments: Uint8Array;
}

/** Of an encoded map that is known to be whole: as `FileMap.segments`, a view. */
export function segmentsOfEncoded(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(HEAD_BYTES);
}

export function mapSegmentCount(map: Pick<FileMap, 'segments'>): number {
  return map.segments.length / ENTRY_BYTES;
}

/** The name of a segment's blob. */
export function segmentRef(map: FileMap, number: number): BlobRef {
  const ref = blobRef(`sha256-${toHex(segmentName(map, number))}`);
  assert(ref !== undefined, 'a map has a whole entry for each segment');
  return ref;
}

/** The SHA-256 of a segment's bytes; a view into the map. */
export function segmentName(map: Pick<FileMap, 'segments'>, number: number): Uint8Array {
  const start = number * ENTRY_BYTES;
  return map.segments.subarray(start, start + SHA256_BYTES);
}

/** The root of a segment's subtree; a view into the map. */
export function segmentRoot(map: FileMap, number: number): Uint8Array {
  const start = number * ENTRY_BYTES + SHA256_BYTES;
  return map.segments.subarray(start, start + SHA256_BYTES);
}

/** The layer of the hash tree whose nodes are the segments, 32 bytes each. */
export function segmentLayer(map: FileMap): Uint8Array {
  const layer = new Uint8Array((map.segments.length / ENTRY_BYTES) * SHA256_BYTES);
  const { segments } = map;
  for (let at = 0, from = SHA256_BYTES; from < segments.length; at += 32, from += ENTRY_BYTES) {
    // A copy: a view would give the few bytes of a small file a buffer outside of the heap.
    layer.set(segments.slice(from, from + SHA256_BYTES), at);
  }
  return layer;
}

/** The map of segments whose hash and root are known, in order: their pieces root comes with it. */
export function makeFileMap(file: Omit<FileMap, 'root'>): FileMap {
  assert(isSegmentBytes(file.segmentBytes), 'segments have a size that is possible');
  const count = segmentCount(file.bytes, file.segmentBytes);
  assert(count >= 1 && count <= SEGMENTS_MAX, 'a file with a map has 1 to 262,143 segments');
  assert(file.segments.length === count * ENTRY_BYTES, 'there is an entry for each segment');
  const layer = segmentLayer({ ...file, root: new Uint8Array(0) });
  return { ...file, root: merkleRoot(layer, segmentHeight(file.segmentBytes)) };
}

export function encodeFileMap(map: FileMap): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + map.segments.length);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(8, map.segmentBytes, true);
  view.setUint32(12, mapSegmentCount(map), true);
  view.setBigUint64(16, BigInt(map.bytes), true);
  bytes.set(map.root, 32);
  bytes.set(map.segments, HEAD_BYTES);
  return bytes;
}

/** Undefined when these are not the bytes of a map, or its roots do not give its pieces root. */
export function decodeFileMap(bytes: Uint8Array): FileMap | undefined {
  if (bytes.length < MAP_BYTES_MIN) return undefined;
  if (!bytesEqual(bytes.subarray(0, MAGIC.length), MAGIC)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const segmentBytes = view.getUint32(8, true);
  const count = view.getUint32(12, true);
  const fileBytes = Number(view.getBigUint64(16, true));
  if (!isSegmentBytes(segmentBytes) || count < 1 || count > SEGMENTS_MAX) return undefined;
  if (bytes.length !== HEAD_BYTES + count * ENTRY_BYTES) return undefined;
  if (segmentCount(fileBytes, segmentBytes) !== count) return undefined;
  if (view.getBigUint64(24, true) !== 0n) return undefined;
  const segments = bytes.subarray(HEAD_BYTES);
  const map = makeFileMap({ bytes: fileBytes, segmentBytes, segments });
  return bytesEqual(map.root, bytes.subarray(32, HEAD_BYTES)) ? map : undefined;
}
