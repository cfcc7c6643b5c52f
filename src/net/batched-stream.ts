// One byte stream over native/tcp.c: what was written stands in an output buffer while something is owed,
// and beyond it in a queue; bytes that arrived are copied out of the arena that the next native call reads
// into. Between two of those it turns events into calls of its handler, and what was asked of it into one
// operation.

import type { ByteStream, StreamHandler } from './byte-stream.ts';
import {
  EVENT,
  OPERATION,
  RESULT,
  type TcpOutput,
  type TcpOutputs,
  type TcpSlots,
} from './tcp-slots.ts';
import type { TcpTurns, TurnConnection } from './tcp-turns.ts';

export const INPUT_BYTES_MAX = 64 * 1024;
export const OUTPUT_BYTES_MAX = 64 * 1024;
/** Of a text of UTF-16, each unit takes at most as many bytes of UTF-8. */
const BYTES_PER_UNIT_MAX = 3;

/** Those that one native socket serves. */
export interface BatchedStreamHost {
  readonly slots: TcpSlots;
  readonly outputs: TcpOutputs;
  readonly turns: TcpTurns<BatchedStream>;
  /** A copy of what arrived. */
  keep(bytes: Uint8Array, length: number): Uint8Array;
  /** Its descriptor is closed. */
  gone(stream: BatchedStream): void;
}

export class BatchedStream implements ByteStream, TurnConnection {
  readonly peer: string;
  readonly slot: number;
  isMarked = false;
  readonly #host: BatchedStreamHost;
  #handler: StreamHandler | undefined;
  #isOpen = true;
  #isPaused = false;
  /** Arrived before the start. */
  #early: Uint8Array | undefined;
  #output: TcpOutput | undefined;
  #outputLength = 0;
  /** How much of the output the kernel has taken. */
  #sent = 0;
  /** Behind the output. */
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  /** The kernel takes no more for now. */
  #isBlocked = false;
  #isEnding = false;
  /** Our side has ended. */
  #isShut = false;
  #peerEnded = false;
  #hasToldEnd = false;
  /** The kernel has more for us, and will not say so again. */
  #isReadable = false;

  constructor(host: BatchedStreamHost, slot: number, peer: string) {
    this.#host = host;
    this.slot = slot;
    this.peer = peer;
  }

  get unsentBytes(): number {
    return this.#outputLength - this.#sent + this.#queuedBytes;
  }

  start(handler: StreamHandler): void {
    this.#handler = handler;
    if (!this.#isOpen) queueMicrotask(() => handler.onClosed(undefined));
    const early = this.#early;
    if (early === undefined) return;
    this.#early = undefined;
    queueMicrotask(() => {
      if (this.#isOpen) handler.onData(early);
      this.resume();
    });
  }

  write(bytes: Uint8Array | string): void {
    if (!this.#isOpen || this.#isEnding) return;
    if (typeof bytes === 'string') this.#writeText(bytes);
    else this.#writeBytes(bytes);
    if (!this.#isBlocked) this.#host.turns.mark(this);
  }

  /** Whatever is written waits for the end of the turn. */
  gather(): void {}

  pause(): void {
    if (this.#isPaused || !this.#isOpen) return;
    this.#isPaused = true;
    this.#host.slots.rooms[this.slot] = 0;
  }

  resume(): void {
    if (!this.#isPaused || !this.#isOpen) return;
    this.#isPaused = false;
    this.#host.slots.rooms[this.slot] = INPUT_BYTES_MAX;
    this.#host.turns.mark(this);
  }

  end(): void {
    if (this.#isEnding || !this.#isOpen) return;
    this.#isEnding = true;
    if (!this.#isBlocked) this.#host.turns.mark(this);
  }

  destroy(): void {
    if (!this.#isOpen) return;
    this.#close();
    this.#host.turns.mark(this);
  }

  /** Its bytes stand in `bytes` until the next native call. */
  onEvent(flags: number, bytes: Uint8Array, length: number): void {
    if (!this.#isOpen) return;
    if (length > 0) this.#give(this.#host.keep(bytes, length));
    if (!this.#isOpen) return;
    if ((flags & EVENT.gone) !== 0) {
      this.destroy();
      return;
    }
    if ((flags & EVENT.end) !== 0) this.#peerEnded = true;
    if ((flags & (EVENT.full | EVENT.readable)) !== 0) this.#isReadable = true;
    if ((flags & EVENT.writable) !== 0) this.#isBlocked = false;
    this.#goOn();
  }

  writeOperation(into: Int32Array, at: number): boolean {
    let flags = 0;
    if (!this.#isOpen) flags = OPERATION.drop;
    else {
      const hasOutput = this.#outputLength > this.#sent && !this.#isBlocked;
      if (hasOutput) flags = OPERATION.write;
      const isLast = this.#isEnding && !this.#isBlocked && this.#queuedBytes === 0;
      if (isLast && !this.#isShut) flags |= OPERATION.shut;
      else if (this.#isShut && this.#peerEnded) flags |= OPERATION.drop;
      if (this.#isReadable && !this.#isPaused) {
        flags |= OPERATION.read;
        this.#isReadable = false;
      }
    }
    if (flags === 0) return false;
    into[at] = this.slot;
    into[at + 1] = flags;
    if ((flags & OPERATION.write) === 0 || this.#output === undefined) return true;
    into[at + 2] = this.#output.chunk;
    into[at + 3] = this.#output.offset + this.#sent;
    into[at + 4] = this.#outputLength - this.#sent;
    return true;
  }

  onResult(flags: number, result: number, resultFlags: number): void {
    if (!this.#isOpen) {
      if ((resultFlags & RESULT.closed) !== 0) this.#host.gone(this);
      return;
    }
    if (result < 0) {
      this.destroy();
      return;
    }
    if ((resultFlags & RESULT.closed) !== 0) {
      this.#close();
      this.#host.gone(this);
      return;
    }
    if ((resultFlags & RESULT.shut) !== 0) this.#isShut = true;
    if ((flags & OPERATION.write) !== 0) this.#onWritten(result);
    if (this.#isOpen) this.#goOn();
  }

  #give(bytes: Uint8Array): void {
    if (this.#handler !== undefined) {
      this.#handler.onData(bytes);
      return;
    }
    // Came with the connection itself: nothing more is read until it is started.
    this.#early = bytes;
    this.pause();
  }

  /** Tells the peer's end, and asks for whatever is to be done next. */
  #goOn(): void {
    if (this.#peerEnded && !this.#hasToldEnd && !this.#isReadable && !this.#isPaused) {
      this.#hasToldEnd = true;
      this.#handler?.onEnd();
      if (!this.#isOpen) return;
    }
    const wantsRead = this.#isReadable && !this.#isPaused;
    const wantsWrite = this.#outputLength > this.#sent && !this.#isBlocked;
    const wantsEnd = this.#isEnding && !this.#isBlocked && (!this.#isShut || this.#peerEnded);
    if (wantsRead || wantsWrite || wantsEnd) this.#host.turns.mark(this);
  }

  #onWritten(bytes: number): void {
    this.#sent += bytes;
    if (this.#sent < this.#outputLength) {
      this.#isBlocked = true;
      return;
    }
    this.#sent = 0;
    this.#outputLength = 0;
    this.#refill();
    if (this.#outputLength > 0) return;
    if (this.#output !== undefined) this.#host.outputs.give(this.#output);
    this.#output = undefined;
    this.#handler?.onDrain();
  }

  #refill(): void {
    for (;;) {
      const part = this.#queue[0];
      if (part === undefined) return;
      const room = OUTPUT_BYTES_MAX - this.#outputLength;
      if (room === 0) return;
      const taken = part.byteLength <= room ? part : part.subarray(0, room);
      this.#append(taken);
      this.#queuedBytes -= taken.byteLength;
      if (taken.byteLength === part.byteLength) this.#queue.shift();
      else this.#queue[0] = part.subarray(taken.byteLength);
    }
  }

  #writeText(text: string): void {
    const room = OUTPUT_BYTES_MAX - this.#outputLength;
    if (this.#queuedBytes > 0 || text.length * BYTES_PER_UNIT_MAX > room) {
      this.#writeBytes(Buffer.from(text, 'utf8'));
      return;
    }
    const { text: into } = this.#owned();
    this.#outputLength += into.write(text, this.#outputLength, 'utf8');
  }

  #writeBytes(bytes: Uint8Array): void {
    const room = this.#queuedBytes > 0 ? 0 : OUTPUT_BYTES_MAX - this.#outputLength;
    if (room > 0) this.#append(bytes.byteLength <= room ? bytes : bytes.subarray(0, room));
    if (bytes.byteLength <= room) return;
    this.#queue.push(room === 0 ? bytes : bytes.subarray(room));
    this.#queuedBytes += bytes.byteLength - room;
  }

  #append(bytes: Uint8Array): void {
    this.#owned().bytes.set(bytes, this.#outputLength);
    this.#outputLength += bytes.byteLength;
  }

  #owned(): TcpOutput {
    this.#output ??= this.#host.outputs.take();
    return this.#output;
  }

  /** The native side follows. Whoever calls is never called back before it returns. */
  #close(): void {
    this.#isOpen = false;
    if (this.#output !== undefined) this.#host.outputs.give(this.#output);
    this.#output = undefined;
    this.#outputLength = 0;
    this.#sent = 0;
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    const handler = this.#handler;
    if (handler !== undefined) queueMicrotask(() => handler.onClosed(undefined));
  }
}
