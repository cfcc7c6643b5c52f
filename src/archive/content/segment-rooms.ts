// Memory for segments that is used again. New memory of that size costs as much as hashing it: the system
// clears it, and the engine, told of so many bytes, looks through all of its heap for what could be let go.
// Where the addon tells how memory lies, there is room around each segment for a store (store/framed.ts).

import { framedBody, framedMemory, type PageOffset } from '#store/framed.ts';
import { SEGMENT_BYTES_MAX } from './segments.ts';

/** Smaller ones are not worth it. */
const ROOM_BYTES_MIN = 256 * 1024;
const KEPT_BYTES_MAX = 4 * SEGMENT_BYTES_MAX;

export class SegmentRooms {
  readonly #pageOffset: PageOffset | undefined;
  /** By how many bytes of a segment fit. */
  readonly #free = new Map<number, ArrayBuffer[]>();
  readonly #sizes = new WeakMap<ArrayBufferLike, number>();
  #freeBytes = 0;

  constructor(pageOffset?: PageOffset) {
    this.#pageOffset = pageOffset;
  }

  /** Any bytes stand in it. */
  take(bytes: number): Uint8Array {
    if (bytes < ROOM_BYTES_MIN) return new Uint8Array(bytes);
    const size = 2 ** Math.ceil(Math.log2(bytes));
    const room = this.#free.get(size)?.pop();
    if (room !== undefined) this.#freeBytes -= size;
    const buffer = room ?? this.#make(size);
    return this.#pageOffset === undefined
      ? new Uint8Array(buffer, 0, bytes)
      : framedBody(buffer, bytes);
  }

  /** When nobody else looks at it any more. What is not given back is left to the engine. */
  giveBack(room: Uint8Array): void {
    const { buffer } = room;
    const size = this.#sizes.get(buffer);
    if (size === undefined || !(buffer instanceof ArrayBuffer)) return;
    if (this.#freeBytes + size > KEPT_BYTES_MAX) return;
    const free = this.#free.get(size) ?? [];
    this.#free.set(size, free);
    free.push(buffer);
    this.#freeBytes += size;
  }

  #make(size: number): ArrayBuffer {
    const buffer =
      this.#pageOffset === undefined ? new ArrayBuffer(size) : framedMemory(size, this.#pageOffset);
    this.#sizes.set(buffer, size);
    return buffer;
  }
}
