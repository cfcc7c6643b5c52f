// The memory that native/tcp.c and a batched TCP server share, and its layout: operations that go
// down, events that come up, the arena that events' bytes stand in, and buffers for output.

import { assert } from '#base/assert.ts';
import type { Addon } from './addon.ts';

/** Operations, and events, of one native call. */
export const BATCH = 64;
export const OPERATION_WORDS = 8;
export const EVENT_WORDS = 4;
const OUTPUTS_PER_CHUNK = 16;

export const OPERATION = { write: 1, close: 2, shut: 4, read: 8, drop: 16 } as const;
export const RESULT = { closed: 1, shut: 2 } as const;
export const EVENT = { isNew: 1, end: 2, full: 4, writable: 8, gone: 16, readable: 32 } as const;

export class TcpSlots {
  readonly shared: ArrayBuffer;
  readonly operations: Int32Array;
  readonly events: Int32Array;
  readonly addresses: Uint8Array;
  /** How many bytes the input of each connection still takes. */
  readonly rooms: Int32Array;
  readonly input: ArrayBuffer;
  /** Where the bytes of event n stand, until the next call. */
  readonly inputs: readonly Uint8Array[];

  constructor(connectionsMax: number, inputBytesMax: number) {
    const eventsAt = BATCH * OPERATION_WORDS * 4;
    const addressesAt = eventsAt + BATCH * EVENT_WORDS * 4;
    const roomsAt = addressesAt + BATCH * 16;
    this.shared = new ArrayBuffer(roomsAt + connectionsMax * 4);
    this.operations = new Int32Array(this.shared, 0, BATCH * OPERATION_WORDS);
    this.events = new Int32Array(this.shared, eventsAt, BATCH * EVENT_WORDS);
    this.addresses = new Uint8Array(this.shared, addressesAt, BATCH * 16);
    this.rooms = new Int32Array(this.shared, roomsAt, connectionsMax);
    this.input = new ArrayBuffer(BATCH * inputBytesMax);
    this.inputs = Array.from(
      { length: BATCH },
      (_, at) => new Uint8Array(this.input, at * inputBytesMax, inputBytesMax),
    );
  }
}

/** A buffer that one connection writes into and native/tcp.c sends from. */
export interface TcpOutput {
  readonly bytes: Uint8Array;
  /** The same bytes, for text. */
  readonly text: Buffer;
  readonly chunk: number;
  readonly offset: number;
}

/**
 * Output buffers, given to connections while they owe something. Memory is taken in chunks and kept;
 * the kernel backs only pages that were written to, and those used last are given first.
 */
export class TcpOutputs {
  readonly #addon: Addon;
  readonly #id: number;
  readonly #bytesMax: number;
  readonly #free: TcpOutput[] = [];

  constructor(addon: Addon, id: number, bytesMax: number) {
    this.#addon = addon;
    this.#id = id;
    this.#bytesMax = bytesMax;
  }

  take(): TcpOutput {
    if (this.#free.length === 0) this.#addChunk();
    const output = this.#free.pop();
    assert(output !== undefined, 'a new chunk has outputs');
    return output;
  }

  give(output: TcpOutput): void {
    this.#free.push(output);
  }

  #addChunk(): void {
    const memory = new ArrayBuffer(this.#bytesMax * OUTPUTS_PER_CHUNK);
    const chunk = this.#addon.tcpAddOutput(this.#id, memory);
    assert(chunk >= 0, 'there is memory for one more chunk of outputs');
    for (let at = OUTPUTS_PER_CHUNK - 1; at >= 0; at--) {
      const offset = at * this.#bytesMax;
      const bytes = new Uint8Array(memory, offset, this.#bytesMax);
      this.#free.push({ bytes, text: Buffer.from(memory, offset, this.#bytesMax), chunk, offset });
    }
  }
}
