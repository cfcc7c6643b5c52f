// Byte streams over the addon in native/, where many are served by one thread: all that has arrived is
// read by one native call, and what all of them have written in a turn leaves by another
// (docs/decisions/0015-sends-together.md), without an object of Node's for each read and write. UNIX
// sockets, and plain TCP where it listens; TLS, names of hosts and dialled TCP are stream-node.ts's.

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
  BatchedStream,
  type BatchedStreamHost,
  INPUT_BYTES_MAX,
  OUTPUT_BYTES_MAX,
} from './batched-stream.ts';
import {
  type ByteStream,
  type DialStream,
  type ListenStream,
  placeUrl,
  type StreamListener,
  type StreamPlace,
} from './byte-stream.ts';
import { NetError } from './errors.ts';
import { FailureGauge } from './failure-gauge.ts';
import { formatIp, parseIp } from './ip-address.ts';
import { dialNode, listenNode } from './stream-node.ts';
import { BATCH, EVENT, EVENT_WORDS, TcpOutputs, TcpSlots } from './tcp-slots.ts';
import { TcpTurns, type TurnCounts } from './tcp-turns.ts';
import type { TurnSlice } from './turn-slice.ts';

const BACKLOG = 512;
/** As stream-node.ts has it: a peer that is gone without a word is noticed after about this long. */
const KEEP_ALIVE_SECONDS = 30;
/**
 * Parts of such a size stand together in one piece of memory: one for each would cost more than its
 * bytes. Whoever keeps one keeps the piece with it, at most thirty-two times as much.
 */
const SLAB_BYTES = 32 * 1024;
const SLAB_PART_BYTES_MIN = 1024;
const SLAB_PART_BYTES_MAX = 8 * 1024;
/** More are closed unseen; who uses the streams has a bound of its own below. */
const ACCEPTED_MAX = 16_384;
/** Those beyond have Node's sockets. */
const DIALLED_MAX = 256;

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
    const words = wordsOf(place, ACCEPTED_MAX);
    if (words === undefined) return listenNode(place, onStream, onFailed);
    words[CONFIG.backlog] = BACKLOG;
    return new BatchedListener(world, { place, words, onStream, onFailed });
  };
}

/** As DialStream says. Streams to one UNIX socket are served together. */
export function batchedDial(world: BatchedStreamsWorld): DialStream {
  const hosts = new Map<string, DialledStreams>();
  return async (place, signal) => {
    const words = wordsOf(place, DIALLED_MAX);
    if (words === undefined || place.kind !== 'unix') return dialNode(place, signal);
    signal.throwIfAborted();
    const { path } = place;
    let host = hosts.get(path);
    if (host === undefined) {
      host = new DialledStreams(world, place, words, () => hosts.delete(path));
      hosts.set(path, host);
    }
    return host.dial() ?? dialNode(place, signal);
  };
}

/** What a listener and those that dial have in common: one native socket, and its streams by slot. */
abstract class StreamsHost implements BatchedStreamHost {
  readonly slots: TcpSlots;
  readonly outputs: TcpOutputs;
  readonly turns: TcpTurns<BatchedStream>;
  protected readonly id: number;
  readonly #streams: (BatchedStream | undefined)[] = [];
  #slab = new Uint8Array(0);
  #slabUsed = 0;
  #open = 0;

  constructor(
    world: BatchedStreamsWorld,
    parts: {
      readonly words: Int32Array;
      readonly name: string;
      onLasting(error: Error): void;
    },
  ) {
    const { words: report, name, onLasting } = parts;
    const { addon, clock, slice, logger, metrics } = world;
    const slots = new TcpSlots(report[CONFIG.connections]!, INPUT_BYTES_MAX);
    const words = report.buffer as ArrayBuffer;
    const id = addon.tcpOpen(words, slots.shared, slots.input, () => this.turns.onReady());
    if (id < 0) {
      const cause = systemError(id, 'listen');
      const message = `Cannot listen on ${name}: ${cause.code}`;
      throw new NetError('NET_BIND_FAILED', message, { cause });
    }
    this.id = id;
    this.slots = slots;
    this.outputs = new TcpOutputs(addon, id, OUTPUT_BYTES_MAX);
    const failures = new FailureGauge({ clock, logger, metrics, name, onLasting });
    const counts = countsOf(logger, name);
    const onEvents = (count: number): void => this.#onEvents(count);
    const served = { addon, clock, slice, slots, counts, failures, report, onEvents };
    this.turns = new TcpTurns({ ...served, onAccepted: () => undefined }, id);
  }

  gone(stream: BatchedStream): void {
    if (this.#streams[stream.slot] === stream) this.#streams[stream.slot] = undefined;
    this.#open--;
    if (this.#open === 0) this.onEmpty();
  }

  keep(bytes: Uint8Array, length: number): Uint8Array {
    if (length < SLAB_PART_BYTES_MIN || length > SLAB_PART_BYTES_MAX) return bytes.slice(0, length);
    if (this.#slabUsed + length > this.#slab.byteLength) {
      this.#slab = new Uint8Array(SLAB_BYTES);
      this.#slabUsed = 0;
    }
    const at = this.#slabUsed;
    this.#slabUsed += length;
    const copy = this.#slab.subarray(at, this.#slabUsed);
    copy.set(bytes.subarray(0, length));
    return copy;
  }

  protected get isEmpty(): boolean {
    return this.#open === 0;
  }

  protected abstract onEmpty(): void;
  /** Event `at` tells of a new connection. */
  protected abstract onNew(slot: number, at: number): void;

  protected add(slot: number, peer: string): BatchedStream {
    const stream = new BatchedStream(this, slot, peer);
    this.#streams[slot] = stream;
    this.#open++;
    return stream;
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
      if ((flags & EVENT.isNew) !== 0) this.onNew(slot, at);
      this.#streams[slot]?.onEvent(flags, inputs[at]!, length);
    }
  }
}

interface Listening {
  readonly place: StreamPlace;
  readonly words: Int32Array;
  readonly onStream: (stream: ByteStream) => void;
  readonly onFailed: (error: Error) => void;
}

class BatchedListener extends StreamsHost implements StreamListener {
  readonly url: string;
  readonly #listening: Listening;
  #isStopped = false;

  constructor(world: BatchedStreamsWorld, listening: Listening) {
    const { place, words, onFailed } = listening;
    super(world, { words, name: placeUrl(place), onLasting: onFailed });
    this.#listening = listening;
    this.url = placeUrl(place.kind === 'unix' ? place : { ...place, port: words[REPORT.port]! });
  }

  async close(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.turns.stopAccepting();
    if (this.isEmpty) this.turns.close();
  }

  protected override onEmpty(): void {
    if (this.#isStopped) this.turns.close();
  }

  protected override onNew(slot: number, at: number): void {
    const { place, words, onStream } = this.#listening;
    onStream(this.add(slot, place.kind === 'unix' ? 'unix' : this.#peerOf(words, at)));
  }

  #peerOf(words: Int32Array, at: number): string {
    const { addresses, events } = this.slots;
    const from = addresses.subarray(at * 16, at * 16 + 16);
    const address = formatIp(from, words[CONFIG.family] === 4 ? 4 : 6);
    return `${address}:${events[at * EVENT_WORDS + 3]}`;
  }
}

/** To one UNIX socket; there as long as any of them is. */
class DialledStreams extends StreamsHost {
  readonly #addon: Addon;
  readonly #place: StreamPlace;
  readonly #onEmpty: () => void;

  constructor(
    world: BatchedStreamsWorld,
    place: StreamPlace,
    words: Int32Array,
    onEmpty: () => void,
  ) {
    super(world, { words, name: placeUrl(place), onLasting: () => undefined });
    this.#addon = world.addon;
    this.#place = place;
    this.#onEmpty = onEmpty;
  }

  /** Undefined when there are too many. @throws NetError NET_DIAL_FAILED */
  dial(): ByteStream | undefined {
    const slot = this.#addon.tcpDial(this.id);
    if (slot >= 0) return this.add(slot, 'unix');
    const cause = systemError(slot, 'connect');
    if (this.isEmpty) this.onEmpty();
    if (cause.code === 'EMFILE') return undefined;
    const message = `Cannot reach ${placeUrl(this.#place)}: ${cause.code}`;
    throw new NetError('NET_DIAL_FAILED', message, { cause });
  }

  protected override onEmpty(): void {
    this.turns.close();
    this.#onEmpty();
  }

  protected override onNew(): void {
    // Nothing is accepted.
  }
}

/** Undefined for what is left to Node's sockets. */
function wordsOf(place: StreamPlace, connectionsMax: number): Int32Array | undefined {
  const words = new Int32Array(WORDS + PATH_BYTES / 4);
  const bytes = Buffer.from(words.buffer);
  words[CONFIG.inputBytes] = INPUT_BYTES_MAX;
  words[CONFIG.outputBytes] = OUTPUT_BYTES_MAX;
  words[CONFIG.connections] = connectionsMax;
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
