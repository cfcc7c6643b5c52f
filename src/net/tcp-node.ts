// The TCP server over node:net. A chunk that does not fit a connection's input waits in `#rest` with
// the socket paused, so a connection never holds more than its buffers and one chunk of Node's.

import { createServer, type Server, type Socket } from 'node:net';
import { assert } from '#base/assert.ts';
import type { Clock, Timer } from '#base/clock.ts';
import type { Logger } from '#base/logger.ts';
import type { Registry } from '#metrics/registry.ts';
import { NetError } from './errors.ts';
import { FailureGauge } from './failure-gauge.ts';
import { type Family, formatEndpoint, parseIp } from './ip-address.ts';
import type { OpenTcp, TcpConnection, TcpOptions, TcpServer } from './tcp-server.ts';

const MS_TO_BIND_MAX = 5000;
const SWEEP_MS_MAX = 1000;
/** Buffers of closed connections kept for the next ones. */
const BUFFERS_FREE_MAX = 256;

export interface NodeTcpWorld {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Registry;
}

type Counter = ReturnType<Registry['counter']>;

interface Buffers {
  readonly input: Uint8Array;
  readonly output: Uint8Array;
}

interface Counters {
  readonly accepted: Counter;
  readonly dropped: Counter;
  readonly bytes: Counter;
}

/** Listeners of Node's own, by which event they tell of a connection that can be spoken to. */
export interface NodeListeners {
  readonly event: 'connection' | 'secureConnection';
  make(): Server;
}

const PLAIN: NodeListeners = {
  event: 'connection',
  make: () => createServer({ allowHalfOpen: true, noDelay: true }),
};

/** `open` binds listeners of Node's own; one such opener serves a whole thread. */
export function nodeTcp(world: NodeTcpWorld, listeners: NodeListeners = PLAIN): OpenTcp {
  const { metrics } = world;
  const counters: Counters = {
    accepted: metrics.counter('swarmkeep_tcp_connections_total', 'TCP connections accepted.'),
    dropped: metrics.counter(
      'swarmkeep_tcp_connections_dropped_total',
      'TCP connections that were closed by the server before their end, by reason.',
    ),
    bytes: metrics.counter('swarmkeep_tcp_bytes_total', 'Bytes over TCP, by direction.'),
  };
  return async (options) => {
    const family = parseIp(options.address, new Uint8Array(16));
    if (family === 0) {
      throw new NetError(
        'NET_ADDRESS_INVALID',
        `Cannot listen on "${options.address}": expected an IPv4 or IPv6 address`,
      );
    }
    if (options.share?.index === 0 && options.port !== 0) {
      // A port that is shared inside this process must not be taken from another one's hands.
      const { share: _, ...alone } = options;
      const probe = createServer();
      await listen(probe, { options: alone, family, clock: world.clock });
      await new Promise<void>((resolve) => probe.close(() => resolve()));
    }
    const server = listeners.make();
    await listen(server, { options, family, clock: world.clock });
    const { event } = listeners;
    return new NodeTcpServer({ server, event, family, options, world, counters });
  };
}

function listen(
  server: Server,
  where: { readonly options: TcpOptions; readonly family: Family; readonly clock: Clock },
): Promise<void> {
  const { address, port, backlog } = where.options;
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void => {
      timer.cancel();
      server.close();
      const endpoint = formatEndpoint(address, port);
      reject(new NetError('NET_BIND_FAILED', `Cannot open TCP ${endpoint}`, { cause }));
    };
    const timer = where.clock.after(MS_TO_BIND_MAX, () =>
      fail(new Error('no answer in 5 seconds')),
    );
    server.once('error', fail);
    const ipv6Only = where.family === 6;
    const reusePort = where.options.share !== undefined;
    server.listen({ host: address, port, backlog, ipv6Only, reusePort, exclusive: true }, () => {
      timer.cancel();
      server.removeListener('error', fail);
      resolve();
    });
  });
}

class NodeTcpServer implements TcpServer {
  readonly family: Family;
  readonly bound: { readonly address: string; readonly port: number };
  readonly options: TcpOptions;
  readonly counters: Counters;
  readonly clock: Clock;
  readonly #server: Server;
  readonly #failures: FailureGauge;
  readonly #connections = new Set<NodeTcpConnection>();
  readonly #free: Buffers[] = [];
  #sweep: Timer;
  #nextId = 1;
  #closing: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;

  constructor(parts: {
    readonly server: Server;
    readonly event: NodeListeners['event'];
    readonly family: Family;
    readonly options: TcpOptions;
    readonly world: NodeTcpWorld;
    readonly counters: Counters;
  }) {
    const { server, options, world } = parts;
    const bound = server.address();
    assert(bound !== null && typeof bound === 'object', 'a TCP listener has an address and port');
    this.family = parts.family;
    this.bound = { address: bound.address, port: bound.port };
    this.options = options;
    this.counters = parts.counters;
    this.clock = world.clock;
    this.#server = server;
    this.#failures = new FailureGauge({
      clock: world.clock,
      logger: world.logger,
      metrics: world.metrics,
      name: `TCP ${formatEndpoint(bound.address, bound.port)}`,
      onLasting: options.onFailed,
    });
    const isTls = parts.event === 'secureConnection';
    server.on(parts.event, (socket: Socket) => this.#accept(socket, isTls));
    server.on('error', (error) => this.#failures.failed('accept', error));
    this.#sweep = this.#nextSweep();
  }

  get connections(): number {
    return this.#connections.size;
  }

  close(lingerMs: number): Promise<void> {
    this.#closing ??= this.#close(lingerMs);
    return this.#closing;
  }

  buffers(): Buffers {
    const { inputBytesMax, outputBytesMax } = this.options;
    return (
      this.#free.pop() ?? {
        input: new Uint8Array(inputBytesMax),
        output: new Uint8Array(outputBytesMax),
      }
    );
  }

  gone(connection: NodeTcpConnection): void {
    this.#connections.delete(connection);
    this.options.handler.onClosed(connection);
    const { input, output } = connection;
    if (this.#free.length < BUFFERS_FREE_MAX) this.#free.push({ input, output });
    if (this.#connections.size === 0) this.#onEmpty?.();
  }

  async #close(lingerMs: number): Promise<void> {
    this.#sweep.cancel();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    if (this.#connections.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = this.clock.after(lingerMs, resolve);
        this.#onEmpty = () => {
          timer.cancel();
          resolve();
        };
        for (const connection of this.#connections) connection.end();
        if (this.#connections.size === 0) this.#onEmpty();
      });
    }
    for (const connection of this.#connections) connection.destroy();
    await closed;
  }

  #accept(socket: Socket, isTls: boolean): void {
    const address = new Uint8Array(16);
    const { remoteAddress, remotePort } = socket;
    // A peer that left between the kernel's accept and now has no address any more.
    const family = remoteAddress === undefined ? 0 : parseIp(withoutZone(remoteAddress), address);
    if (family === 0 || remotePort === undefined) {
      this.counters.dropped.add(1, { reason: 'gone at accept' });
      socket.on('error', () => undefined);
      socket.destroy();
      return;
    }
    if (this.#connections.size >= this.options.connectionsMax || this.#closing !== undefined) {
      this.counters.dropped.add(1, { reason: 'too many' });
      socket.on('error', () => undefined);
      socket.destroy();
      return;
    }
    this.#failures.worked('accept');
    this.counters.accepted.add(1);
    const id = this.#nextId++;
    this.#connections.add(
      new NodeTcpConnection(this, socket, { id, family, address, port: remotePort, isTls }),
    );
  }

  #nextSweep(): Timer {
    const { idleMsMax, readMsMax, writeMsMax } = this.options;
    const everyMs = Math.min(SWEEP_MS_MAX, Math.min(idleMsMax, readMsMax, writeMsMax) / 4);
    return this.clock.after(everyMs, () => {
      const nowMs = this.clock.monotonicMs();
      for (const connection of this.#connections) connection.check(nowMs);
      if (this.#closing === undefined) this.#sweep = this.#nextSweep();
    });
  }
}

class NodeTcpConnection implements TcpConnection {
  readonly id: number;
  readonly family: Family;
  readonly address: Uint8Array;
  readonly port: number;
  readonly isTls: boolean;
  readonly input: Uint8Array;
  readonly output: Uint8Array;
  context: object | undefined = undefined;
  inputLength = 0;
  outputLength = 0;
  readonly #server: NodeTcpServer;
  readonly #socket: Socket;
  /** A chunk that did not fit; the socket is paused while there is one. */
  #rest: Buffer | undefined;
  #held = false;
  #ending = false;
  #peerEnded = false;
  #gone = false;
  #handling = false;
  #writing = 0;
  /** Monotonic, since when the present state lasts. */
  #inputSinceMs = 0;
  #writeSinceMs = 0;
  #idleSinceMs: number;
  #idleMsMax: number;

  constructor(
    server: NodeTcpServer,
    socket: Socket,
    peer: {
      readonly id: number;
      readonly family: Family;
      readonly address: Uint8Array;
      readonly port: number;
      readonly isTls: boolean;
    },
  ) {
    this.id = peer.id;
    this.family = peer.family;
    this.address = peer.address;
    this.port = peer.port;
    this.isTls = peer.isTls;
    const { input, output } = server.buffers();
    this.input = input;
    this.output = output;
    this.#server = server;
    this.#socket = socket;
    this.#idleSinceMs = server.clock.monotonicMs();
    this.#idleMsMax = server.options.idleMsMax;
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('end', () => this.#onPeerEnd());
    // A reset connection is the peer's business; 'close' follows and is what counts.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#onClose());
  }

  consume(bytes: number): void {
    assert(bytes >= 0 && bytes <= this.inputLength, 'only what arrived is consumed');
    this.input.copyWithin(0, bytes, this.inputLength);
    this.inputLength -= bytes;
    this.#inputSinceMs = this.#server.clock.monotonicMs();
  }

  produce(bytes: number): void {
    assert(bytes >= 0 && this.outputLength + bytes <= this.output.length, 'the output fits');
    this.outputLength += bytes;
  }

  hold(): void {
    this.#held = true;
  }

  release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#inputSinceMs = this.#server.clock.monotonicMs();
    this.#idleSinceMs = this.#inputSinceMs;
    this.#handle();
  }

  setIdle(idleMs: number): void {
    this.#idleMsMax = idleMs;
    this.#idleSinceMs = this.#server.clock.monotonicMs();
  }

  flush(): void {
    if (this.#gone || this.#writing > 0 || this.outputLength === 0) return;
    const length = this.outputLength;
    const bytes = Buffer.from(this.output.subarray(0, length));
    this.outputLength = 0;
    this.#writing = length;
    this.#writeSinceMs = this.#server.clock.monotonicMs();
    this.#socket.write(bytes, (error) => {
      this.#writing = 0;
      if (error == null) this.#onWritten(length);
    });
  }

  end(): void {
    if (this.#ending || this.#gone) return;
    this.#ending = true;
    this.inputLength = 0;
    this.#rest = undefined;
    this.#idleSinceMs = this.#server.clock.monotonicMs();
    this.flush();
    this.#finish();
  }

  destroy(): void {
    this.#socket.destroy();
    this.#onClose();
  }

  /** Ends the connection when a deadline has passed. */
  check(nowMs: number): void {
    const { readMsMax, writeMsMax } = this.#server.options;
    let reason = '';
    if (this.#writing > 0) {
      if (nowMs - this.#writeSinceMs > writeMsMax) reason = 'slow reader';
    } else if (this.#ending) {
      if (nowMs - this.#idleSinceMs > writeMsMax) reason = 'slow close';
    } else if (this.#held) return;
    else if (this.inputLength > 0) {
      if (nowMs - this.#inputSinceMs > readMsMax) reason = 'slow request';
    } else if (nowMs - this.#idleSinceMs > this.#idleMsMax) reason = 'idle';
    if (reason === '') return;
    this.#server.counters.dropped.add(1, { reason });
    this.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#server.counters.bytes.add(chunk.byteLength, { direction: 'in' });
    if (this.#ending || this.#gone) return;
    assert(this.#rest === undefined, 'a paused socket gives no data');
    this.#rest = chunk;
    this.#fill();
    this.#handle();
  }

  /** Moves what fits from the waiting chunk into the input. */
  #fill(): void {
    const rest = this.#rest;
    if (rest === undefined) return;
    const length = Math.min(this.input.length - this.inputLength, rest.byteLength);
    if (this.inputLength === 0) this.#inputSinceMs = this.#server.clock.monotonicMs();
    this.input.set(rest.subarray(0, length), this.inputLength);
    this.inputLength += length;
    this.#rest = length < rest.byteLength ? rest.subarray(length) : undefined;
  }

  /** Lets the handler take what is there until it takes no more, then sends. */
  #handle(): void {
    if (this.#handling) return;
    this.#handling = true;
    while (this.inputLength > 0 && !this.#held && !this.#ending && !this.#gone) {
      const before = this.inputLength;
      this.#server.options.handler.onInput(this);
      this.flush();
      if (this.#ending || this.#gone) break;
      const took = before - this.inputLength;
      this.#fill();
      if (took === 0 && this.#isStuck()) {
        this.#server.counters.dropped.add(1, { reason: 'input full' });
        this.destroy();
        break;
      }
      // Nothing taken: more input or an emptier output is needed, and both call again.
      if (took === 0 || this.outputLength > 0) break;
    }
    this.#handling = false;
    if (this.#gone) return;
    this.#idleSinceMs = this.#server.clock.monotonicMs();
    if (this.#peerEnded && !this.#held && !this.#ending && this.#writing === 0) this.end();
    else this.#steer();
  }

  #isStuck(): boolean {
    const isFull = this.inputLength === this.input.length;
    return isFull && !this.#held && this.#writing === 0 && this.outputLength === 0;
  }

  /** Reads on only when there is room, nothing is owed and nobody is waited for. */
  #steer(): void {
    const isBlocked = this.#rest !== undefined || this.inputLength === this.input.length;
    if (!this.#ending && (isBlocked || this.outputLength > 0)) this.#socket.pause();
    else this.#socket.resume();
  }

  #onWritten(length: number): void {
    this.#server.counters.bytes.add(length, { direction: 'out' });
    if (this.#gone) return;
    this.flush();
    if (this.#ending) this.#finish();
    else this.#handle();
  }

  #onPeerEnd(): void {
    this.#peerEnded = true;
    if (this.#gone || this.#ending) return;
    this.#handle();
  }

  #finish(): void {
    if (this.#writing > 0 || this.outputLength > 0) return;
    // With both directions ended the socket closes by itself; a peer that does not end is dropped
    // by the deadline.
    this.#socket.end();
    this.#socket.resume();
  }

  #onClose(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.inputLength = 0;
    this.outputLength = 0;
    this.#rest = undefined;
    this.#server.gone(this);
  }
}

function withoutZone(address: string): string {
  const zone = address.indexOf('%');
  return zone < 0 ? address : address.slice(0, zone);
}
