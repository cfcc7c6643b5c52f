// The log server: a BatchLog for others, over whatever streams it is given. docs/log-protocol.md is
// what it speaks. One timer looks at the deadlines of all connections.

import type { Clock, Timer } from '#base/clock.ts';
import { messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import type { Random } from '#base/random.ts';
import type { BatchLog } from '#log/batch-log.ts';
import type { LogConfig } from '#log/config.ts';
import { LogError } from '#log/errors.ts';
import type { Registry } from '#metrics/registry.ts';
import type { ByteStream, ListenStream, StreamListener, StreamPlace } from '#net/byte-stream.ts';
import { errorLine, type ServerLimits } from './protocol.ts';
import { ServerConnection } from './server-connection.ts';
import { ServerMetrics } from './server-metrics.ts';

const SWEEP_MS_MIN = 10;
const SWEEP_MS_MAX = 1000;
const SECRET_BYTES_MIN = 16;

export interface LogServerWorld {
  /** Stays open when the server closes. */
  readonly log: BatchLog;
  readonly clock: Clock;
  /** Of secrets' quality: challenges come from it. */
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Registry;
  readonly config: LogConfig;
  /** At least 16 bytes. Without one, whoever can connect may do everything. */
  readonly secret?: Uint8Array;
  /** Accepting failed for good. */
  onFailed?(error: Error): void;
}

export class LogServer {
  readonly #world: LogServerWorld;
  readonly #metrics: ServerMetrics;
  readonly #limits: ServerLimits;
  readonly #listeners: StreamListener[] = [];
  readonly #connections = new Set<ServerConnection>();
  readonly #sinceMs: number;
  #accepted = 0;
  #sweepTimer: Timer | undefined;
  #onGone: (() => void) | undefined;
  #turn: (() => void)[] = [];
  #closing: Promise<void> | undefined;

  /** @throws LogError LOG_AUTH_FAILED for a secret that is too short */
  constructor(world: LogServerWorld) {
    const { config, log, secret } = world;
    if (secret !== undefined && secret.byteLength < SECRET_BYTES_MIN) {
      throw new LogError(
        'LOG_AUTH_FAILED',
        `Cannot use the secret: ${secret.byteLength} bytes, expected at least ${SECRET_BYTES_MIN}`,
      );
    }
    this.#world = world;
    this.#metrics = new ServerMetrics(world.metrics);
    this.#sinceMs = world.clock.nowMs();
    this.#limits = {
      protocol: 1,
      id: log.id,
      epoch: log.epoch,
      batchBytesMax: config.batchBytesMax,
      batchRecordsMax: config.batchRecordsMax,
      readRecordsMax: config.readRecordsMax,
      readBytesMax: config.readBytesMax,
      requestsMax: config.serverRequestsMax,
      waitMsMax: config.serverWaitMsMax,
      idleMs: config.serverIdleMs,
    };
  }

  /** Takes connections there as well. @throws as ListenStream */
  async listen(listen: ListenStream, place: StreamPlace): Promise<StreamListener> {
    const listener = await listen(
      place,
      (stream) => this.accept(stream),
      (error) => {
        this.#world.logger.error('A listener failed', { error: messageOf(error) });
        this.#world.onFailed?.(error);
      },
    );
    this.#listeners.push(listener);
    return listener;
  }

  /** Serves one stream, wherever it comes from, until either side ends it. */
  accept(stream: ByteStream): void {
    const { serverConnectionsMax } = this.#world.config;
    if (this.#closing !== undefined || this.#connections.size >= serverConnectionsMax) {
      this.#metrics.refused.add(1);
      refuse(stream, serverConnectionsMax);
      return;
    }
    this.#accepted++;
    this.#metrics.accepted.add(1);
    const connection = new ServerConnection(
      {
        ...this.#world,
        secret: this.#world.secret,
        metrics: this.#metrics,
        limits: this.#limits,
        serverStats: () => this.stats,
        onClosed: (closed) => this.#forget(closed),
        nextTurn: (run) => this.#nextTurn(run),
      },
      stream,
    );
    this.#connections.add(connection);
    this.#metrics.connections.set(this.#connections.size);
    this.#sweepSoon();
  }

  /** Counts for STATS and for tests that see whether anything is left behind. */
  get stats(): {
    readonly startedMs: number;
    readonly accepted: number;
    readonly connections: number;
    readonly running: number;
    readonly unsentBytes: number;
  } {
    let running = 0;
    let unsentBytes = 0;
    for (const connection of this.#connections) {
      running += connection.running;
      unsentBytes += connection.unsentBytes;
    }
    return {
      startedMs: this.#sinceMs,
      accepted: this.#accepted,
      connections: this.#connections.size,
      running,
      unsentBytes,
    };
  }

  /**
   * Accepts no more, answers what is in flight, ends waiting reads with LOG_CLOSED, closes. What is
   * not done after `lingerMs` is dropped. Idempotent.
   */
  close(lingerMs = 5000): Promise<void> {
    this.#closing ??= this.#close(lingerMs);
    return this.#closing;
  }

  async #close(lingerMs: number): Promise<void> {
    for (const listener of this.#listeners) await listener.close();
    const ended = Promise.all([...this.#connections].map((one) => one.finish('it is stopped')));
    const { clock } = this.#world;
    await new Promise<void>((resolve) => {
      const late = clock.after(lingerMs, () => {
        for (const connection of this.#connections) connection.destroy();
      });
      const look = (): void => {
        if (this.#connections.size > 0) return;
        late.cancel();
        resolve();
      };
      this.#onGone = look;
      void ended.then(look);
    });
    this.#sweepTimer?.cancel();
  }

  #nextTurn(run: () => void): void {
    this.#turn.push(run);
    if (this.#turn.length > 1) return;
    setImmediate(() => {
      const turn = this.#turn;
      this.#turn = [];
      for (const one of turn) one();
      this.#metrics.tellAppends();
    });
  }

  #forget(connection: ServerConnection): void {
    this.#connections.delete(connection);
    this.#metrics.connections.set(this.#connections.size);
    if (this.#connections.size === 0) {
      this.#sweepTimer?.cancel();
      this.#sweepTimer = undefined;
    }
    this.#onGone?.();
  }

  #sweepSoon(): void {
    const { clock, config } = this.#world;
    const { serverAuthMs, serverReadMs, serverWriteMs, serverIdleMs } = config;
    const shortest = Math.min(serverAuthMs, serverReadMs, serverWriteMs, serverIdleMs);
    const everyMs = Math.max(SWEEP_MS_MIN, Math.min(SWEEP_MS_MAX, shortest / 4));
    this.#sweepTimer ??= clock.after(everyMs, () => {
      this.#sweepTimer = undefined;
      const nowMs = clock.monotonicMs();
      for (const connection of this.#connections) connection.sweep(nowMs);
      if (this.#connections.size > 0) this.#sweepSoon();
    });
  }
}

function refuse(stream: ByteStream, max: number): void {
  stream.start({ onData() {}, onDrain() {}, onEnd() {}, onClosed() {} });
  const message = `There are ${max} connections, or the server is closing`;
  stream.write(errorLine(0, new LogError('LOG_CONNECTIONS_FULL', message)));
  stream.end();
  // Its word may be lost; a peer that never closes must not stay.
  queueMicrotask(() => stream.destroy());
}
