// How the content of a file is cut: into segments of one size, a power of two, the last one shorter. A
// segment is a blob of the store and a subtree of the file's hash tree (BEP 52), so that the same file
// is cut the same way whatever torrent it came with, and each segment can be proven by itself.

import { assert } from '#base/assert.ts';
import { BLOCK_BYTES } from '#wire/merkle.ts';

const MIB = 1024 * 1024;

export const SEGMENT_BYTES_MIN = 256 * 1024;
/** A segment is one blob. */
export const SEGMENT_BYTES_MAX = 16 * MIB;
/** So that the map of a file (file-map.ts) fits a blob. */
export const SEGMENTS_MAX = 262_143;
export const FILE_BYTES_MAX = SEGMENT_BYTES_MAX * SEGMENTS_MAX;

/** `wanted`, or twice as much and so on until the file has few enough of them. */
export function segmentBytesFor(fileBytes: number, wanted: number): number {
  assert(fileBytes <= FILE_BYTES_MAX, 'larger files are refused before');
  let bytes = wanted;
  while (fileBytes > bytes * SEGMENTS_MAX) bytes *= 2;
  return bytes;
}

export function isSegmentBytes(bytes: number): boolean {
  return (
    bytes >= SEGMENT_BYTES_MIN && bytes <= SEGMENT_BYTES_MAX && Number.isInteger(Math.log2(bytes))
  );
}

export function segmentCount(fileBytes: number, segmentBytes: number): number {
  return Math.ceil(fileBytes / segmentBytes);
}

/** Bytes of that segment; all but the last have `segmentBytes`. */
export function segmentLength(
  file: { readonly bytes: number; readonly segmentBytes: number },
  number: number,
): number {
  return Math.min(file.segmentBytes, file.bytes - number * file.segmentBytes);
}

/** Rows of the hash tree between a segment's root and its leaves. */
export function segmentHeight(segmentBytes: number): number {
  return Math.log2(segmentBytes / BLOCK_BYTES);
}
