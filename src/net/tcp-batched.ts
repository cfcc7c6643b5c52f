// The TCP server over the addon in native/. The event loop says that something is ready; then turns
// follow each other: one native call writes and closes for all connections, accepts, and reads all
// that is ready; then each of those has its handler called. Nothing is allocated per request.

import { assert } from '#base/assert.ts';
import type { Clock, Timer } from '#base/clock.ts';
import type { Logger } from '#base/logger.ts';
import type { Registry } from '#metrics/registry.ts';
import { type Addon, CONFIG, REPORT, systemError, TCP_REPORT, WORDS } from './addon.ts';
import { NetError } from './errors.ts';
import { FailureGauge } from './failure-gauge.ts';
import { type Family, formatEndpoint, formatIp, parseIp } from './ip-address.ts';
import { BatchedTcpConnection, type ConnectionWorld } from './tcp-batched-connection.ts';
import { TcpCounts } from './tcp-counts.ts';
import type { OpenTcp, TcpOptions, TcpServer } from './tcp-server.ts';
import {
  BATCH,
  EVENT,
  EVENT_WORDS,
  OPERATION_WORDS,
  type TcpOutput,
  TcpOutputs,
  TcpSlots,
} from './tcp-slots.ts';
import type { TurnSlice } from './turn-slice.ts';

const SWEEP_MS_MAX = 1000;
/** How long nothing is accepted when the system is out of descriptors or memory. */
const ACCEPT_PAUSE_MS = 100;
const ACCEPT = { pause: 0, resume: 1, stop: 2 } as const;
/** Buffers for parts of requests that are kept for the next ones. */
const INPUTS_FREE_MAX = 256;

export interface BatchedTcpWorld {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Registry;
  readonly addon: Addon;
  readonly slice: TurnSlice;
  /** False: a system call for each send and receive, as where the kernel makes none together. */
  readonly isTogether?: boolean;
}

/** `open` binds listeners that native calls serve in batches; one opener serves a whole thread. */
export function batchedTcp(world: BatchedTcpWorld): OpenTcp {
  return async (options) => new BatchedTcpServer(world, options);
}

class BatchedTcpServer implements TcpServer, ConnectionWorld {
  readonly family: Family;
  readonly bound: { readonly address: string; readonly port: number };
  readonly options: TcpOptions;
  readonly slots: TcpSlots;
  readonly deadlines: Float64Array;
  readonly #addon: Addon;
  readonly #clock: Clock;
  readonly #slice: TurnSlice;
  readonly #id: number;
  readonly #report: Int32Array;
  readonly #outputs: TcpOutputs;
  readonly #inputs: Uint8Array[] = [];
  readonly #counts: TcpCounts;
  readonly #failures: FailureGauge;
  /** By slot; made when a slot is used for the first time. */
  readonly #all: BatchedTcpConnection[] = [];
  /** Those that want an operation, in the order they asked: the first `#markedCount`. */
  readonly #marked: BatchedTcpConnection[] = [];
  #markedCount = 0;
  /** Those whose operations the present native call runs. */
  readonly #running: BatchedTcpConnection[] = [];
  readonly #flushMarked = (): void => this.#flushOutside();
  #nowMs = 0;
  #isInTurn = false;
  #isFlushDue = false;
  #isClosed = false;
  #open = 0;
  #nextId = 1;
  #sweep: Timer | undefined;
  #acceptPause: Timer | undefined;
  #closing: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;

  constructor(world: BatchedTcpWorld, options: TcpOptions) {
    const address = new Uint8Array(16);
    const family = parseIp(options.address, address);
    if (family === 0) {
      throw new NetError(
        'NET_ADDRESS_INVALID',
        `Cannot listen on "${options.address}": expected an IPv4 or IPv6 address`,
      );
    }
    this.family = family;
    this.options = options;
    this.#addon = world.addon;
    this.#clock = world.clock;
    this.#slice = world.slice;
    this.slots = new TcpSlots(options.connectionsMax, options.inputBytesMax);
    this.deadlines = new Float64Array(options.connectionsMax).fill(Number.POSITIVE_INFINITY);
    this.#report = wordsOf(options, family, address);
    this.#report[CONFIG.together] = world.isTogether === false ? 0 : 1;
    const words = this.#report.buffer as ArrayBuffer;
    const { shared, input } = this.slots;
    this.#id = world.addon.tcpOpen(words, shared, input, () => this.#onReady());
    if (this.#id < 0) {
      throw new NetError(
        'NET_BIND_FAILED',
        `Cannot open TCP ${formatEndpoint(options.address, options.port)}`,
        { cause: systemError(this.#id, 'listen') },
      );
    }
    this.bound = { address: formatIp(address, family), port: this.#report[REPORT.port]! };
    this.#outputs = new TcpOutputs(world.addon, this.#id, options.outputBytesMax);
    this.#counts = new TcpCounts(world);
    this.#failures = new FailureGauge({
      clock: world.clock,
      logger: world.logger,
      metrics: world.metrics,
      name: `TCP ${formatEndpoint(this.bound.address, this.bound.port)}`,
      onLasting: options.onFailed,
    });
    this.#slice.opened();
  }

  get connections(): number {
    return this.#open;
  }

  close(lingerMs: number): Promise<void> {
    this.#closing ??= this.#close(lingerMs);
    return this.#closing;
  }

  nowMs(): number {
    return this.#isInTurn ? this.#nowMs : this.#clock.monotonicMs();
  }

  takeInput(): Uint8Array {
    return this.#inputs.pop() ?? new Uint8Array(this.options.inputBytesMax);
  }

  giveInput(input: Uint8Array): void {
    if (this.#inputs.length < INPUTS_FREE_MAX) this.#inputs.push(input);
  }

  takeOutput(): TcpOutput {
    return this.#outputs.take();
  }

  giveOutput(output: TcpOutput): void {
    this.#outputs.give(output);
  }

  mark(connection: BatchedTcpConnection): void {
    if (connection.isMarked) return;
    connection.isMarked = true;
    this.#marked[this.#markedCount++] = connection;
    if (this.#isInTurn || this.#isFlushDue) return;
    // Answers that become due together go out together.
    this.#isFlushDue = true;
    queueMicrotask(this.#flushMarked);
  }

  sentBytes(bytes: number): void {
    this.#counts.sent(bytes);
  }

  dropped(reason: string): void {
    this.#counts.dropped(reason);
  }

  gone(connection: BatchedTcpConnection): void {
    this.#open--;
    this.options.handler.onClosed(connection);
    if (this.#open === 0) this.#onEmpty?.();
  }

  async #close(lingerMs: number): Promise<void> {
    this.#acceptPause?.cancel();
    this.#addon.tcpAccept(this.#id, ACCEPT.stop);
    if (this.#open > 0) {
      await new Promise<void>((resolve) => {
        const timer = this.#clock.after(lingerMs, resolve);
        this.#onEmpty = () => {
          timer.cancel();
          resolve();
        };
        for (const connection of this.#all) connection.end();
        if (this.#open === 0) this.#onEmpty();
      });
    }
    this.#isClosed = true;
    this.#sweep?.cancel();
    for (const connection of this.#all) connection.destroy();
    this.#addon.close(this.#id);
    this.#slice.closed();
    this.#counts.close();
  }

  #onReady(): void {
    if (this.#isClosed) return;
    this.#isInTurn = true;
    this.#nowMs = this.#clock.monotonicMs();
    const untilMs = this.#nowMs + this.#slice.ms;
    let events = 0;
    do {
      events = this.#turn(1);
      this.#nowMs = this.#clock.monotonicMs();
    } while ((events > 0 || this.#markedCount > 0) && this.#nowMs < untilMs && !this.#isClosed);
    // What was accepted last is watched by the call after, and what was answered last goes out in it.
    if (events > 0 && !this.#isClosed) this.#turn(0);
    this.#isInTurn = false;
    if (this.#markedCount > 0 && !this.#isClosed) this.#goOnLater();
  }

  /** Answers that became due outside of a turn. */
  #flushOutside(): void {
    this.#isFlushDue = false;
    if (this.#isClosed || this.#isInTurn || this.#markedCount === 0) return;
    this.#isInTurn = true;
    this.#nowMs = this.#clock.monotonicMs();
    // Written answers let pipelined requests go on, which want to be written in turn.
    const untilMs = this.#nowMs + this.#slice.ms;
    do {
      this.#turn(0);
      this.#nowMs = this.#clock.monotonicMs();
    } while (this.#markedCount > 0 && this.#nowMs < untilMs && !this.#isClosed);
    this.#isInTurn = false;
    if (this.#markedCount > 0 && !this.#isClosed) this.#goOnLater();
  }

  #goOnLater(): void {
    this.#isFlushDue = true;
    setImmediate(this.#flushMarked);
  }

  /** Runs operations of up to BATCH connections, then handles what they and others have to say. */
  #turn(mayPoll: 0 | 1): number {
    const { operations } = this.slots;
    const count = this.#writeOperations();
    const eventCount = this.#addon.tcpTurn(this.#id, count, mayPoll);
    const running = this.#running;
    for (let at = 0; at < count; at++) {
      const word = at * OPERATION_WORDS;
      running[at]!.onResult(operations[word + 1]!, operations[word + 5]!, operations[word + 6]!);
    }
    this.#readReport();
    if (eventCount > 0) this.#handleEvents(eventCount);
    return eventCount;
  }

  #handleEvents(eventCount: number): void {
    const { events } = this.slots;
    const { handler } = this.options;
    handler.onTurnStart?.();
    for (let at = 0; at < eventCount; at++) {
      const word = at * EVENT_WORDS;
      const slot = events[word]!;
      const flags = events[word + 1]!;
      const length = events[word + 2]!;
      // It was said to be ready, and was not.
      if (flags === 0 && length === 0) continue;
      const connection = this.#all[slot] ?? this.#newConnection(slot);
      if ((flags & EVENT.isNew) !== 0) {
        this.#open++;
        connection.accept(this.#nextId++, at);
      }
      if (length > 0) this.#counts.received(length);
      connection.onEvent(flags, this.slots.inputs[at]!, length);
    }
    handler.onTurnEnd?.();
  }

  #writeOperations(): number {
    const { operations } = this.slots;
    const marked = this.#marked;
    const asked = this.#markedCount;
    let count = 0;
    let read = 0;
    while (read < asked && count < BATCH) {
      const connection = marked[read++]!;
      connection.isMarked = false;
      if (!connection.writeOperation(operations, count * OPERATION_WORDS)) continue;
      this.#running[count++] = connection;
    }
    for (let at = read; at < asked; at++) marked[at - read] = marked[at]!;
    this.#markedCount = asked - read;
    return count;
  }

  #readReport(): void {
    const report = this.#report;
    const accepted = report[TCP_REPORT.accepted]!;
    if (accepted > 0) {
      this.#counts.accepted(accepted);
      this.#failures.worked('accept');
      this.#sweep ??= this.#nextSweep();
    }
    if (report[TCP_REPORT.tooMany]! > 0) {
      this.#counts.dropped('too many', report[TCP_REPORT.tooMany]!);
    }
    if (report[TCP_REPORT.shed]! > 0) {
      this.#counts.dropped('no descriptors', report[TCP_REPORT.shed]!);
    }
    const errno = report[TCP_REPORT.acceptErrno]! || report[TCP_REPORT.pollErrno]!;
    if (errno !== 0) this.#onAcceptFailed(errno, report[TCP_REPORT.paused] === 1);
  }

  #onAcceptFailed(errno: number, isPaused: boolean): void {
    this.#failures.failed('accept', systemError(errno, 'accept'));
    if (!isPaused) return;
    this.#acceptPause?.cancel();
    this.#acceptPause = this.#clock.after(ACCEPT_PAUSE_MS, () => {
      if (this.#closing === undefined) this.#addon.tcpAccept(this.#id, ACCEPT.resume);
    });
  }

  #newConnection(slot: number): BatchedTcpConnection {
    for (let at = this.#all.length; at <= slot; at++) {
      this.#all.push(new BatchedTcpConnection(this, at));
    }
    const connection = this.#all[slot];
    assert(connection !== undefined, 'slots are numbered from 0');
    return connection;
  }

  /** Runs while there are connections. */
  #nextSweep(): Timer {
    const { idleMsMax, readMsMax, writeMsMax } = this.options;
    const everyMs = Math.min(SWEEP_MS_MAX, Math.min(idleMsMax, readMsMax, writeMsMax) / 4);
    return this.#clock.after(everyMs, () => {
      this.#sweep = undefined;
      if (this.#isClosed) return;
      const nowMs = this.#clock.monotonicMs();
      for (let slot = 0; slot < this.#all.length; slot++) {
        if (this.deadlines[slot]! < nowMs) this.#all[slot]?.onDeadline();
      }
      if (this.#open > 0) this.#sweep = this.#nextSweep();
    });
  }
}

function wordsOf(options: TcpOptions, family: Family, address: Uint8Array): Int32Array {
  const words = new Int32Array(WORDS);
  words[CONFIG.family] = family;
  words[CONFIG.port] = options.port;
  words[CONFIG.shareCount] = options.share?.count ?? 0;
  words[CONFIG.shareIndex] = options.share?.index ?? 0;
  words[CONFIG.inputBytes] = options.inputBytesMax;
  words[CONFIG.outputBytes] = options.outputBytesMax;
  words[CONFIG.backlog] = options.backlog;
  words[CONFIG.connections] = options.connectionsMax;
  words[CONFIG.batch] = BATCH;
  new Uint8Array(words.buffer, CONFIG.addressBytesAt, 16).set(address);
  return words;
}
