// The server's end of a WebSocket as a stream of messages, over a byte stream whose handshake is done.

import type { ByteStream } from '#net/byte-stream.ts';
import {
  WS_CLOSE,
  WS_CONTROL_BYTES_MAX,
  WS_OPCODE,
  WsFrameReader,
  type WsRooms,
  writeWsClose,
  writeWsControl,
} from '#wire/ws-frame.ts';
import type { MessageHandler, MessageStream } from './message-stream.ts';
import { MESSAGE_BYTES_MAX } from './store-messages.ts';

/** A frame's header for a payload of any length. */
export function wsFrameHeader(
  opcode: typeof WS_OPCODE.text | typeof WS_OPCODE.binary,
  length: number,
): Uint8Array {
  if (length <= WS_CONTROL_BYTES_MAX) return Uint8Array.of(0x80 | opcode, length);
  if (length <= 0xffff) return Uint8Array.of(0x80 | opcode, 126, length >>> 8, length & 0xff);
  const header = new Uint8Array(10);
  header[0] = 0x80 | opcode;
  header[1] = 127;
  new DataView(header.buffer).setBigUint64(2, BigInt(length));
  return header;
}

export class WsMessages implements MessageStream {
  readonly #stream: ByteStream;
  readonly #reader: WsFrameReader;
  /** What came with the handshake. */
  readonly #head: Uint8Array;
  #isClosing = false;
  #why = 'the connection ended';

  constructor(stream: ByteStream, rooms: WsRooms, head: Uint8Array) {
    this.#stream = stream;
    this.#reader = new WsFrameReader(MESSAGE_BYTES_MAX, rooms);
    this.#head = head;
  }

  get unsentBytes(): number {
    return this.#stream.unsentBytes;
  }

  start(handler: MessageHandler): void {
    this.#stream.start({
      onData: (bytes) => this.#read(handler, bytes),
      onDrain: () => handler.onDrain(),
      onEnd: () => this.#stream.destroy(),
      onClosed: (error) => {
        this.#isClosing = true;
        this.#reader.release();
        handler.onClosed(error?.message ?? this.#why);
      },
    });
    if (this.#head.byteLength > 0) queueMicrotask(() => this.#read(handler, this.#head));
  }

  sendText(text: string): void {
    this.#send(WS_OPCODE.text, Buffer.from(text));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#send(WS_OPCODE.binary, bytes);
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  close(code: number): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    const frame = new Uint8Array(4);
    writeWsClose(frame, 0, code);
    this.#stream.write(frame);
    this.#stream.end();
    // Its answer is still heard, and nothing else.
    this.#stream.resume();
  }

  destroy(): void {
    this.#stream.destroy();
  }

  #send(opcode: typeof WS_OPCODE.text | typeof WS_OPCODE.binary, payload: Uint8Array): void {
    if (this.#isClosing) return;
    this.#stream.gather();
    this.#stream.write(wsFrameHeader(opcode, payload.byteLength));
    this.#stream.write(payload);
  }

  #read(handler: MessageHandler, bytes: Uint8Array): void {
    const reader = this.#reader;
    let at = 0;
    for (;;) {
      if (this.#isClosing) return;
      const event = reader.read(bytes, at, bytes.byteLength);
      at += reader.consumed;
      switch (event) {
        case 'more':
          return;
        case 'message': {
          const message = reader.message.subarray(0, reader.messageLength);
          if (reader.isText) handler.onText(Buffer.from(message).toString('utf8'));
          else handler.onBytes(message);
          reader.release();
          break;
        }
        case 'ping':
          this.#pong();
          break;
        case 'pong':
          break;
        case 'close':
          this.close(WS_CLOSE.normal);
          this.#why = 'the client said goodbye';
          break;
        case 'broken':
          this.#why = `a frame is not understood (${reader.closeCode})`;
          this.close(reader.closeCode);
          break;
        default:
          event satisfies never;
      }
    }
  }

  #pong(): void {
    const { control, controlLength } = this.#reader;
    const frame = new Uint8Array(2 + controlLength);
    writeWsControl(frame, 0, WS_OPCODE.pong, control.subarray(0, controlLength));
    this.#stream.write(frame);
  }
}
