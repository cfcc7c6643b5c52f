// Byte streams inside one process: two ends of a pipe in memory. What is written arrives in a later
// turn, in order, and waits while the other end is paused.

import { assert } from '#base/assert.ts';
import { utf8 } from '#base/bytes.ts';
import type { ByteStream, StreamHandler } from './byte-stream.ts';

class LoopbackStream implements ByteStream {
  readonly peer = 'loopback';
  #other: LoopbackStream | undefined;
  #handler: StreamHandler | undefined;
  /** Written by the other end, not yet handed to ours. */
  readonly #arrived: Uint8Array[] = [];
  #arrivedBytes = 0;
  #isPaused = false;
  #isDelivering = false;
  #isEnded = false;
  #hasToldEnd = false;
  #isClosed = false;

  join(other: LoopbackStream): void {
    this.#other = other;
  }

  get unsentBytes(): number {
    const other = this.#other;
    return other === undefined ? 0 : other.#arrivedBytes;
  }

  start(handler: StreamHandler): void {
    assert(this.#handler === undefined, 'a stream is started once');
    this.#handler = handler;
    this.#deliverSoon();
  }

  write(bytes: Uint8Array | string): void {
    const other = this.#other;
    if (this.#isClosed || this.#isEnded || other === undefined || other.#isClosed) return;
    const part = typeof bytes === 'string' ? utf8(bytes) : bytes;
    other.#arrived.push(part);
    other.#arrivedBytes += part.byteLength;
    other.#deliverSoon();
  }

  /** Nothing to save: a delivery takes all that has arrived. */
  gather(): void {}

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#deliverSoon();
  }

  end(): void {
    this.#isEnded = true;
    const other = this.#other;
    if (other === undefined) return;
    other.#deliverSoon();
    if (other.#isEnded) this.destroy();
  }

  destroy(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#arrived.length = 0;
    this.#arrivedBytes = 0;
    const other = this.#other;
    queueMicrotask(() => {
      this.#handler?.onClosed(undefined);
      if (other !== undefined) other.#peerClosed();
    });
  }

  /** What it had written before still arrives, then this end closes as well. */
  #peerClosed(): void {
    if (this.#isClosed) return;
    this.#isEnded = true;
    this.#deliverSoon();
  }

  #deliverSoon(): void {
    if (this.#isDelivering || this.#isPaused || this.#handler === undefined) return;
    this.#isDelivering = true;
    setImmediate(() => {
      this.#isDelivering = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    const handler = this.#handler;
    if (handler === undefined) return;
    const hadSome = this.#arrived.length > 0;
    while (!this.#isPaused && !this.#isClosed) {
      const part = this.#arrived.shift();
      if (part === undefined) break;
      this.#arrivedBytes -= part.byteLength;
      handler.onData(part);
    }
    if (this.#isClosed || this.#arrived.length > 0) return;
    const other = this.#other;
    if (hadSome && other !== undefined && !other.#isClosed && other.#handler !== undefined)
      other.#handler.onDrain();
    if (other === undefined || !(other.#isEnded || other.#isClosed) || this.#hasToldEnd) return;
    this.#hasToldEnd = true;
    handler.onEnd();
    if (other.#isClosed || this.#isEnded) this.destroy();
  }
}

/** Two ends of one stream. */
export function loopbackPair(): readonly [ByteStream, ByteStream] {
  const near = new LoopbackStream();
  const far = new LoopbackStream();
  near.join(far);
  far.join(near);
  return [near, far];
}
