// One bucket of an S3 service as requests and answers: signs, sends, tries again, and says in our codes
// what went wrong. It knows nothing of blobs.
//
// An attempt that may be repeated (no answer, half an answer, "busy", "internal error") is repeated after
// a pause that doubles, half of it random so that many who were refused together do not come back
// together, and never shorter than the service's Retry-After. Repeating is safe for all that is asked
// here: what is put under a name is always the same, and to read, to list and to remove twice is as once.
// A request keeps its slot over its pauses, so that a service that asks to slow down is asked less.
//
// Signing is aws4's. Every request carries the SHA-256 of its body under the signature, so a service
// that checks signatures also finds bytes that were changed on their way.

import aws4 from 'aws4';
import { type Clock, sleep } from '#base/clock.ts';
import { codeOf } from '#base/errors.ts';
import { below, type Random } from '#base/random.ts';
import { Slots } from '#base/slots.ts';
import type { Counter, Registry } from '#metrics/registry.ts';
import type { HttpAnswer, HttpClient } from '#net/http-client.ts';
import { throwIfCancelled } from '#store/calls.ts';
import type { S3Config } from '#store/config.ts';
import { StoreError, type StoreErrorCode } from '#store/errors.ts';
import { readS3Failure, type S3Failure } from './s3-answers.ts';
import type { S3Credentials } from './s3-credentials.ts';

/** Of an answer that says what went wrong. */
const FAILURE_BYTES_MAX = 65_536;
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

export interface S3World {
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Registry;
  readonly http: HttpClient;
  readonly config: S3Config;
  readonly credentials: S3Credentials;
}

export interface S3Request {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'DELETE';
  /** Without the bucket; empty for the bucket itself. */
  readonly key: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: { readonly bytes: Uint8Array; readonly sha256: string };
  /** 64 KiB unless given. */
  readonly answerBytesMax?: number;
  /** As often as configured unless given. */
  readonly attemptsMax?: number;
  /** An answer for which this is false came to harm on its way: it is asked for again. */
  readonly isWhole?: (answer: HttpAnswer) => boolean;
}

/** An attempt that may be repeated. */
interface Failed {
  readonly error: StoreError;
  /** What the service asked for. */
  readonly waitMs: number;
}

export class S3Endpoint {
  readonly #world: S3World;
  readonly #slots: Slots;
  readonly #calls = new Set<AbortController>();
  #isClosed = false;
  readonly #base: URL;
  readonly #requests: Counter;

  /** STORE_S3_SETTINGS_INVALID without endpoint or bucket, and for a prefix with `..` in it. */
  constructor(world: S3World) {
    const { config, metrics } = world;
    this.#world = world;
    this.#base = bucketUrl(config);
    this.#slots = new Slots(config.requestsAtOnceMax);
    this.#requests = metrics.counter(
      'swarmkeep_store_s3_requests_total',
      'Requests to the S3 service by method and result: ok, missing, again (failed and may be repeated), failed.',
    );
  }

  /**
   * The answer: a status of the 200s, or 404 for an object that is not there. Rejects with a STORE_S3 code,
   * STORE_CANCELLED, or STORE_CLOSED after close().
   */
  async send(asked: S3Request, signal?: AbortSignal | undefined): Promise<HttpAnswer> {
    throwIfCancelled(signal);
    try {
      return await this.#slots.use(() => this.#call(asked, signal), signal);
    } catch (error) {
      if (error instanceof StoreError) throw error;
      throwIfCancelled(signal);
      throw error;
    }
  }

  async #call(asked: S3Request, signal: AbortSignal | undefined): Promise<HttpAnswer> {
    const { clock, config } = this.#world;
    if (this.#isClosed) throw closed();
    const { attemptsMax = config.attemptsMax } = asked;
    const untilMs = clock.monotonicMs() + config.callMsMax;
    const call = new AbortController();
    const abort = (): void => call.abort();
    const timer = clock.after(config.callMsMax, abort);
    this.#calls.add(call);
    signal?.addEventListener('abort', abort, { once: true });
    let last: StoreError | undefined;
    try {
      for (let attempt = 1; ; attempt++) {
        const outcome = await this.#attempt(asked, call.signal);
        if ('status' in outcome) return outcome;
        last = outcome.error;
        const pauseMs = Math.max(this.#pauseMs(attempt), outcome.waitMs);
        if (attempt >= attemptsMax || clock.monotonicMs() + pauseMs >= untilMs) throw last;
        await sleep(clock, pauseMs, call.signal);
      }
    } catch (error) {
      if (!call.signal.aborted || error instanceof StoreError || signal?.aborted === true) {
        throw error;
      }
      if (this.#isClosed) throw closed();
      throw last ?? this.#unreachable(`no answer within ${config.callMsMax} ms`, undefined);
    } finally {
      timer.cancel();
      this.#calls.delete(call);
      signal?.removeEventListener('abort', abort);
    }
  }

  /** What is under way ends with STORE_CLOSED. */
  close(): void {
    this.#isClosed = true;
    for (const call of this.#calls) call.abort();
  }

  async #attempt(asked: S3Request, signal: AbortSignal): Promise<HttpAnswer | Failed> {
    const { method } = asked;
    try {
      const outcome = await this.#ask(asked, signal);
      const isMissing = 'status' in outcome && outcome.status === 404;
      const result = 'error' in outcome ? 'again' : isMissing ? 'missing' : 'ok';
      this.#requests.add(1, { method, result });
      return outcome;
    } catch (error) {
      this.#requests.add(1, { method, result: 'failed' });
      throw error;
    }
  }

  async #ask(asked: S3Request, signal: AbortSignal): Promise<HttpAnswer | Failed> {
    const { http, config } = this.#world;
    const { url, headers } = this.#sign(asked);
    let answer: HttpAnswer;
    try {
      answer = await http.send({
        method: asked.method,
        url,
        headers,
        ...(asked.body === undefined ? {} : { body: asked.body.bytes }),
        answerBytesMax: Math.max(asked.answerBytesMax ?? 0, FAILURE_BYTES_MAX),
        idleMsMax: config.idleMsMax,
        signal,
      });
    } catch (error) {
      return this.#withoutAnswer(error);
    }
    const isGood = answer.status >= 200 && answer.status < 300;
    if (isGood && asked.isWhole?.(answer) === false) {
      const words = `${asked.method} was answered with something else than S3 says`;
      return { error: this.#error('STORE_S3_ANSWER_INVALID', words), waitMs: 0 };
    }
    return isGood ? answer : this.#judge(asked, answer);
  }

  /** A broken connection may be tried again; a stranger's certificate stays one. */
  #withoutAnswer(error: unknown): Failed {
    const code = codeOf(error);
    if (code === 'NET_HTTP_FAILED') {
      return { error: this.#unreachable('no answer', error), waitMs: 0 };
    }
    if (code === 'NET_HTTP_UNTRUSTED') throw this.#unreachable('not trusted', error);
    if (code === 'NET_HTTP_ANSWER_TOO_LARGE') {
      throw this.#error('STORE_S3_ANSWER_INVALID', 'an answer is too long', error);
    }
    throw error;
  }

  #judge(asked: S3Request, answer: HttpAnswer): HttpAnswer | Failed {
    const { status } = answer;
    const failure = readS3Failure(answer.body);
    if (isMissingObject(asked, status, failure)) return answer;
    const told = [failure.code, failure.message].filter((part) => part !== '').join(': ');
    const words = `${asked.method} was answered ${status}${told === '' ? '' : ` (${told})`}`;
    const code = codeFor(status, failure.code);
    const nowMs = this.#world.clock.nowMs();
    if (isTemporary(status, failure.code)) {
      return { error: this.#error(code, words), waitMs: retryAfterMs(answer, nowMs) };
    }
    if (code === 'STORE_S3_REGION_WRONG') {
      const region = failure.region ?? answer.headers['x-amz-bucket-region'];
      const hint = region === undefined || !/^[a-z0-9-]{1,63}$/.test(region) ? 'another' : region;
      throw this.#error(code, `${words}; the bucket's region is ${hint}`);
    }
    if (code === 'STORE_S3_CLOCK_WRONG') {
      const ahead = Math.round((nowMs - Date.parse(answer.headers['date'] ?? '')) / 1000);
      throw this.#error(code, `${words}; this clock is ${ahead} s ahead of the service's`);
    }
    throw this.#error(code, words);
  }

  #pauseMs(attempt: number): number {
    const { random, config } = this.#world;
    const fullMs = Math.min(config.retryMsMax, config.retryMsMin * 2 ** Math.min(attempt - 1, 30));
    return fullMs / 2 + below(random, Math.ceil(fullMs / 2) + 1);
  }

  #sign(asked: S3Request): { url: URL; headers: Record<string, string> } {
    const { clock, config, credentials } = this.#world;
    const url = new URL(this.#base);
    if (asked.key !== '') url.pathname += `${url.pathname.endsWith('/') ? '' : '/'}${asked.key}`;
    for (const [name, value] of Object.entries(asked.query ?? {})) {
      url.searchParams.set(name, value);
    }
    const headers = {
      ...asked.headers,
      host: url.host,
      'x-amz-content-sha256': asked.body?.sha256 ?? EMPTY_SHA256,
      'x-amz-date': new Date(clock.nowMs()).toISOString().replace(/[:-]|\.\d{3}/g, ''),
    };
    const path = `${url.pathname}${url.search}`;
    const { method } = asked;
    const signed = aws4.sign(
      { method, path, headers, service: 's3', region: config.region },
      credentials,
    );
    return { url, headers: signed.headers as Record<string, string> };
  }

  #unreachable(why: string, cause: unknown): StoreError {
    return this.#error('STORE_S3_UNREACHABLE', why, cause);
  }

  #error(code: StoreErrorCode, words: string, cause?: unknown): StoreError {
    const { bucket } = this.#world.config;
    const where = `S3 bucket "${bucket}" at ${this.#base.host}`;
    return new StoreError(code, `${where}: ${words}`, cause === undefined ? {} : { cause });
  }
}

function closed(): StoreError {
  return new StoreError('STORE_CLOSED', 'The store was closed');
}

/** @throws StoreError STORE_S3_SETTINGS_INVALID, which names what is missing */
export function bucketUrl({ endpoint, bucket, prefix, pathStyle }: S3Config): URL {
  for (const [name, value] of Object.entries({ endpoint, bucket })) {
    if (value !== '') continue;
    throw new StoreError(
      'STORE_S3_SETTINGS_INVALID',
      `Cannot open the S3 store: no ${name} is set (s3.${name})`,
    );
  }
  // An address has no such parts: they would be taken for a way up.
  if (/(?:^|\/)\.\.?(?:\/|$)/.test(prefix)) {
    const words = `Cannot open the S3 store: names cannot begin with "${prefix}"`;
    throw new StoreError('STORE_S3_SETTINGS_INVALID', words);
  }
  const url = new URL(endpoint);
  if (pathStyle) url.pathname += `${url.pathname.endsWith('/') ? '' : '/'}${bucket}`;
  else url.hostname = `${bucket}.${url.hostname}`;
  return url;
}

/** A HEAD has no words; any other 404 must say that it is the object which is missing. */
function isMissingObject(asked: S3Request, status: number, failure: S3Failure): boolean {
  if (status !== 404 || asked.key === '') return false;
  return asked.method === 'HEAD' || failure.code === 'NoSuchKey';
}

const TEMPORARY_STATUS: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504, 509]);
/** With other statuses. A digest is wrong when bytes were changed on their way: ours are right. */
const TEMPORARY_CODES: ReadonlySet<string> = new Set([
  'BadDigest',
  'IncompleteBody',
  'InternalError',
  'OperationAborted',
  'RequestTimeout',
  'ServiceUnavailable',
  'SlowDown',
  'Throttling',
  'TooManyRequests',
  'XAmzContentSHA256Mismatch',
]);

function isTemporary(status: number, code: string): boolean {
  return TEMPORARY_STATUS.has(status) || TEMPORARY_CODES.has(code);
}

const CODES: Readonly<Record<string, StoreErrorCode>> = {
  AccessDenied: 'STORE_S3_DENIED',
  AuthorizationHeaderMalformed: 'STORE_S3_REGION_WRONG',
  BadDigest: 'STORE_S3_REFUSED',
  ExpiredToken: 'STORE_S3_DENIED',
  IllegalLocationConstraintException: 'STORE_S3_REGION_WRONG',
  InvalidAccessKeyId: 'STORE_S3_DENIED',
  InvalidToken: 'STORE_S3_DENIED',
  NoSuchBucket: 'STORE_S3_BUCKET_MISSING',
  PermanentRedirect: 'STORE_S3_REGION_WRONG',
  RequestExpired: 'STORE_S3_CLOCK_WRONG',
  RequestTimeTooSkewed: 'STORE_S3_CLOCK_WRONG',
  SignatureDoesNotMatch: 'STORE_S3_DENIED',
  TemporaryRedirect: 'STORE_S3_REGION_WRONG',
  XAmzContentSHA256Mismatch: 'STORE_S3_REFUSED',
};

function codeFor(status: number, code: string): StoreErrorCode {
  const known = CODES[code];
  if (known !== undefined) return known;
  if (isTemporary(status, code)) return 'STORE_S3_UNAVAILABLE';
  if (status === 401 || (status === 403 && code === '')) return 'STORE_S3_DENIED';
  if (status >= 300 && status < 400) return 'STORE_S3_REGION_WRONG';
  // What speaks of an error without a code of S3 is something else.
  return code === '' && status !== 400 ? 'STORE_S3_ANSWER_INVALID' : 'STORE_S3_REFUSED';
}

/** Seconds or a date; 0 without one that can be read. */
function retryAfterMs(answer: HttpAnswer, nowMs: number): number {
  const text = answer.headers['retry-after'] ?? '';
  const ms = /^[0-9]{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}
