// Memory for a blob with room around it, so that a store which puts something before and behind a blob
// can write both from where the blob lies, past the system's cache: without a copy, and without a page
// of the cache for each page that is written. Whoever takes blobs in by the gigabyte puts them into such
// memory (archive/content/segment-rooms.ts); a store that makes nothing of it sees bytes like any other.

import { assert } from '#base/assert.ts';

/** Before a blob; and after it, to the end of a page. */
export const FRAME_HEAD_BYTES = 64;
/** Of a frame, in memory and on the medium: a page, and what a disk writes at once. */
export const FRAME_ALIGNMENT = 4096;

/** The system has pages of that size, too: fewer of them are faster to read into, hash and write. */
const HUGE_PAGE_BYTES = 2 * 1024 * 1024;

/** Where in such a huge page memory begins; only the addon can tell. */
export type PageOffset = (bytes: Uint8Array) => number;

interface Frame {
  /** In its buffer. */
  readonly start: number;
  /** Somebody writes it: two stores that are given one blob must not both write around it. */
  isTaken: boolean;
}

const frames = new WeakMap<ArrayBufferLike, Frame>();

/** For a blob of at most so many bytes; any bytes stand in it. */
export function framedMemory(bytesMax: number, pageOffset: PageOffset): ArrayBuffer {
  // What is not touched of it takes no memory.
  const alignment = bytesMax < HUGE_PAGE_BYTES ? FRAME_ALIGNMENT : HUGE_PAGE_BYTES;
  const buffer = new ArrayBuffer(bytesMax + alignment + 2 * FRAME_ALIGNMENT);
  const start = alignment - (pageOffset(new Uint8Array(buffer)) % alignment);
  frames.set(buffer, { start, isTaken: false });
  return buffer;
}

/** That many of the bytes that a frame is around. */
export function framedBody(buffer: ArrayBuffer, bytes: number): Uint8Array {
  const frame = frames.get(buffer);
  assert(frame !== undefined, 'it was made by framedMemory');
  return new Uint8Array(buffer, frame.start + FRAME_HEAD_BYTES, bytes);
}

/** Whether `takeFrame` gives one. */
export function hasFrame(body: Uint8Array): boolean {
  const frame = frames.get(body.buffer);
  return frame?.isTaken === false && body.byteOffset === frame.start + FRAME_HEAD_BYTES;
}

/** The bytes with what is around them, to the end of a page; undefined unless it `hasFrame`. */
export function takeFrame(body: Uint8Array): Uint8Array | undefined {
  const frame = frames.get(body.buffer);
  if (frame === undefined || !hasFrame(body)) return undefined;
  frame.isTaken = true;
  const length =
    Math.ceil((FRAME_HEAD_BYTES + body.byteLength) / FRAME_ALIGNMENT) * FRAME_ALIGNMENT;
  return new Uint8Array(body.buffer, frame.start, length);
}

/** When nothing writes it any more. */
export function releaseFrame(framed: Uint8Array): void {
  const frame = frames.get(framed.buffer);
  if (frame !== undefined) frame.isTaken = false;
}
