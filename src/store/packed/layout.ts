// How a group of records comes to stand in a pack (format: pack.ts): one after the other in memory of the
// writer's, into which bodies are copied; but a large body with room around it (framed.ts) stays where it
// lies, and its frame is written from there. A frame begins and ends a page of the file, so that no page is
// written both ways: the sectors up to there are filled with marks, each a group of its own to a reader.

import { assert } from '#base/assert.ts';
import {
  FRAME_ALIGNMENT,
  FRAME_HEAD_BYTES,
  hasFrame,
  releaseFrame,
  takeFrame,
} from '#store/framed.ts';
import {
  alignUp,
  GROUP_ALIGNMENT,
  NO_SERIES,
  nextRecord,
  type PackRecord,
  RECORD_HEADER_BYTES,
  writeRecordHeader,
} from './pack.ts';

const NOTHING = new Uint8Array();

export interface Layable {
  readonly kind: 'blob' | 'removal';
  readonly hash: Uint8Array;
  readonly body?: Uint8Array;
  readonly series: PackRecord['series'];
}

/** Stands at one place of the file. */
export interface Part {
  readonly bytes: Uint8Array;
  readonly position: number;
  readonly isFrame: boolean;
}

export interface Layout {
  readonly parts: readonly Part[];
  readonly records: readonly PackRecord[];
  /** Where the next group may begin. */
  readonly end: number;
}

export interface GroupPlace {
  /** A multiple of 512. */
  readonly start: number;
  readonly durable: number;
  readonly seed: number;
  /** Smaller bodies are copied: that costs less than a call and most of a page of the medium. */
  readonly framedBytesMin: number;
}

/** It is written from where it lies. */
export function isFramed({ body }: Pick<Layable, 'body'>, framedBytesMin: number): boolean {
  return body !== undefined && body.byteLength >= framedBytesMin && hasFrame(body);
}

/** What the writer's memory must take of it, at most. */
export function roomBytes(what: Pick<Layable, 'body'>, framedBytesMin: number): number {
  const { body = NOTHING } = what;
  if (isFramed(what, framedBytesMin)) return FRAME_ALIGNMENT;
  return nextRecord(RECORD_HEADER_BYTES + body.byteLength);
}

/** `room` is good until all parts are written, then `releaseParts` is due. */
export function layGroup(group: readonly Layable[], place: GroupPlace, room: Buffer): Layout {
  const laying = new Laying(place, room);
  for (const one of group) laying.add(one);
  return laying.finish();
}

/** Others may write around those bodies again. */
export function releaseParts(parts: readonly Part[]): void {
  for (const { bytes, isFrame } of parts) if (isFrame) releaseFrame(bytes);
}

class Laying {
  readonly #place: GroupPlace;
  readonly #room: Buffer;
  readonly #parts: Part[] = [];
  readonly #records: PackRecord[] = [];
  /** In the file, where the part that is being laid begins. */
  #start: number;
  /** In the room, where it begins and where it ends so far. */
  #from = 0;
  #at = 0;

  constructor(place: GroupPlace, room: Buffer) {
    assert(place.start % GROUP_ALIGNMENT === 0, 'a group begins a sector');
    this.#place = place;
    this.#room = room;
    this.#start = place.start;
  }

  add(what: Layable): void {
    const { body = NOTHING } = what;
    const frame = isFramed(what, this.#place.framedBytesMin) ? takeFrame(body) : undefined;
    if (frame === undefined) this.#copy(what, body);
    else this.#lay(what, body, Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength));
  }

  finish(): Layout {
    this.#endSector();
    this.#endPart();
    return { parts: this.#parts, records: this.#records, end: this.#start };
  }

  get #position(): number {
    return this.#start + this.#at - this.#from;
  }

  #copy(what: Layable, body: Uint8Array): void {
    this.#header(this.#room.subarray(this.#at), what, this.#position);
    this.#room.set(body, this.#at + RECORD_HEADER_BYTES);
    this.#zeroTo(this.#at + RECORD_HEADER_BYTES + body.byteLength, nextRecord);
  }

  #lay(what: Layable, body: Uint8Array, frame: Buffer): void {
    assert(FRAME_HEAD_BYTES === RECORD_HEADER_BYTES, 'the header fits before the body');
    this.#endSector();
    while (this.#position % FRAME_ALIGNMENT !== 0) {
      this.#mark(this.#room.subarray(this.#at), this.#position);
      this.#at += GROUP_ALIGNMENT;
    }
    this.#endPart();
    this.#header(frame, what, this.#start);
    const end = RECORD_HEADER_BYTES + body.byteLength;
    frame.fill(0, end);
    const whole = alignUp(end, GROUP_ALIGNMENT);
    for (let at = whole; at < frame.byteLength; at += GROUP_ALIGNMENT) {
      this.#mark(frame.subarray(at), this.#start + at);
    }
    this.#parts.push({ bytes: frame, position: this.#start, isFrame: true });
    this.#start += frame.byteLength;
  }

  #header(into: Buffer, { kind, hash, series, body = NOTHING }: Layable, position: number): void {
    const { durable, seed } = this.#place;
    const record = { kind, hash, bytes: body.byteLength, position, durable, series };
    writeRecordHeader(into.subarray(0, RECORD_HEADER_BYTES), record, seed);
    this.#records.push(record);
  }

  /** A sector that says nothing but that it was written. */
  #mark(into: Buffer, position: number): void {
    const { durable, seed } = this.#place;
    const mark = { kind: 'mark', hash: new Uint8Array(32), bytes: 0, series: NO_SERIES } as const;
    writeRecordHeader(into.subarray(0, RECORD_HEADER_BYTES), { ...mark, position, durable }, seed);
    into.fill(0, RECORD_HEADER_BYTES, GROUP_ALIGNMENT);
  }

  /** Whole sectors: the next group must not touch one that was acknowledged, not even to grow. */
  #endSector(): void {
    this.#zeroTo(this.#at, (at) => this.#from + alignUp(at - this.#from, GROUP_ALIGNMENT));
  }

  #zeroTo(end: number, next: (end: number) => number): void {
    this.#at = next(end);
    this.#room.fill(0, end, this.#at);
  }

  #endPart(): void {
    const bytes = this.#room.subarray(this.#from, this.#at);
    const position = this.#start;
    if (bytes.byteLength > 0) this.#parts.push({ bytes, position, isFrame: false });
    this.#start += bytes.byteLength;
    this.#from = this.#at;
  }
}
