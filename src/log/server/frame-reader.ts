// Cuts a stream of bytes into frames of the protocol: a line, and its body when the line tells of one.
// A body that arrived in one piece is a view into it, else it is put together once. A line that is too
// long or says nothing known ends it: where the next frame begins is no longer certain then.

import { LINE_BYTES_MAX } from './protocol.ts';

/** More than any body can have; a larger number on a line is nonsense. */
const BODY_BYTES_LIMIT = 1024 * 1024 * 1024;
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

export interface FrameHandler {
  /** Length of the body that follows this line, undefined for none, -1 when it makes no sense. */
  bodyBytes(words: readonly string[]): number | undefined;
  /** `body` is undefined when there is none, or when it had more than `bodyBytesMax` and was dropped. */
  onFrame(words: readonly string[], body: Uint8Array | undefined): void;
  /** Nothing is read after it. */
  onBroken(reason: string): void;
}

export class FrameReader {
  readonly #handler: FrameHandler;
  /** Larger bodies are read past and dropped, so that the answer can say so. */
  bodyBytesMax: number;
  /** Frames handed out. */
  frames = 0;
  #waiting: Uint8Array[] = [];
  #isHeld = false;
  #isBroken = false;
  #isReading = false;
  /** The beginning of a line whose end has not come. */
  #line: Buffer | undefined;
  /** A line whose body is being read. */
  #words: readonly string[] | undefined;
  #wanted = 0;
  #parts: Uint8Array[] = [];
  #have = 0;

  constructor(handler: FrameHandler, bodyBytesMax: number) {
    this.#handler = handler;
    this.bodyBytesMax = bodyBytesMax;
  }

  /** Something began and has not ended. */
  get isPartial(): boolean {
    return this.#line !== undefined || this.#words !== undefined || this.#waiting.length > 0;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** No frame is handed out until `release`; what is pushed waits. */
  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    this.#read();
  }

  push(bytes: Uint8Array): void {
    if (this.#isBroken || bytes.byteLength === 0) return;
    this.#waiting.push(bytes);
    this.#read();
  }

  #read(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    while (!this.#isHeld && !this.#isBroken) {
      const bytes = this.#waiting[0];
      if (bytes === undefined) break;
      const used = this.#words === undefined ? this.#readLine(bytes) : this.#readBody(bytes);
      if (used === bytes.byteLength) this.#waiting.shift();
      else this.#waiting[0] = bytes.subarray(used);
    }
    this.#isReading = false;
    if (this.#isBroken) {
      this.#waiting = [];
      this.#parts = [];
      this.#line = undefined;
    }
  }

  /** How many bytes it took. */
  #readLine(bytes: Uint8Array): number {
    const end = bytes.indexOf(LINE_FEED);
    const part = Buffer.from(bytes.buffer, bytes.byteOffset, end < 0 ? bytes.byteLength : end);
    const before = this.#line;
    if ((before?.byteLength ?? 0) + part.byteLength > LINE_BYTES_MAX + 1) {
      this.#break(`a line has more than ${LINE_BYTES_MAX} bytes`);
      return bytes.byteLength;
    }
    const line = before === undefined ? part : Buffer.concat([before, part]);
    if (end < 0) {
      this.#line = line;
      return bytes.byteLength;
    }
    this.#line = undefined;
    const length = line.at(-1) === CARRIAGE_RETURN ? line.byteLength - 1 : line.byteLength;
    // An empty line is allowed between frames, for who types.
    if (length > 0) this.#take(line.toString('utf8', 0, length).split(' '));
    return end + 1;
  }

  #take(words: readonly string[]): void {
    const wanted = this.#handler.bodyBytes(words);
    if (wanted === undefined) {
      this.frames++;
      this.#handler.onFrame(words, undefined);
    } else if (wanted < 0 || wanted > BODY_BYTES_LIMIT) {
      this.#break('a line is not understood');
    } else if (wanted === 0) {
      this.frames++;
      this.#handler.onFrame(words, new Uint8Array(0));
    } else {
      this.#words = words;
      this.#wanted = wanted;
      this.#have = 0;
    }
  }

  #readBody(bytes: Uint8Array): number {
    const words = this.#words;
    if (words === undefined) return 0;
    const isKept = this.#wanted <= this.bodyBytesMax;
    const used = Math.min(bytes.byteLength, this.#wanted - this.#have);
    const part = used === bytes.byteLength ? bytes : bytes.subarray(0, used);
    this.#have += used;
    if (isKept) this.#parts.push(part);
    if (this.#have < this.#wanted) return used;
    const parts = this.#parts;
    this.#words = undefined;
    this.#parts = [];
    this.frames++;
    this.#handler.onFrame(words, isKept ? joined(parts, this.#wanted) : undefined);
    return used;
  }

  #break(reason: string): void {
    this.#isBroken = true;
    this.#handler.onBroken(reason);
  }
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}
