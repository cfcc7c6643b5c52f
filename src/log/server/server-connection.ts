// One connection at the log server: greets, checks the secret, takes requests as frames, runs them
// side by side, answers each once. An append is one object per request, none per record: its body is
// handed to the log as it arrived. Everything that is running is cancelled when the connection ends.
//
// Bounds: requests unanswered (`requestsMax`, one more is refused), bytes that the peer does not take
// (`outputBytesMax`, then nothing more is read from it or for it), and a deadline for each state.

import { toHex } from '#base/bytes.ts';
import type { Clock, Timer } from '#base/clock.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import type { Random } from '#base/random.ts';
import type { BatchLog } from '#log/batch-log.ts';
import type { LogConfig } from '#log/config.ts';
import { isLogErrorCode, LogError } from '#log/errors.ts';
import type { Appended, AppendOptions } from '#log/log.ts';
import { BATCH_HEADER_BYTES } from '#log/segment/batch.ts';
import type { ByteStream, StreamHandler } from '#net/byte-stream.ts';
import { AppendCancel } from './append-cancel.ts';
import { FrameReader } from './frame-reader.ts';
import {
  CHALLENGE_BYTES,
  errorLine,
  isChallenge,
  isProof,
  PROTOCOL,
  parseId,
  proofOf,
  type ServerLimits,
} from './protocol.ts';
import type { ServerMetrics } from './server-metrics.ts';
import { answerRead } from './server-reads.ts';
import {
  type AppendRequest,
  bodyBytesOf,
  type CallRequest,
  isAppendCommand,
  parseAppend,
  parseCall,
} from './server-requests.ts';

/** A peer that was told the end has this long to close its side. */
const LINGER_MS = 1000;

export interface ConnectionWorld {
  readonly log: BatchLog;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: ServerMetrics;
  readonly config: LogConfig;
  readonly limits: ServerLimits;
  /** Undefined: whoever can connect may do everything. */
  readonly secret: Uint8Array | undefined;
  /** What STATS tells about the server itself. */
  serverStats(): unknown;
  onClosed(connection: ServerConnection): void;
  /**
   * Runs it when every stream that has something has been looked at, so that what arrived together
   * is written and synced together.
   */
  nextTurn(run: () => void): void;
}

export class ServerConnection implements StreamHandler {
  readonly #world: ConnectionWorld;
  readonly #stream: ByteStream;
  readonly #frames: FrameReader;
  readonly #challenge: string;
  readonly #running = new Map<number, AbortController | AppendCancel>();
  readonly #sinceMs: number;
  #isAuthenticated: boolean;
  #isEnding = false;
  #isClosed = false;
  /** A large answer is being made; the next request waits for it. */
  #isBusy = false;
  #lastMs: number;
  #partialSinceMs: number | undefined;
  #unsentSinceMs: number | undefined;
  #onDrained: (() => void)[] = [];
  #onIdle: (() => void) | undefined;
  #linger: Timer | undefined;

  constructor(world: ConnectionWorld, stream: ByteStream) {
    this.#world = world;
    this.#stream = stream;
    this.#sinceMs = world.clock.monotonicMs();
    this.#lastMs = this.#sinceMs;
    this.#isAuthenticated = world.secret === undefined;
    this.#challenge = toHex(world.random.bytes(CHALLENGE_BYTES));
    const bodyBytesMax = world.limits.batchBytesMax + BATCH_HEADER_BYTES;
    this.#frames = new FrameReader(
      {
        bodyBytes: (words) => this.#bodyBytes(words),
        onFrame: (words, body) => this.#onFrame(words, body),
        onBroken: (reason) => this.#break(0, reason),
      },
      bodyBytesMax,
    );
    stream.start(this);
    this.#stream.gather();
    if (this.#isAuthenticated) {
      stream.write(`HELLO ${PROTOCOL} none -\n`);
      this.#tellLimits(0);
    } else {
      stream.write(`HELLO ${PROTOCOL} hmac-sha256 ${this.#challenge}\n`);
    }
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Requests that are running: readers that wait, appends on their way. */
  get running(): number {
    return this.#running.size;
  }

  get unsentBytes(): number {
    return this.#stream.unsentBytes;
  }

  onData(bytes: Uint8Array): void {
    const { clock, metrics } = this.#world;
    metrics.receivedBytes.add(bytes.byteLength);
    this.#lastMs = clock.monotonicMs();
    const before = this.#frames.frames;
    this.#frames.push(bytes);
    this.#notePartial(this.#frames.frames > before);
    this.#flow();
  }

  onDrain(): void {
    this.#unsentSinceMs = undefined;
    const waiting = this.#onDrained;
    this.#onDrained = [];
    for (const resolve of waiting) resolve();
    this.#flow();
  }

  /** The peer asks nothing more; what it asked before is answered. */
  onEnd(): void {
    if (this.#frames.isPartial && !this.#frames.isHeld) this.#stream.destroy();
    else void this.finish('the client ended the connection');
  }

  onClosed(error: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (error !== undefined) {
      this.#world.logger.debug('A connection broke', {
        peer: this.#stream.peer,
        error: messageOf(error),
      });
    }
    const reason = new LogError('LOG_CLOSED', 'The connection is closed');
    for (const abort of this.#running.values()) abort.abort(reason);
    for (const resolve of this.#onDrained) resolve();
    this.#onDrained = [];
    this.#linger?.cancel();
    this.#onIdle?.();
    this.#world.onClosed(this);
  }

  /**
   * Ends in order: no new request, waiting reads end with LOG_CLOSED, appends are answered, then the
   * stream is closed. Resolves when the last answer was handed over.
   */
  async finish(why: string): Promise<void> {
    if (this.#isEnding || this.#isClosed) return;
    this.#isEnding = true;
    const reason = new LogError('LOG_CLOSED', `The log server is closing: ${why}`);
    for (const [, abort] of this.#running) abort.abort(reason);
    if (this.#running.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    this.#endStream();
  }

  destroy(): void {
    this.#stream.destroy();
  }

  /** Looks at every deadline; called now and then. */
  sweep(nowMs: number): void {
    const { config } = this.#world;
    if (this.#isClosed) return;
    if (this.#stream.unsentBytes === 0) this.#unsentSinceMs = undefined;
    else this.#unsentSinceMs ??= nowMs;
    const late =
      lateBy(nowMs, this.#unsentSinceMs, config.serverWriteMs, 'it does not read its answers') ??
      lateBy(
        nowMs,
        this.#isAuthenticated ? undefined : this.#sinceMs,
        config.serverAuthMs,
        'it has not proven its secret',
      ) ??
      lateBy(
        nowMs,
        this.#frames.isHeld ? undefined : this.#partialSinceMs,
        config.serverReadMs,
        'a request was not completed',
      ) ??
      lateBy(
        nowMs,
        this.#running.size > 0 || this.#frames.isPartial ? undefined : this.#lastMs,
        config.serverIdleMs,
        'nothing was asked',
      );
    if (late === undefined) return;
    this.#world.metrics.dropped.add(1);
    this.#world.logger.debug('A connection was closed', { peer: this.#stream.peer, why: late });
    if (this.#unsentSinceMs === undefined) this.#say(deadlineLine(late));
    if (this.#unsentSinceMs === undefined) this.#stream.end();
    this.#stream.destroy();
  }

  #notePartial(hasMoved: boolean): void {
    if (!this.#frames.isPartial) this.#partialSinceMs = undefined;
    else if (hasMoved || this.#partialSinceMs === undefined) this.#partialSinceMs = this.#lastMs;
  }

  #bodyBytes(words: readonly string[]): number | undefined {
    // Who has not proven its secret may not make us hold a body.
    if (!this.#isAuthenticated && isAppendCommand(words[0])) return -1;
    return bodyBytesOf(words);
  }

  #onFrame(words: readonly string[], body: Uint8Array | undefined): void {
    const command = words[0] ?? '';
    const id = parseId(words[1]);
    if (this.#isEnding) {
      if (id > 0) this.#refuse(id, new LogError('LOG_CLOSED', 'The log server is closing'));
      return;
    }
    if (id === 0) this.#break(0, 'a request has no number from 1 to 4294967295');
    else if (command === 'AUTH') this.#authenticate(id, words);
    else if (!this.#isAuthenticated) this.#failAuth(id, 'expected AUTH');
    else if (this.#running.has(id)) this.#break(id, 'the number of a request is in use');
    else if (this.#running.size >= this.#world.limits.requestsMax) {
      const message = `${this.#running.size} requests are unanswered, no more are allowed`;
      this.#refuse(id, new LogError('LOG_QUEUE_FULL', message));
    } else if (isAppendCommand(command)) {
      if (command === 'BATCH') this.#world.metrics.batches++;
      else this.#world.metrics.singles++;
      this.#append(id, parseAppend(words, body, this.#world.limits));
    } else {
      this.#call(id, parseCall(words));
    }
  }

  #authenticate(id: number, words: readonly string[]): void {
    const { secret } = this.#world;
    const [, , nonce, proof] = words;
    if (secret === undefined) {
      this.#failAuth(id, 'this server has no secret');
      return;
    }
    if (this.#isAuthenticated || !isChallenge(nonce)) {
      this.#break(id, 'AUTH is not expected here');
      return;
    }
    if (!isProof(proof, proofOf('client', secret, this.#challenge, nonce))) {
      this.#failAuth(id, 'the proof is wrong');
      return;
    }
    this.#isAuthenticated = true;
    this.#stream.gather();
    this.#say(`OK ${id} ${proofOf('server', secret, this.#challenge, nonce)}\n`);
    this.#tellLimits(0);
  }

  #failAuth(id: number, why: string): void {
    const { metrics, logger } = this.#world;
    metrics.refused.add(1);
    logger.warn('A client could not prove its secret', { peer: this.#stream.peer, why });
    this.#refuse(id, new LogError('LOG_AUTH_FAILED', `Cannot let you in: ${why}`));
    this.#end();
  }

  #append(id: number, request: AppendRequest | LogError): void {
    if (request instanceof LogError) {
      this.#refuse(id, request);
      return;
    }
    const abort = new AppendCancel();
    this.#running.set(id, abort);
    this.#world.nextTurn(() => this.#hand(id, request, abort));
  }

  #hand(id: number, request: AppendRequest, abort: AppendCancel): void {
    const { topic, records, consistency, producer } = request;
    const options: AppendOptions = {
      signal: abort.signal,
      ...(consistency === undefined ? undefined : { consistency }),
      ...(producer === undefined ? undefined : { producer }),
    };
    this.#world.log.append(topic, records, options).then(
      ({ firstOffset, count }: Appended) => this.#done(id, `OK ${id} ${firstOffset} ${count}\n`),
      (error: unknown) => this.#fail(id, error),
    );
  }

  #call(id: number, call: CallRequest | undefined): void {
    if (call === undefined) {
      this.#break(id, 'a request is not understood');
      return;
    }
    this.#world.metrics.requests.add(1, { command: call.command });
    switch (call.command) {
      case 'PING':
        this.#say(`OK ${id}\n`);
        return;
      case 'CONFIG':
        this.#tellLimits(id);
        return;
      case 'CANCEL':
        this.#running
          .get(call.target)
          ?.abort(new LogError('LOG_CANCELLED', 'The request was cancelled'));
        this.#say(`OK ${id}\n`);
        return;
      case 'CLOSE':
        this.#say(`OK ${id}\n`);
        void this.finish('the client asked for it');
        return;
      case 'READ':
      case 'TAIL':
        this.#run(id, (signal) =>
          answerRead({ log: this.#world.log, config: this.#world.config, sink: this }, id, {
            ...call,
            signal,
          }),
        );
        return;
      case 'TOPICS':
      case 'STATS':
        // As large as there are topics: one at a time, and none while the last is not taken.
        this.#isBusy = true;
        this.#flow();
        this.#run(id, () => this.#tellStats(id, call));
        return;
      default:
        this.#run(id, () => this.#perform(id, call));
    }
  }

  async #perform(
    id: number,
    call: Extract<CallRequest, { command: 'CREATE' | 'POSITION' | 'COMMIT' }>,
  ): Promise<string> {
    const { log } = this.#world;
    switch (call.command) {
      case 'CREATE': {
        await log.createTopic(call.topic, call.options);
        return `OK ${id}\n`;
      }
      case 'POSITION':
        return `OK ${id} ${(await log.position(call.topic, call.consumer)) ?? '-'}\n`;
      case 'COMMIT':
        await log.commit(call.topic, call.consumer, call.offset);
        return `OK ${id}\n`;
    }
  }

  async #tellStats(
    id: number,
    call: Extract<CallRequest, { command: 'TOPICS' } | { command: 'STATS' }>,
  ): Promise<string> {
    const { log } = this.#world;
    try {
      if (call.command === 'TOPICS') return jsonAnswer(id, { topics: await log.topics() });
      if (call.topic !== undefined) return jsonAnswer(id, await log.stats(call.topic));
      const [topics, server] = [await log.topics(), this.#world.serverStats()];
      return jsonAnswer(id, { server, topics });
    } finally {
      this.#isBusy = false;
    }
  }

  #tellLimits(id: number): void {
    this.#say(jsonAnswer(id, this.#world.limits));
  }

  #run(id: number, work: (signal: AbortSignal) => Promise<string>): void {
    const abort = new AbortController();
    this.#running.set(id, abort);
    work(abort.signal).then(
      (answer) => this.#done(id, answer),
      (error: unknown) => this.#fail(id, error),
    );
  }

  #done(id: number, answer: string): void {
    this.#running.delete(id);
    this.#say(answer);
    this.#lastMs = this.#world.clock.monotonicMs();
    if (this.#running.size === 0) this.#onIdle?.();
    if (this.#frames.isHeld) this.#flow();
  }

  #fail(id: number, error: unknown): void {
    const code = codeOf(error) ?? '';
    if (!isLogErrorCode(code)) {
      this.#world.logger.error('A request failed inside', { error: messageOf(error) });
    }
    this.#world.metrics.errors.add(1, { code });
    this.#done(id, errorLine(id, error));
  }

  #refuse(id: number, error: LogError): void {
    this.#world.metrics.errors.add(1, { code: error.code });
    this.#say(errorLine(id, error));
  }

  #break(id: number, reason: string): void {
    const { metrics, logger } = this.#world;
    metrics.dropped.add(1);
    logger.debug('A connection broke the protocol', { peer: this.#stream.peer, reason });
    this.#refuse(id, new LogError('LOG_PROTOCOL', `The connection ends: ${reason}`));
    this.#end();
  }

  /** Nothing more is taken; what was said goes out. */
  #end(): void {
    this.#isEnding = true;
    const reason = new LogError('LOG_CLOSED', 'The connection is closed');
    for (const abort of this.#running.values()) abort.abort(reason);
    this.#endStream();
  }

  /** What was said goes out; a peer that then does not close its side is not waited for. */
  #endStream(): void {
    this.#stream.end();
    this.#linger ??= this.#world.clock.after(LINGER_MS, () => this.#stream.destroy());
  }

  #say(text: string): void {
    if (this.#isClosed) return;
    this.#stream.gather();
    this.#stream.write(text);
  }

  /** Sends whole batches as they are, after a line that tells their bytes. */
  sendBatches(id: number, batches: readonly Uint8Array[], bytes: number): void {
    if (this.#isClosed) return;
    this.#world.metrics.sentBytes.add(bytes);
    this.#stream.gather();
    this.#stream.write(`DATA ${id} ${bytes}\n`);
    for (const batch of batches) this.#stream.write(batch);
  }

  /** Resolves when the peer has taken enough to be sent more, or is gone. */
  drained(): Promise<void> {
    if (this.#isClosed || this.#stream.unsentBytes <= this.#world.config.serverOutputBytesMax) {
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#onDrained.push(resolve));
  }

  /** Takes requests, or lets them wait, as the output has room. */
  #flow(): void {
    const isFull = this.#stream.unsentBytes > this.#world.config.serverOutputBytesMax;
    if (isFull || this.#isBusy) {
      if (this.#frames.isHeld) return;
      this.#frames.hold();
      this.#stream.pause();
    } else if (this.#frames.isHeld) {
      this.#stream.resume();
      this.#frames.release();
      this.#notePartial(true);
    }
  }
}

function jsonAnswer(id: number, value: unknown): string {
  const text = JSON.stringify(value);
  return `JSON ${id} ${Buffer.byteLength(text)}\n${text}`;
}

function deadlineLine(why: string): string {
  return errorLine(0, new LogError('LOG_TIMED_OUT', `The connection is closed: ${why} in time`));
}

function lateBy(
  nowMs: number,
  sinceMs: number | undefined,
  limitMs: number,
  why: string,
): string | undefined {
  return sinceMs !== undefined && nowMs - sinceMs >= limitMs ? why : undefined;
}
