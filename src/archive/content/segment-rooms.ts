// Memory for segments that is used again. New memory of that size costs as much as hashing it: the system
// clears it, and the engine, told of so many bytes, looks through all of its heap for what could be let go.

import { SEGMENT_BYTES_MAX } from './segments.ts';

/** Smaller ones are not worth it. */
const ROOM_BYTES_MIN = 256 * 1024;
const KEPT_BYTES_MAX = 4 * SEGMENT_BYTES_MAX;

export class SegmentRooms {
  readonly #free = new Map<number, ArrayBuffer[]>();
  #freeBytes = 0;

  /** Any bytes stand in it. */
  take(bytes: number): Uint8Array {
    if (bytes < ROOM_BYTES_MIN) return new Uint8Array(bytes);
    const size = 2 ** Math.ceil(Math.log2(bytes));
    const room = this.#free.get(size)?.pop();
    if (room !== undefined) this.#freeBytes -= size;
    return new Uint8Array(room ?? new ArrayBuffer(size), 0, bytes);
  }

  /** When nobody else looks at it any more. What is not given back is left to the engine. */
  giveBack(room: Uint8Array): void {
    const { buffer } = room;
    const size = buffer.byteLength;
    if (!(buffer instanceof ArrayBuffer) || size < ROOM_BYTES_MIN) return;
    if (this.#freeBytes + size > KEPT_BYTES_MAX) return;
    const free = this.#free.get(size) ?? [];
    this.#free.set(size, free);
    free.push(buffer);
    this.#freeBytes += size;
  }
}
