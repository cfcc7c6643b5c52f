// The TCP server over the addon in native/: in each turn (tcp-turns.ts) the handler is called for each
// connection that has something to say. Nothing is allocated per request.

import { assert } from '#base/assert.ts';
import type { Clock, Timer } from '#base/clock.ts';
import type { Logger } from '#base/logger.ts';
import type { Registry } from '#metrics/registry.ts';
import { type Addon, CONFIG, REPORT, systemError, WORDS } from './addon.ts';
import { NetError } from './errors.ts';
import { FailureGauge } from './failure-gauge.ts';
import { type Family, formatEndpoint, formatIp, parseIp } from './ip-address.ts';
import { BatchedTcpConnection, type ConnectionWorld } from './tcp-batched-connection.ts';
import { TcpCounts } from './tcp-counts.ts';
import type { OpenTcp, TcpOptions, TcpServer } from './tcp-server.ts';
import { BATCH, EVENT, EVENT_WORDS, type TcpOutput, TcpOutputs, TcpSlots } from './tcp-slots.ts';
import { TcpTurns } from './tcp-turns.ts';
import type { TurnSlice } from './turn-slice.ts';

const SWEEP_MS_MAX = 1000;
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
  readonly #clock: Clock;
  readonly #turns: TcpTurns<BatchedTcpConnection>;
  readonly #outputs: TcpOutputs;
  readonly #inputs: Uint8Array[] = [];
  readonly #counts: TcpCounts;
  /** By slot; made when a slot is used for the first time. */
  readonly #all: BatchedTcpConnection[] = [];
  #isClosed = false;
  #open = 0;
  #nextId = 1;
  #sweep: Timer | undefined;
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
    this.#clock = world.clock;
    this.slots = new TcpSlots(options.connectionsMax, options.inputBytesMax);
    this.deadlines = new Float64Array(options.connectionsMax).fill(Number.POSITIVE_INFINITY);
    const report = wordsOf(options, family, address);
    report[CONFIG.together] = world.isTogether === false ? 0 : 1;
    const words = report.buffer as ArrayBuffer;
    const { shared, input } = this.slots;
    const id = world.addon.tcpOpen(words, shared, input, () => this.#turns.onReady());
    if (id < 0) {
      throw new NetError(
        'NET_BIND_FAILED',
        `Cannot open TCP ${formatEndpoint(options.address, options.port)}`,
        { cause: systemError(id, 'listen') },
      );
    }
    this.bound = { address: formatIp(address, family), port: report[REPORT.port]! };
    this.#outputs = new TcpOutputs(world.addon, id, options.outputBytesMax);
    this.#counts = new TcpCounts(world);
    const failures = new FailureGauge({
      clock: world.clock,
      logger: world.logger,
      metrics: world.metrics,
      name: `TCP ${formatEndpoint(this.bound.address, this.bound.port)}`,
      onLasting: options.onFailed,
    });
    const { addon, clock, slice } = world;
    const { slots } = this;
    const parts = { addon, clock, slice, slots, counts: this.#counts, failures, report };
    this.#turns = new TcpTurns(
      {
        ...parts,
        onEvents: (count) => this.#handleEvents(count),
        onAccepted: () => {
          this.#sweep ??= this.#nextSweep();
        },
      },
      id,
    );
  }

  get connections(): number {
    return this.#open;
  }

  close(lingerMs: number): Promise<void> {
    this.#closing ??= this.#close(lingerMs);
    return this.#closing;
  }

  nowMs(): number {
    return this.#turns.nowMs();
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
    this.#turns.mark(connection);
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
    this.#turns.stopAccepting();
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
    this.#turns.close();
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
