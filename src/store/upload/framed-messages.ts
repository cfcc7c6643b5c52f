// Messages over a UNIX socket, both ends alike: what a WebSocket does, for a socket that only this
// machine's owner can open.
//
//   0  u8   0 text, 1 bytes
//   1  u32  length of what follows, little endian, at most MESSAGE_BYTES_MAX of the sender's kind
//   5       UTF-8 or bytes

import type { ByteStream } from '#net/byte-stream.ts';
import type { MessageHandler, MessageStream } from './message-stream.ts';

export const FRAME_HEADER_BYTES = 5;
const TEXT = 0;
const BYTES = 1;
/** A list of a thousand blobs in JSON, and any piece. */
export const FRAME_BYTES_MAX: number = 1024 * 1024;

export interface FrameSink {
  onText(text: string): void;
  onBytes(bytes: Uint8Array): void;
}

/** Cuts bytes that come in any parts into messages. */
export class FrameSplitter {
  readonly #header = new Uint8Array(FRAME_HEADER_BYTES);
  #headerLength = 0;
  #body = new Uint8Array(0);
  #length = 0;
  #filled = 0;

  /** False when the bytes are no messages: nothing may be pushed any more. */
  push(bytes: Uint8Array, sink: FrameSink): boolean {
    let at = 0;
    for (;;) {
      while (this.#headerLength < FRAME_HEADER_BYTES) {
        const byte = bytes[at];
        if (byte === undefined) return true;
        this.#header[this.#headerLength++] = byte;
        at++;
        if (this.#headerLength === FRAME_HEADER_BYTES && !this.#begin()) return false;
      }
      const count = Math.min(this.#length - this.#filled, bytes.byteLength - at);
      this.#makeRoom(this.#filled + count);
      this.#body.set(bytes.subarray(at, at + count), this.#filled);
      this.#filled += count;
      at += count;
      if (this.#filled < this.#length) return true;
      this.#headerLength = 0;
      const body = this.#body.subarray(0, this.#length);
      if (this.#header[0] === BYTES) sink.onBytes(body);
      else sink.onText(Buffer.from(body).toString('utf8'));
    }
  }

  #begin(): boolean {
    const [kind = 0, a = 0, b = 0, c = 0, d = 0] = this.#header;
    this.#length = a + b * 0x100 + c * 0x1_0000 + d * 0x100_0000;
    this.#filled = 0;
    return kind <= BYTES && this.#length <= FRAME_BYTES_MAX;
  }

  /** Grows with what has arrived, not with what was announced. */
  #makeRoom(bytes: number): void {
    if (bytes <= this.#body.byteLength) return;
    const body = new Uint8Array(Math.max(bytes, this.#body.byteLength * 2));
    body.set(this.#body.subarray(0, this.#filled));
    this.#body = body;
  }
}

export function frameHeader(isText: boolean, length: number): Uint8Array {
  const header = new Uint8Array(FRAME_HEADER_BYTES);
  header[0] = isText ? TEXT : BYTES;
  new DataView(header.buffer).setUint32(1, length, true);
  return header;
}

export class FramedMessages implements MessageStream {
  readonly #stream: ByteStream;
  readonly #splitter = new FrameSplitter();
  #isClosing = false;

  constructor(stream: ByteStream) {
    this.#stream = stream;
  }

  get unsentBytes(): number {
    return this.#stream.unsentBytes;
  }

  start(handler: MessageHandler): void {
    let why = 'the connection ended';
    this.#stream.start({
      onData: (bytes) => {
        if (this.#isClosing || this.#splitter.push(bytes, handler)) return;
        why = 'a message is not understood';
        this.#stream.destroy();
      },
      onDrain: () => handler.onDrain(),
      onEnd: () => this.#stream.destroy(),
      onClosed: (error) => handler.onClosed(error?.message ?? why),
    });
  }

  sendText(text: string): void {
    this.#send(true, Buffer.from(text));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#send(false, bytes);
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  close(): void {
    this.#isClosing = true;
    this.#stream.end();
    this.#stream.resume();
  }

  destroy(): void {
    this.#stream.destroy();
  }

  #send(isText: boolean, payload: Uint8Array): void {
    if (this.#isClosing) return;
    this.#stream.gather();
    this.#stream.write(frameHeader(isText, payload.byteLength));
    this.#stream.write(payload);
  }
}
