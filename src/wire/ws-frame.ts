// WebSocket frames (RFC 6455), the server's side: client bytes in, whole messages and control frames
// out, and the frames that we send.
//
//   0  FIN 1 bit, RSV1-3 (0: no extension is ever agreed on), opcode 4 bits
//   1  MASK 1 bit (1 from a client, 0 from us), length 7 bits:
//        0-125 itself; 126: u16 follows; 127: u64 follows; always the shortest of the three
//   …  masking key 4 bytes (from a client), then the payload, XORed with the key
//
// A message is one text or binary frame, or one such without FIN and continuation frames up to one
// with FIN; control frames (close, ping, pong: at most 125 bytes, whole) may stand between them. Bytes
// may arrive cut anywhere: what was read is kept, so that a connection's small input buffer can carry
// a large message. A message that claims to be text, and every close reason, is valid UTF-8.

import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { assert } from '#base/assert.ts';

export const WS_OPCODE = {
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xa,
} as const;

/** RFC 6455 7.4.1. */
export const WS_CLOSE = {
  normal: 1000,
  goingAway: 1001,
  protocol: 1002,
  invalidData: 1007,
  policy: 1008,
  tooBig: 1009,
  overload: 1013,
} as const;

export const WS_CONTROL_BYTES_MAX = 125;
/** A frame that we send has at most this payload: its header has one form above 125 bytes. */
export const WS_SENT_BYTES_MAX = 65_535;
/** Before the payload of a frame that is written by `sealWsFrame`. */
export const WS_HEADER_BYTES_MAX = 4;
/** Empty fragments cost their sender as good as nothing. */
const FRAGMENTS_MAX = 1024;
const ROOM_BYTES = 16_384;
const ROOMS_FREE_MAX = 64;

/** Where a message is put together. */
interface WsRoom {
  readonly bytes: Uint8Array;
  /** The same bytes: a view of words is dear enough to be kept. */
  readonly words: Int32Array;
}

function newRoom(bytes: number): WsRoom {
  const memory = new ArrayBuffer((bytes + 3) & ~3);
  return { bytes: new Uint8Array(memory, 0, bytes), words: new Int32Array(memory) };
}

const NO_ROOM: WsRoom = newRoom(0);

/** Room for messages, shared by the connections of a thread: most have none under way. */
export class WsRooms {
  readonly #free: WsRoom[] = [];

  take(): WsRoom {
    return this.#free.pop() ?? newRoom(ROOM_BYTES);
  }

  /** Larger rooms are left to the garbage collector: large messages are rare. */
  give(room: WsRoom): void {
    const isUsual = room.bytes.length === ROOM_BYTES;
    if (isUsual && this.#free.length < ROOMS_FREE_MAX) this.#free.push(room);
  }
}

/**
 * `more`: all bytes were read. `message`, `ping`, `pong`, `close`: see the reader's fields. `broken`:
 * the connection is to be closed with `closeCode`, nothing may be read any more.
 */
export type WsEvent = 'more' | 'message' | 'ping' | 'pong' | 'close' | 'broken';

export class WsFrameReader {
  /** How many of the bytes given to the last `read` were taken. */
  consumed = 0;
  /** After `message`, until `release`: its first `messageLength` bytes, UTF-8 when it came as text. */
  message: Uint8Array = NO_ROOM.bytes;
  messageLength = 0;
  /** After `ping` or `pong`: the payload to echo, in the first `controlLength` bytes. */
  readonly control: Uint8Array = new Uint8Array(WS_CONTROL_BYTES_MAX);
  controlLength = 0;
  /** After `close` what the client said (1000 when it said nothing), after `broken` what to say. */
  closeCode: number = WS_CLOSE.normal;
  /** Of `message`. */
  #room: WsRoom = NO_ROOM;
  readonly #bytesMax: number;
  readonly #rooms: WsRooms;
  readonly #header: Uint8Array = new Uint8Array(14);
  #headerLength = 0;
  #opcode = 0;
  #isFinal = false;
  #remaining = 0;
  #maskAt = 0;
  /** Bytes of the payload read so far, modulo 4. */
  #maskPhase = 0;
  #isInPayload = false;
  #isInMessage = false;
  #isText = false;
  #fragments = 0;

  /** `bytesMax`: of one frame and of one message alike. */
  constructor(bytesMax: number, rooms: WsRooms) {
    this.#bytesMax = bytesMax;
    this.#rooms = rooms;
  }

  /** After `message`: whether it came as text. */
  get isText(): boolean {
    return this.#isText;
  }

  /** Reads on in `bytes[from … end)` up to the next event. */
  read(bytes: Uint8Array, from: number, end: number): WsEvent {
    assert(from <= end && end <= bytes.length, 'the bytes lie inside of their buffer');
    let at = from;
    while (at < end || (this.#isInPayload && this.#remaining === 0)) {
      if (!this.#isInPayload) {
        this.#header[this.#headerLength] = bytes[at] as number;
        this.#headerLength += 1;
        at += 1;
        const event = this.#readHeader();
        if (event !== 'more') return this.#took(at - from, event);
        continue;
      }
      const length = Math.min(this.#remaining, end - at);
      this.#takePayload(bytes, at, length);
      at += length;
      this.#remaining -= length;
      if (this.#remaining > 0) break;
      const event = this.#endFrame();
      if (event !== 'more') return this.#took(at - from, event);
    }
    return this.#took(at - from, 'more');
  }

  /** The message was dealt with, or the connection is gone: its room is free for another. */
  release(): void {
    if (this.#room !== NO_ROOM) this.#rooms.give(this.#room);
    this.#setRoom(NO_ROOM);
    this.messageLength = 0;
  }

  #took(count: number, event: WsEvent): WsEvent {
    this.consumed = count;
    return event;
  }

  #broken(code: number): WsEvent {
    this.closeCode = code;
    return 'broken';
  }

  /** Called with each byte of a header, until it is whole. */
  #readHeader(): WsEvent {
    const header = this.#header;
    if (this.#headerLength < 2) return 'more';
    const first = header[0] as number;
    const second = header[1] as number;
    if (this.#headerLength === 2) {
      const refused = this.#checkStart(first, second);
      if (refused !== 0) return this.#broken(refused);
    }
    const short = second & 0x7f;
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
    if (this.#headerLength < 2 + lengthBytes + 4) return 'more';
    let length = short;
    if (lengthBytes > 0) {
      length = 0;
      for (let at = 2; at < 2 + lengthBytes; at++) length = length * 256 + (header[at] as number);
      if (length < (lengthBytes === 2 ? 126 : 0x1_0000)) return this.#broken(WS_CLOSE.protocol);
    }
    this.#opcode = first & 0x0f;
    this.#isFinal = (first & 0x80) !== 0;
    this.#maskAt = 2 + lengthBytes;
    this.#maskPhase = 0;
    this.#remaining = length;
    this.#headerLength = 0;
    return this.#begin(length);
  }

  /** The close code that the first two bytes earn, 0 when they are good. */
  #checkStart(first: number, second: number): number {
    const opcode = first & 0x0f;
    if ((first & 0x70) !== 0 || (second & 0x80) === 0) return WS_CLOSE.protocol;
    if (opcode >= WS_OPCODE.close) {
      const isWhole = (first & 0x80) !== 0 && (second & 0x7f) <= WS_CONTROL_BYTES_MAX;
      return opcode <= WS_OPCODE.pong && isWhole ? 0 : WS_CLOSE.protocol;
    }
    if (opcode > WS_OPCODE.binary) return WS_CLOSE.protocol;
    const isContinued = opcode === WS_OPCODE.continuation;
    return isContinued === this.#isInMessage ? 0 : WS_CLOSE.protocol;
  }

  #begin(length: number): WsEvent {
    this.#isInPayload = true;
    if (this.#opcode >= WS_OPCODE.close) {
      this.controlLength = 0;
      return 'more';
    }
    if (this.#opcode !== WS_OPCODE.continuation) {
      this.messageLength = 0;
      this.#isInMessage = true;
      this.#isText = this.#opcode === WS_OPCODE.text;
      this.#fragments = 0;
    }
    this.#fragments += 1;
    if (this.#fragments > FRAGMENTS_MAX) return this.#broken(WS_CLOSE.policy);
    const needed = this.messageLength + length;
    if (needed > this.#bytesMax) return this.#broken(WS_CLOSE.tooBig);
    return 'more';
  }

  #takePayload(bytes: Uint8Array, from: number, length: number): void {
    const isControl = this.#opcode >= WS_OPCODE.close;
    if (!isControl) this.#makeRoom(this.messageLength + length);
    const into = isControl ? this.control : this.message;
    const start = isControl ? this.controlLength : this.messageLength;
    const header = this.#header;
    const phase = this.#maskPhase;
    // The key turned so that it begins with the byte that is due.
    const a = header[this.#maskAt + (phase & 3)] as number;
    const b = header[this.#maskAt + ((phase + 1) & 3)] as number;
    const c = header[this.#maskAt + ((phase + 2) & 3)] as number;
    const d = header[this.#maskAt + ((phase + 3) & 3)] as number;
    into.set(bytes.subarray(from, from + length), start);
    const words = isControl ? NO_ROOM.words : this.#room.words;
    unmask({ bytes: into, words }, start, length, [a, b, c, d]);
    this.#maskPhase = (phase + length) & 3;
    if (isControl) this.controlLength += length;
    else this.messageLength += length;
  }

  /** Grows with what has arrived, not with what was announced. */
  #makeRoom(bytes: number): void {
    const { message } = this;
    if (bytes <= message.length) return;
    const isFirst = message.length === 0 && bytes <= ROOM_BYTES;
    const room = isFirst ? this.#rooms.take() : newRoom(Math.max(bytes, message.length * 2));
    if (this.messageLength > 0) room.bytes.set(message.subarray(0, this.messageLength));
    if (this.#room !== NO_ROOM) this.#rooms.give(this.#room);
    this.#setRoom(room);
  }

  #setRoom(room: WsRoom): void {
    this.#room = room;
    this.message = room.bytes;
  }

  #endFrame(): WsEvent {
    this.#isInPayload = false;
    switch (this.#opcode) {
      case WS_OPCODE.close:
        return this.#readClose();
      case WS_OPCODE.ping:
        return 'ping';
      case WS_OPCODE.pong:
        return 'pong';
      default:
    }
    if (!this.#isFinal) return 'more';
    this.#isInMessage = false;
    const isGood = !this.#isText || isUtf8(this.message.subarray(0, this.messageLength));
    return isGood ? 'message' : this.#broken(WS_CLOSE.invalidData);
  }

  #readClose(): WsEvent {
    const length = this.controlLength;
    if (length === 0) {
      this.closeCode = WS_CLOSE.normal;
      return 'close';
    }
    if (length === 1) return this.#broken(WS_CLOSE.protocol);
    const code = (this.control[0] as number) * 256 + (this.control[1] as number);
    if (!mayBeSent(code)) return this.#broken(WS_CLOSE.protocol);
    if (!isUtf8(this.control.subarray(2, length))) return this.#broken(WS_CLOSE.invalidData);
    this.closeCode = code;
    return 'close';
  }
}

const KEY_WORD = new Int32Array(1);
const KEY_BYTES_OF_WORD = new Uint8Array(KEY_WORD.buffer);

/** XORs `length` bytes from `at` on with a key that begins there, a word at a time where it has words. */
function unmask(
  { bytes, words }: WsRoom,
  at: number,
  length: number,
  key: readonly [number, number, number, number],
): void {
  const end = at + length;
  const hasWords = words.length > 0;
  const wordsAt = hasWords ? Math.min(end, (at + 3) & ~3) : end;
  const wordsEnd = Math.max(wordsAt, hasWords ? end & ~3 : end);
  for (let byte = at; byte < wordsAt; byte++) bytes[byte]! ^= key[(byte - at) & 3]!;
  if (wordsAt === end) return;
  const turn = wordsAt - at;
  // The bytes of the key in the order in which they lie in memory, whatever the machine.
  KEY_BYTES_OF_WORD[0] = key[turn & 3]!;
  KEY_BYTES_OF_WORD[1] = key[(turn + 1) & 3]!;
  KEY_BYTES_OF_WORD[2] = key[(turn + 2) & 3]!;
  KEY_BYTES_OF_WORD[3] = key[(turn + 3) & 3]!;
  const word = KEY_WORD[0]!;
  const indexEnd = wordsEnd >>> 2;
  for (let index = wordsAt >>> 2; index < indexEnd; index++) words[index]! ^= word;
  for (let byte = wordsEnd; byte < end; byte++) bytes[byte]! ^= key[(byte - at) & 3]!;
}

/** Codes that stand on the wire: not the reserved ones, not 1005, 1006, 1015. */
function mayBeSent(code: number): boolean {
  if (code >= 3000 && code <= 4999) return true;
  if (code < 1000 || code > 1014) return false;
  return code !== 1004 && code !== 1005 && code !== 1006;
}

/**
 * Puts the header before a payload that was written at `at + WS_HEADER_BYTES_MAX`, and moves a short
 * payload up to it. Returns the length of the frame, which begins at `at`.
 */
export function sealWsFrame(output: Uint8Array, at: number, payloadBytes: number): number {
  assert(payloadBytes <= WS_SENT_BYTES_MAX, 'a frame that we send has a short length');
  output[at] = 0x80 | WS_OPCODE.text;
  if (payloadBytes > WS_CONTROL_BYTES_MAX) {
    output[at + 1] = 126;
    output[at + 2] = payloadBytes >>> 8;
    output[at + 3] = payloadBytes;
    return 4 + payloadBytes;
  }
  output[at + 1] = payloadBytes;
  const payloadAt = at + WS_HEADER_BYTES_MAX;
  output.copyWithin(at + 2, payloadAt, payloadAt + payloadBytes);
  return 2 + payloadBytes;
}

/** A ping or pong with the first `length` bytes of `payload`. Returns its length. */
export function writeWsControl(
  output: Uint8Array,
  at: number,
  opcode: typeof WS_OPCODE.ping | typeof WS_OPCODE.pong,
  payload: Uint8Array,
): number {
  assert(payload.length <= WS_CONTROL_BYTES_MAX, 'a control frame is short');
  output[at] = 0x80 | opcode;
  output[at + 1] = payload.length;
  output.set(payload, at + 2);
  return 2 + payload.length;
}

/** A close frame of four bytes. */
export function writeWsClose(output: Uint8Array, at: number, code: number): number {
  output[at] = 0x80 | WS_OPCODE.close;
  output[at + 1] = 2;
  output[at + 2] = code >>> 8;
  output[at + 3] = code;
  return 4;
}

const KEY_BYTES = 24;
const KEY_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Whether it is 16 bytes in base64. */
export function isWsKey(key: string): boolean {
  return key.length === KEY_BYTES && /^[A-Za-z0-9+/]{22}==$/.test(key);
}

/** The answer that agrees to a WebSocket, for a good key. */
export function wsHandshake(key: string): Uint8Array {
  const accept = createHash('sha1')
    .update(key + KEY_SUFFIX)
    .digest('base64');
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept}`,
  ];
  return new Uint8Array(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'));
}
