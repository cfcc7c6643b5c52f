// A stream of a file's bytes over a WebSocket: one request is answered by the map and then by the segments in
// order, the next one read while one is on its way. "Stop" ends it at once and drops what was read. The
// format is told in docs/piece-stream.md.
//
//   reader  {"do":"send","id":1,"start":0,"end":9}   both ends may be left out; "map":false: without it
//           {"do":"stop","id":1}
//   archive {"id":1,"map":{…}}                        as by HTTP
//           4 bytes id, 8 bytes offset (little endian), up to 256 KiB of the file from that offset
//           {"id":1,"hole":{"start":4,"end":8}}       these cannot be given now
//           {"id":1,"done":true} | {"id":1,"stopped":true} | {"id":1,"error":"words"}

import { type FileMap, segmentRef } from '#archive/content/file-map.ts';
import { segmentLength } from '#archive/content/segments.ts';
import type { Clock } from '#base/clock.ts';
import { codeOf } from '#base/errors.ts';
import type { Store } from '#store/store.ts';
import type { MessageStream } from '#store/upload/message-stream.ts';
import { WS_CLOSE } from '#wire/ws-frame.ts';
import type { GrantedFile } from './piece-door.ts';

const TEXT_CHARS_MAX = 1024;
/** That wait for their turn, of one connection. */
const WAITING_MAX = 32;
const PART_BYTES = 256 * 1024;
const HEAD_BYTES = 12;
const UNSENT_BYTES_MAX = 1024 * 1024;
/** A reader that takes nothing for so long has gone. */
const STALL_MS_MAX = 60_000;
/** Between two requests. */
const IDLE_MS_MAX = 300_000;

interface Send {
  readonly id: number;
  readonly start: number;
  readonly end: number;
  readonly isMapWanted: boolean;
  readonly stop: AbortController;
}

export interface PieceStreamParts {
  readonly clock: Clock;
  readonly granted: GrantedFile;
  readonly messages: MessageStream;
  readonly segments: Pick<Store, 'get'>;
  readonly view: () => Promise<Iterable<string>>;
  readonly onSent: (bytes: number) => void;
  readonly onClosed: () => void;
}

export class PieceStream {
  readonly #parts: PieceStreamParts;
  readonly #sends: Send[] = [];
  #drained = Promise.withResolvers<void>();
  #isClosed = false;
  #isServing = false;
  #idle: { cancel(): void } | undefined;

  constructor(parts: PieceStreamParts) {
    this.#parts = parts;
  }

  /** Once. */
  start(): void {
    this.#rest();
    this.#parts.messages.start({
      onText: (text) => this.#hear(text),
      onBytes: () => this.#parts.messages.close(WS_CLOSE.invalidData),
      onDrain: () => this.#drained.resolve(),
      onClosed: () => {
        this.#isClosed = true;
        this.#idle?.cancel();
        for (const { stop } of this.#sends) stop.abort();
        this.#drained.resolve();
        this.#parts.onClosed();
      },
    });
  }

  close(): void {
    this.#parts.messages.destroy();
  }

  #hear(text: string): void {
    const { messages, granted } = this.#parts;
    const asked = text.length > TEXT_CHARS_MAX ? undefined : parseAsked(text);
    if (asked === undefined) {
      messages.close(WS_CLOSE.invalidData);
      return;
    }
    const { id } = asked;
    const known = this.#sends.find((send) => send.id === id);
    if (asked.do === 'stop') {
      // One that is done already was answered so.
      known?.stop.abort();
      return;
    }
    const { start = 0, end = granted.map.bytes } = asked;
    if (known !== undefined || this.#sends.length >= WAITING_MAX) {
      this.#say({ id, error: 'There are too many requests, or one with this id' });
    } else if (start > end || end > granted.map.bytes) {
      this.#say({ id, error: 'The file has no such range' });
    } else {
      const stop = new AbortController();
      this.#sends.push({ id, start, end, isMapWanted: asked.map !== false, stop });
      void this.#serve();
    }
  }

  /** One after the other. Never rejects. */
  async #serve(): Promise<void> {
    if (this.#isServing) return;
    this.#isServing = true;
    this.#idle?.cancel();
    for (let send = this.#sends[0]; send !== undefined && !this.#isClosed; send = this.#sends[0]) {
      const { id, stop } = send;
      try {
        if (!stop.signal.aborted) await this.#give(send);
        this.#say(stop.signal.aborted ? { id, stopped: true } : { id, done: true });
      } catch (error) {
        const words = `It cannot be given now: ${codeOf(error) ?? 'an error'}`;
        this.#say(stop.signal.aborted ? { id, stopped: true } : { id, error: words });
      }
      this.#sends.shift();
    }
    this.#isServing = false;
    this.#rest();
  }

  async #give(send: Send): Promise<void> {
    const { granted, messages, view } = this.#parts;
    const { id, start, end, isMapWanted, stop } = send;
    if (isMapWanted) messages.sendText(`{"id":${id},"map":${[...(await view())].join('')}}`);
    if (start === end) return;
    const { map } = granted;
    const last = Math.floor((end - 1) / map.segmentBytes);
    const first = Math.floor(start / map.segmentBytes);
    let next = this.#segment(map, first, stop.signal);
    for (let number = first; number <= last; number++) {
      const bytes = await next;
      if (stop.signal.aborted) return;
      if (number < last) next = this.#segment(map, number + 1, stop.signal);
      const from = number * map.segmentBytes;
      const [low, high] = [Math.max(start, from), Math.min(end, from + segmentLength(map, number))];
      if (bytes === undefined) this.#say({ id, hole: { start: low, end: high } });
      else await this.#sendRange(send, bytes.subarray(low - from, high - from), low);
    }
  }

  /** Undefined when it cannot be given; never rejects. */
  async #segment(
    map: FileMap,
    number: number,
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    try {
      const bytes = await this.#parts.segments.get(segmentRef(map, number), { signal });
      return bytes.length === segmentLength(map, number) ? bytes : undefined;
    } catch {
      return undefined;
    }
  }

  async #sendRange({ id, stop }: Send, bytes: Uint8Array, offset: number): Promise<void> {
    const { messages, granted, onSent } = this.#parts;
    for (let at = 0; at < bytes.length; at += PART_BYTES) {
      await this.#roomToSend(stop.signal);
      if (stop.signal.aborted) return;
      if (!(await granted.mayStay())) {
        messages.close(WS_CLOSE.policy);
        stop.abort();
        return;
      }
      const part = bytes.subarray(at, at + PART_BYTES);
      const message = new Uint8Array(HEAD_BYTES + part.length);
      const view = new DataView(message.buffer);
      view.setUint32(0, id, true);
      view.setBigUint64(4, BigInt(offset + at), true);
      message.set(part, HEAD_BYTES);
      messages.sendBytes(message);
      onSent(part.length);
    }
  }

  /** Resolves when the reader has taken most of what was sent, or wants no more. */
  async #roomToSend(signal: AbortSignal): Promise<void> {
    const { messages, clock } = this.#parts;
    while (messages.unsentBytes > UNSENT_BYTES_MAX && !this.#isClosed && !signal.aborted) {
      const drained = Promise.withResolvers<void>();
      this.#drained = drained;
      const stalled = clock.after(STALL_MS_MAX, () => messages.destroy());
      const stopped = (): void => drained.resolve();
      signal.addEventListener('abort', stopped, { once: true });
      await drained.promise;
      signal.removeEventListener('abort', stopped);
      stalled.cancel();
    }
  }

  #say(answer: object): void {
    this.#parts.messages.sendText(JSON.stringify(answer));
  }

  #rest(): void {
    if (this.#isClosed) return;
    const { clock, messages } = this.#parts;
    this.#idle = clock.after(IDLE_MS_MAX, () => messages.close(WS_CLOSE.normal));
  }
}

interface Asked {
  readonly do: 'send' | 'stop';
  readonly id: number;
  readonly start?: number;
  readonly end?: number;
  readonly map?: unknown;
}

/** Undefined when it is no message of this. */
function parseAsked(text: string): Asked | undefined {
  let asked: Partial<Asked> | null;
  try {
    asked = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof asked !== 'object' || asked === null) return undefined;
  const { do: verb, id, start, end } = asked;
  if (verb !== 'send' && verb !== 'stop') return undefined;
  if (!isWhole(id) || id > 0xffff_ffff) return undefined;
  if ((start !== undefined && !isWhole(start)) || (end !== undefined && !isWhole(end))) {
    return undefined;
  }
  return { ...asked, do: verb, id };
}

function isWhole(number: unknown): number is number {
  return Number.isSafeInteger(number) && Number(number) >= 0;
}
