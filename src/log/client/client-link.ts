// The client's line to a log server: connects, proves the secret, connects again with backoff when the
// line breaks, and gives each request its one answer. Requests that may be repeated without harm are
// sent again on the next connection, in their order; the others end with LOG_UNANSWERED. A request is
// given up after `giveUpMs` without a connection, or `requestMs` without an answer.

import { type Clock, sleep, type Timer } from '#base/clock.ts';
import { codeOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import type { Random } from '#base/random.ts';
import { LogError } from '#log/errors.ts';
import { parseError, parseId, type ServerLimits } from '#log/server/protocol.ts';
import type { ByteStream } from '#net/byte-stream.ts';
import { greet, type Line } from './client-greeting.ts';

const SWEEP_MS_MAX = 250;
const TOGETHER_BYTES_MAX = 16 * 1024;
/** A request that brought down as many connections is not sent again. */
const TIMES_MAX = 10;
/** Codes after which connecting again would only fail again. */
const HOPELESS: ReadonlySet<string | undefined> = new Set(['LOG_AUTH_FAILED', 'NET_TLS_INVALID']);

export interface LinkOptions {
  /** Opens a new stream to the server. Rejects with the signal's reason. */
  readonly dial: (signal: AbortSignal) => Promise<ByteStream>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly secret?: Uint8Array;
  /** For one attempt: dialling, secret and limits. */
  readonly connectMs: number;
  /** From a request to its answer, beside the time that the request itself asks to wait. */
  readonly requestMs: number;
  /** How long a request waits for a connection. */
  readonly giveUpMs: number;
  readonly backoffMsMin: number;
  readonly backoffMsMax: number;
  /** A wanted line was made again. */
  onConnected?(limits: ServerLimits): void;
  onDisconnected?(error: Error): void;
}

/** A request on its way. The link owns it until `onAnswer` or `onError` was called, once. */
export interface LinkRequest {
  /** `COMMAND <id>` is put before it; ends without a line feed. Empty for none. */
  readonly command: string;
  readonly rest: string;
  readonly body?: Uint8Array;
  /** May be sent again when it is not known whether the server has done it. */
  readonly canRepeat: boolean;
  /** What the request lets the server wait. */
  readonly waitMs: number;
  /** Whole batches of an answer that goes on. */
  onData?(bytes: Uint8Array): void;
  /** What was given by `onData` counts no more: the request is sent again from its start. */
  onRepeat?(): void;
  /** Words after the id, or the body of a JSON answer as its only one. */
  onAnswer(words: readonly string[]): void;
  onError(error: unknown): void;
}

interface InFlight {
  readonly request: LinkRequest;
  /** Number of the line it left on, 0 before. */
  sentOn: number;
  times: number;
  deadlineMs: number;
}

export class Link {
  readonly #options: LinkOptions;
  /** In the order they were made: a Map keeps it. */
  readonly #requests = new Map<number, InFlight>();
  #nextId = 1;
  #lines = 0;
  #line: Line | undefined;
  #lastError: Error | undefined;
  #connecting: Promise<void> | undefined;
  readonly #abort = new AbortController();
  #isClosed = false;
  #sweepTimer: Timer | undefined;
  #onIdle: (() => void) | undefined;
  #limits: ServerLimits | undefined;
  /** How long to wait before the next attempt; 0 since a request was answered. */
  #backoffMs = 0;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** Makes the first connection. @throws LogError LOG_UNREACHABLE, LOG_AUTH_FAILED, LOG_CLOSED */
  async open(signal?: AbortSignal): Promise<ServerLimits> {
    const deadlineMs = this.#options.clock.monotonicMs() + this.#options.giveUpMs;
    const onAbort = (): void => this.#abort.abort(signal?.reason);
    if (signal?.aborted === true) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await this.#connect(deadlineMs);
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
    if (this.#limits === undefined) throw this.#unreachable();
    return this.#limits;
  }

  get limits(): ServerLimits | undefined {
    return this.#limits;
  }

  get isConnected(): boolean {
    return this.#line !== undefined;
  }

  /** Requests without an answer. */
  get waiting(): number {
    return this.#requests.size;
  }

  /** The request's number, for `cancel` and `forget`. */
  send(request: LinkRequest): number {
    const id = this.#freeId();
    const { clock, giveUpMs } = this.#options;
    const entry = { request, sentOn: 0, times: 0, deadlineMs: clock.monotonicMs() + giveUpMs };
    this.#requests.set(id, entry);
    if (this.#isClosed) {
      this.#requests.delete(id);
      request.onError(closed());
      return id;
    }
    if (this.#line === undefined) this.#reconnect();
    else this.#write(this.#line, id, entry);
    this.#sweepSoon();
    return id;
  }

  /** Asks the server to take the request back; it is answered all the same. */
  cancel(id: number): void {
    const entry = this.#requests.get(id);
    const line = this.#line;
    if (entry === undefined) return;
    if (line !== undefined && entry.sentOn === line.number) {
      line.stream.gather();
      line.stream.write(`CANCEL ${this.#freeId()} ${id}\n`);
    }
  }

  /** Whether the request has left. One that has not can be taken back by `forget`. */
  isSent(id: number): boolean {
    return (this.#requests.get(id)?.sentOn ?? 1) !== 0;
  }

  /** Its answer is wanted no more. */
  forget(id: number): void {
    this.#requests.delete(id);
    if (this.#requests.size === 0) this.#onIdle?.();
  }

  /** Waits for the answers on their way, says goodbye, closes. New requests get LOG_CLOSED. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#requests.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    this.destroy();
    await this.#connecting?.catch(() => undefined);
  }

  /** At once: every request ends with LOG_CLOSED, or LOG_UNANSWERED when it had left. */
  destroy(): void {
    this.#isClosed = true;
    this.#sweepTimer?.cancel();
    this.#abort.abort(closed());
    const line = this.#line;
    this.#line = undefined;
    line?.stream.end();
    line?.stream.destroy();
    this.#failAll(closed());
  }

  #freeId(): number {
    do {
      this.#nextId = this.#nextId >= 0xffff_ffff ? 1 : this.#nextId + 1;
    } while (this.#requests.has(this.#nextId));
    return this.#nextId;
  }

  #write(line: Line, id: number, entry: InFlight): void {
    const { request } = entry;
    const { clock, requestMs } = this.#options;
    entry.sentOn = line.number;
    entry.times++;
    entry.deadlineMs = clock.monotonicMs() + requestMs + request.waitMs;
    const { stream } = line;
    const { body } = request;
    const text = `${request.command} ${id}${request.rest}\n`;
    stream.gather();
    if (body !== undefined && body.byteLength <= TOGETHER_BYTES_MAX) {
      // One piece costs the system less than two, and this much less than that to copy.
      const bytes = Buffer.allocUnsafe(text.length + body.byteLength);
      bytes.write(text, 0, 'latin1');
      bytes.set(body, text.length);
      stream.write(bytes);
      return;
    }
    stream.write(text);
    if (body !== undefined) stream.write(body);
  }

  #reconnect(): void {
    if (this.#connecting !== undefined) return;
    if (this.#abort.signal.aborted) {
      this.#failAll(closed());
      return;
    }
    this.#connecting = this.#connect(Number.POSITIVE_INFINITY)
      // Without hope, or closed: nobody waits for what cannot come.
      .catch((error: unknown) => this.#failAll(error))
      .finally(() => {
        this.#connecting = undefined;
        if (this.#requests.size > 0 && this.#line === undefined) this.#reconnect();
      });
  }

  #failAll(error: unknown): void {
    for (const [id, { request }] of this.#requests) {
      this.#requests.delete(id);
      request.onError(error);
    }
    this.#onIdle?.();
  }

  /** @throws the last attempt's error when it is hopeless or late; the reason of closing */
  async #connect(deadlineMs: number): Promise<void> {
    const { clock, random, backoffMsMin, backoffMsMax } = this.#options;
    // A server that lets us in and then says nothing is not asked again at once.
    if (this.#backoffMs > 0) await sleep(clock, this.#backoffMs, this.#abort.signal);
    for (;;) {
      this.#abort.signal.throwIfAborted();
      const backoffMs = Math.min(Math.max(this.#backoffMs * 2, backoffMsMin), backoffMsMax);
      this.#backoffMs = backoffMs;
      try {
        await this.#attempt();
        return;
      } catch (error) {
        this.#abort.signal.throwIfAborted();
        this.#lastError = error instanceof Error ? error : new Error(String(error));
        if (HOPELESS.has(codeOf(error))) throw error;
        if (clock.monotonicMs() + backoffMs > deadlineMs) throw this.#unreachable();
      }
      // Between half and all of it, so that clients of one server do not come back together.
      const jitter = 0.5 + random.u32() / 0x2_0000_0000;
      await sleep(clock, backoffMs * jitter, this.#abort.signal);
    }
  }

  async #attempt(): Promise<void> {
    const { clock, connectMs, dial } = this.#options;
    const late = new AbortController();
    const timer = clock.after(connectMs, () =>
      late.abort(new LogError('LOG_TIMED_OUT', `No connection after ${connectMs} ms`)),
    );
    const signal = AbortSignal.any([late.signal, this.#abort.signal]);
    try {
      const stream = await dial(signal);
      const line = await greet(stream, this.#options, {
        signal,
        number: ++this.#lines,
        onFrame: (number, words, body) => this.#onFrame(number, words, body),
        onClosed: (number, error) => this.#lost(number, error),
      });
      this.#connected(line);
    } finally {
      timer.cancel();
    }
  }

  #connected(line: Line): void {
    this.#line = line;
    this.#limits = line.limits;
    this.#lastError = undefined;
    this.#options.onConnected?.(line.limits);
    for (const [id, entry] of this.#requests) {
      if (entry.sentOn !== 0) entry.request.onRepeat?.();
      this.#write(line, id, entry);
    }
  }

  #onFrame(number: number, words: readonly string[], body: Uint8Array | undefined): void {
    if (this.#line?.number !== number) return;
    const id = parseId(words[1]);
    const entry = this.#requests.get(id);
    if (words[0] === 'ERR' && id === 0) {
      this.#lost(number, parseError(words));
      return;
    }
    // Answers to what is wanted no more, or to a CANCEL.
    if (entry === undefined || entry.sentOn !== number) return;
    const { request } = entry;
    if (words[0] === 'DATA') {
      const { clock, requestMs } = this.#options;
      entry.deadlineMs = clock.monotonicMs() + requestMs;
      if (body !== undefined) request.onData?.(body);
      return;
    }
    if (words[0] === 'ERR') {
      const error = parseError(words);
      // The server is going; nothing of it was done, and the next one may answer.
      if (error.code === 'LOG_CLOSED' && !this.#isClosed) {
        entry.sentOn = 0;
        this.#lost(number, error);
        return;
      }
      this.forget(id);
      request.onError(error);
      return;
    }
    this.forget(id);
    this.#backoffMs = 0;
    if (words[0] === 'JSON') request.onAnswer([Buffer.from(body ?? []).toString('utf8')]);
    else request.onAnswer(words.slice(2));
  }

  /** The line is broken, or of no use any more. */
  #lost(number: number, error: Error): void {
    const line = this.#line;
    if (line?.number !== number) return;
    this.#line = undefined;
    this.#lastError = error;
    line.stream.destroy();
    this.#options.onDisconnected?.(error);
    const { clock, giveUpMs } = this.#options;
    for (const [id, entry] of this.#requests) {
      if (entry.times < TIMES_MAX && (entry.sentOn === 0 || entry.request.canRepeat)) {
        entry.deadlineMs = clock.monotonicMs() + giveUpMs;
        continue;
      }
      this.#requests.delete(id);
      const message = 'The connection was lost before the append was answered';
      entry.request.onError(new LogError('LOG_UNANSWERED', message, { cause: error }));
    }
    if (this.#requests.size === 0) this.#onIdle?.();
    else this.#reconnect();
  }

  #sweepSoon(): void {
    const { clock, requestMs, giveUpMs } = this.#options;
    const everyMs = Math.max(5, Math.min(SWEEP_MS_MAX, requestMs / 4, giveUpMs / 4));
    this.#sweepTimer ??= clock.after(everyMs, () => {
      this.#sweepTimer = undefined;
      this.#sweep(clock.monotonicMs());
      if (this.#requests.size > 0 && !this.#abort.signal.aborted) this.#sweepSoon();
    });
  }

  #sweep(nowMs: number): void {
    for (const [id, { request, deadlineMs }] of this.#requests) {
      if (nowMs < deadlineMs) continue;
      if (this.#line !== undefined) {
        // A server that does not answer one request may be gone without a word.
        const message = `No answer to ${request.command} in time`;
        this.forget(id);
        const error = new LogError('LOG_TIMED_OUT', message);
        request.onError(
          request.canRepeat || request.body === undefined
            ? error
            : new LogError('LOG_UNANSWERED', message, { cause: error }),
        );
        this.#lost(this.#line.number, error);
      } else {
        this.forget(id);
        request.onError(this.#unreachable());
      }
    }
  }

  #unreachable(): LogError {
    const { giveUpMs } = this.#options;
    return new LogError('LOG_UNREACHABLE', `The log server was not reached in ${giveUpMs} ms`, {
      cause: this.#lastError,
    });
  }
}

function closed(): LogError {
  return new LogError('LOG_CLOSED', 'The connection to the log is closed');
}
