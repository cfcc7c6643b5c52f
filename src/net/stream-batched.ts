// Byte streams over the addon in native/, for a listener with many connections: all that has arrived is
// read by one native call, and what all of them have written in a turn leaves by another
// (docs/decisions/0015-sends-together.md), without an object of Node's for each read and write. UNIX
// sockets and plain TCP; TLS, and names of hosts, are stream-node.ts's.
//
// What is written stands in one output buffer for each stream that owes something, and beyond it in a
// queue. Bytes that arrived are copied out of the arena that the next call reads into.

import { unlinkSync } from 'node:fs';
import type { Clock } from '#base/clock.ts';
import type { Logger } from '#base/logger.ts';
import type { Registry } from '#metrics/registry.ts';
import {
  type Addon,
  CONFIG,
  FAMILY_UNIX,
  PATH_BYTES,
  REPORT,
  systemError,
  WORDS,
} from './addon.ts';
import {
  type ByteStream,
  type ListenStream,
  placeUrl,
  type StreamHandler,
  type StreamListener,
  type StreamPlace,
} from './byte-stream.ts';
import { NetError } from './errors.ts';
import { FailureGauge } from './failure-gauge.ts';
import { formatIp, parseIp } from './ip-address.ts';
import { listenNode } from './stream-node.ts';
import {
  BATCH,
  EVENT,
  EVENT_WORDS,
  OPERATION,
  RESULT,
  type TcpOutput,
  TcpOutputs,
  TcpSlots,
} from './tcp-slots.ts';
import { TcpTurns, type TurnConnection, type TurnCounts } from './tcp-turns.ts';
import type { TurnSlice } from './turn-slice.ts';

const BACKLOG = 512;
/** As stream-node.ts has it: a peer that is gone without a word is noticed after about this long. */
const KEEP_ALIVE_SECONDS = 30;
/** More are closed unseen; who uses the streams has a bound of its own below. */
const CONNECTIONS_MAX = 16_384;
const INPUT_BYTES_MAX = 64 * 1024;
const OUTPUT_BYTES_MAX = 64 * 1024;
/** Of a text of UTF-16, each unit takes at most as many bytes of UTF-8. */
const BYTES_PER_UNIT_MAX = 3;

export interface BatchedStreamsWorld {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Registry;
  readonly addon: Addon;
  readonly slice: TurnSlice;
}

/** As ListenStream says. Of a UNIX socket the file must not be there, and goes when it is closed. */
export function batchedStreams(world: BatchedStreamsWorld): ListenStream {
  return async (place, onStream, onFailed) => {
    const words = wordsOf(place);
    if (words === undefined) return listenNode(place, onStream, onFailed);
    return new BatchedListener(world, { place, words, onStream, onFailed });
  };
}

interface Listening {
  readonly place: StreamPlace;
  readonly words: Int32Array;
  readonly onStream: (stream: ByteStream) => void;
  readonly onFailed: (error: Error) => void;
}

class BatchedListener implements StreamListener {
  readonly url: string;
  readonly slots = new TcpSlots(CONNECTIONS_MAX, INPUT_BYTES_MAX);
  readonly outputs: TcpOutputs;
  readonly turns: TcpTurns<BatchedStream>;
  readonly #listening: Listening;
  /** By slot. */
  readonly #streams: (BatchedStream | undefined)[] = [];
  #open = 0;
  #isStopped = false;

  constructor(world: BatchedStreamsWorld, listening: Listening) {
    const { place, words: report } = listening;
    this.#listening = listening;
    const { shared, input } = this.slots;
    const words = report.buffer as ArrayBuffer;
    const id = world.addon.tcpOpen(words, shared, input, () => this.turns.onReady());
    if (id < 0) {
      const cause = systemError(id, 'listen');
      const message = `Cannot listen on ${placeUrl(place)}: ${cause.code}`;
      throw new NetError('NET_BIND_FAILED', message, { cause });
    }
    const bound = place.kind === 'unix' ? place : { ...place, port: report[REPORT.port]! };
    this.url = placeUrl(bound);
    this.outputs = new TcpOutputs(world.addon, id, OUTPUT_BYTES_MAX);
    const { clock, logger, metrics } = world;
    const onLasting = listening.onFailed;
    const failures = new FailureGauge({ clock, logger, metrics, name: this.url, onLasting });
    const { addon, slice } = world;
    const { slots } = this;
    const counts = countsOf(logger, this.url);
    const onEvents = (count: number): void => this.#onEvents(count);
    const parts = { addon, clock, slice, slots, counts, failures, report, onEvents };
    this.turns = new TcpTurns({ ...parts, onAccepted: () => undefined }, id);
  }

  async close(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.turns.stopAccepting();
    const { place } = this.#listening;
    if (place.kind === 'unix') removeSocket(place.path);
    if (this.#open === 0) this.turns.close();
  }

  gone(stream: BatchedStream): void {
    if (this.#streams[stream.slot] === stream) this.#streams[stream.slot] = undefined;
    this.#open--;
    if (this.#isStopped && this.#open === 0) this.turns.close();
  }

  #onEvents(count: number): void {
    const { events, inputs } = this.slots;
    for (let at = 0; at < count; at++) {
      const word = at * EVENT_WORDS;
      const slot = events[word]!;
      const flags = events[word + 1]!;
      const length = events[word + 2]!;
      // It was said to be ready, and was not.
      if (flags === 0 && length === 0) continue;
      if ((flags & EVENT.isNew) !== 0) this.#accept(slot, at);
      this.#streams[slot]?.onEvent(flags, inputs[at]!, length);
    }
  }

  #accept(slot: number, at: number): void {
    const { events, addresses } = this.slots;
    let peer = 'unix';
    if (this.#listening.place.kind === 'tcp') {
      const family = this.#listening.words[CONFIG.family] === 4 ? 4 : 6;
      const address = formatIp(addresses.subarray(at * 16, at * 16 + 16), family);
      peer = `${address}:${events[at * EVENT_WORDS + 3]}`;
    }
    const stream = new BatchedStream(this, slot, peer);
    this.#streams[slot] = stream;
    this.#open++;
    this.#listening.onStream(stream);
  }
}

class BatchedStream implements ByteStream, TurnConnection {
  readonly peer: string;
  readonly slot: number;
  isMarked = false;
  readonly #listener: BatchedListener;
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

  constructor(listener: BatchedListener, slot: number, peer: string) {
    this.#listener = listener;
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
    if (!this.#isBlocked) this.#listener.turns.mark(this);
  }

  /** Whatever is written waits for the end of the turn. */
  gather(): void {}

  pause(): void {
    if (this.#isPaused || !this.#isOpen) return;
    this.#isPaused = true;
    this.#listener.slots.rooms[this.slot] = 0;
  }

  resume(): void {
    if (!this.#isPaused || !this.#isOpen) return;
    this.#isPaused = false;
    this.#listener.slots.rooms[this.slot] = INPUT_BYTES_MAX;
    this.#listener.turns.mark(this);
  }

  end(): void {
    if (this.#isEnding || !this.#isOpen) return;
    this.#isEnding = true;
    if (!this.#isBlocked) this.#listener.turns.mark(this);
  }

  destroy(): void {
    if (!this.#isOpen) return;
    this.#close();
    this.#listener.turns.mark(this);
  }

  /** Its bytes stand in `bytes` until the next native call. */
  onEvent(flags: number, bytes: Uint8Array, length: number): void {
    if (!this.#isOpen) return;
    if (length > 0) this.#give(bytes.slice(0, length));
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
      if ((resultFlags & RESULT.closed) !== 0) this.#listener.gone(this);
      return;
    }
    if (result < 0) {
      this.destroy();
      return;
    }
    if ((resultFlags & RESULT.closed) !== 0) {
      this.#close();
      this.#listener.gone(this);
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
    if (wantsRead || wantsWrite || wantsEnd) this.#listener.turns.mark(this);
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
    if (this.#output !== undefined) this.#listener.outputs.give(this.#output);
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
    this.#output ??= this.#listener.outputs.take();
    return this.#output;
  }

  /** The native side follows. Whoever calls is never called back before it returns. */
  #close(): void {
    this.#isOpen = false;
    if (this.#output !== undefined) this.#listener.outputs.give(this.#output);
    this.#output = undefined;
    this.#outputLength = 0;
    this.#sent = 0;
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    const handler = this.#handler;
    if (handler !== undefined) queueMicrotask(() => handler.onClosed(undefined));
  }
}

/** Undefined for what is left to Node's sockets. */
function wordsOf(place: StreamPlace): Int32Array | undefined {
  const words = new Int32Array(WORDS + PATH_BYTES / 4);
  const bytes = Buffer.from(words.buffer);
  words[CONFIG.inputBytes] = INPUT_BYTES_MAX;
  words[CONFIG.outputBytes] = OUTPUT_BYTES_MAX;
  words[CONFIG.backlog] = BACKLOG;
  words[CONFIG.connections] = CONNECTIONS_MAX;
  words[CONFIG.batch] = BATCH;
  words[CONFIG.together] = 1;
  words[CONFIG.keepAlive] = KEEP_ALIVE_SECONDS;
  if (place.kind === 'unix') {
    // A longer path is Node's to refuse.
    if (Buffer.byteLength(place.path) >= PATH_BYTES || place.path.includes('\0')) return undefined;
    words[CONFIG.family] = FAMILY_UNIX;
    bytes.write(place.path, WORDS * 4);
    return words;
  }
  if (place.tls !== undefined) return undefined;
  const address = new Uint8Array(16);
  const family = parseIp(place.host, address);
  if (family === 0) return undefined;
  words[CONFIG.family] = family;
  words[CONFIG.port] = place.port;
  bytes.set(address, CONFIG.addressBytesAt);
  return words;
}

/** Who uses the streams counts them; what it never saw is told here. */
function countsOf(logger: Logger, listener: string): TurnCounts {
  return {
    accepted: () => undefined,
    dropped: (reason, connections) =>
      logger.warn('Connections were closed unseen', { listener, reason, connections }),
    close: () => undefined,
  };
}

function removeSocket(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Somebody was quicker.
  }
}
