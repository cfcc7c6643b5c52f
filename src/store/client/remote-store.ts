// A store on another machine, or of another process of this one, as a Store: over the store's protocol
// (docs/store-protocol.md). The connection is made when it is first needed and again when it breaks.
// Every request may be repeated without harm, for a blob's name is its hash; so what has no answer is
// asked again on the next connection, and a stream goes on behind the last blob that was taken.

import { type Clock, sleep } from '#base/clock.ts';
import type { BlobRef } from '#base/ids.ts';
import type { Random } from '#base/random.ts';
import { cancelled, Gate, throwIfCancelled } from '#store/calls.ts';
import { STORE_ERRORS, StoreError, type StoreErrorCode } from '#store/errors.ts';
import {
  assertBlob,
  type BlobInfo,
  type BlobSource,
  type CallOptions,
  invalidToken,
  type ListOptions,
  missing,
  type PutOptions,
  type PutResult,
  readVerified,
  type Store,
  type StoreStats,
  type StreamedBlob,
  type StreamOptions,
} from '#store/store.ts';
import type { RemoveOptions } from '#store/upload/door.ts';
import type { MessageStream } from '#store/upload/message-stream.ts';
import { parseNumber, REFS_MAX } from '#store/upload/store-messages.ts';
import { BlobQueue, type QueuedBlob } from './blob-queue.ts';
import { type LinkFailure, type LinkRequest, StoreLink } from './store-link.ts';

/** After these the same is asked again. */
const PASSING: ReadonlySet<string> = new Set([
  'STORE_UNREACHABLE',
  'STORE_BUSY',
  'STORE_TIMED_OUT',
]);
const TOKEN = /^[^\s]{1,1000}$/;

export interface RemoteStoreOptions {
  /** Opens a new connection. Rejects with the signal's reason, or with a StoreError that is final. */
  readonly dial: (signal: AbortSignal) => Promise<MessageStream>;
  readonly clock: Clock;
  readonly random: Random;
  /** How long a call goes on without any success before it fails with the last failure. */
  readonly giveUpMs: number;
  readonly connectMs: number;
  readonly backoffMsMin: number;
  readonly backoffMsMax: number;
  /** Blobs that are put stay, whatever garbage collection finds, until `store unpin`. */
  readonly pin: boolean;
}

export class RemoteStore implements Store {
  readonly #options: RemoteStoreOptions;
  readonly #gate = new Gate();
  readonly #stop = new AbortController();
  /** Ends of puts: closing waits for them. */
  readonly #puts = new Set<Promise<unknown>>();
  #link: StoreLink | undefined;
  #linking: Promise<StoreLink> | undefined;

  constructor(options: RemoteStoreOptions) {
    this.#options = options;
  }

  async put(source: BlobSource, options: PutOptions = {}): Promise<PutResult> {
    this.#gate.enter(options.signal);
    const putting = this.#put(source, options);
    this.#puts.add(putting);
    const forget = (): void => {
      this.#puts.delete(putting);
    };
    putting.then(forget, forget);
    return await putting;
  }

  async #put(source: BlobSource, options: PutOptions): Promise<PutResult> {
    const { ref, bytes } = await readVerified(source, options);
    const flags = `${options.noRush === true ? ' norush' : ''}${this.#options.pin ? ' pin' : ''}`;
    const rest = `${ref} ${bytes.byteLength}${flags}`;
    const text = await this.#ask({ command: 'PUT', rest, body: bytes }, options.signal);
    return { ref, bytes: bytes.byteLength, new: text.endsWith(' new') };
  }

  async get(ref: BlobRef, options: CallOptions = {}): Promise<Uint8Array> {
    for await (const { body } of this.getMany([ref], options)) return body;
    throw missing(ref);
  }

  /**
   * The blobs in the order asked, verified, each soon after the one before. Those that are missing are
   * left out. @throws StoreError STORE_CORRUPT_BLOB when it comes to one that is
   */
  async *getMany(
    refs: readonly BlobRef[],
    options: CallOptions = {},
  ): AsyncGenerator<{ readonly ref: BlobRef; readonly body: Uint8Array }> {
    this.#gate.enter(options.signal);
    for (let from = 0; from < refs.length; ) {
      const some = refs.slice(from, from + REFS_MAX);
      const queue = this.#blobs(() => {
        const left = refs.slice(from, Math.min(refs.length, from + some.length));
        return { command: 'GET', rest: left.join(' ') };
      }, options.signal);
      const end = from + some.length;
      for await (const { ref, body, lack } of queue) {
        from++;
        if (lack === 'STORE_BLOB_MISSING') continue;
        if (body === undefined) throw new StoreError('STORE_CORRUPT_BLOB', `"${ref}" is damaged`);
        assertBlob(ref, body);
        yield { ref, body };
      }
      from = Math.max(from, end);
    }
  }

  async getRange(
    ref: BlobRef,
    range: { readonly start: number; readonly end: number },
    options: CallOptions = {},
  ): Promise<Uint8Array> {
    this.#gate.enter(options.signal);
    const { start, end } = range;
    const whole = Number.isSafeInteger(start) && Number.isSafeInteger(end);
    if (!whole || start < 0 || end < start) {
      throw new StoreError('STORE_RANGE_INVALID', `Cannot read bytes ${start} to ${end}`);
    }
    const request = { command: 'RANGE', rest: `${ref} ${start} ${end}` };
    for await (const blob of this.#blobs(() => request, options.signal)) {
      if (blob.body !== undefined && blob.body.byteLength <= end - start) return blob.body;
    }
    throw new StoreError('STORE_PROTOCOL', `The server gave another range of "${ref}"`);
  }

  async stat(refs: readonly BlobRef[], options: CallOptions = {}): Promise<BlobInfo[]> {
    this.#gate.enter(options.signal);
    const found: BlobInfo[] = [];
    for (let at = 0; at < refs.length; at += REFS_MAX) {
      const rest = refs.slice(at, at + REFS_MAX).join(' ');
      found.push(...infosOf(await this.#ask({ command: 'STAT', rest }, options.signal)));
    }
    return found;
  }

  async list(options: ListOptions = {}): Promise<BlobInfo[]> {
    this.#gate.enter(options.signal);
    const { after = '-', limit = REFS_MAX, signal } = options;
    return infosOf(await this.#ask({ command: 'LIST', rest: `${after} ${limit}` }, signal));
  }

  async remove(refs: readonly BlobRef[], options: RemoveOptions = {}): Promise<number> {
    this.#gate.enter(options.signal);
    let removed = 0;
    for (let at = 0; at < refs.length; at += REFS_MAX) {
      const names = refs.slice(at, at + REFS_MAX).join(' ');
      const rest = options.isForced === true ? `${names} force` : names;
      removed += parseNumber(await this.#ask({ command: 'REMOVE', rest }, options.signal)) ?? 0;
    }
    return removed;
  }

  async stats(): Promise<StoreStats> {
    this.#gate.enter();
    return JSON.parse(await this.#ask({ command: 'STATS' }, undefined)) as StoreStats;
  }

  async *stream(options: StreamOptions = {}): AsyncGenerator<StreamedBlob> {
    this.#gate.enter(options.signal);
    let { after } = options;
    if (after !== undefined && (after === '-' || !TOKEN.test(after))) throw invalidToken(after);
    const queue = this.#blobs(() => ({ command: 'STREAM', rest: after ?? '-' }), options.signal);
    for await (const { ref, body, bytes, token } of queue) {
      if (body !== undefined) assertBlob(ref, body);
      yield { ref, bytes, body, token };
      after = token;
    }
  }

  async flush(): Promise<void> {
    this.#gate.enter();
    await this.#ask({ command: 'FLUSH' }, undefined);
  }

  /** Resolves when the server answers. */
  async ping(options: CallOptions = {}): Promise<void> {
    this.#gate.enter(options.signal);
    await this.#ask({ command: 'PING' }, options.signal);
  }

  close(): Promise<void> {
    return this.#gate.close(async () => {
      await Promise.allSettled([...this.#puts]);
      this.#stop.abort(new StoreError('STORE_CLOSED', 'The store was closed'));
      this.#link?.close();
    });
  }

  /** One request to its answer, over as many connections as it takes. */
  async #ask(
    request: Pick<LinkRequest, 'command' | 'rest' | 'body'>,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const patience = new Patience(this.#options, this.#stop.signal);
    for (;;) {
      throwIfCancelled(signal);
      try {
        const link = await this.#connected(signal);
        return await askOnce(link, request, signal);
      } catch (error) {
        await patience.bear(error, signal);
      }
    }
  }

  /** The blobs of one request; `ask` is called again for the rest when the connection broke. */
  async *#blobs(
    ask: () => { readonly command: string; readonly rest: string },
    signal: AbortSignal | undefined,
  ): AsyncGenerator<QueuedBlob> {
    const patience = new Patience(this.#options, this.#stop.signal);
    for (;;) {
      throwIfCancelled(signal);
      try {
        const link = await this.#connected(signal);
        const queue = new BlobQueue(link, ask(), signal);
        try {
          for await (const blob of queue.read()) {
            patience.restore();
            yield blob;
          }
          return;
        } finally {
          queue.stop();
        }
      } catch (error) {
        await patience.bear(error, signal);
      }
    }
  }

  async #connected(signal: AbortSignal | undefined): Promise<StoreLink> {
    if (this.#link?.isOpen === true) return this.#link;
    this.#linking ??= this.#connect().finally(() => {
      this.#linking = undefined;
    });
    return await orCancelled(this.#linking, signal);
  }

  async #connect(): Promise<StoreLink> {
    const { clock, connectMs, dial } = this.#options;
    const late = new AbortController();
    const timer = clock.after(connectMs, () =>
      late.abort(new StoreError('STORE_UNREACHABLE', `No connection after ${connectMs} ms`)),
    );
    const signal = AbortSignal.any([late.signal, this.#stop.signal]);
    let stream: MessageStream | undefined;
    const abort = (): void => stream?.destroy();
    signal.addEventListener('abort', abort, { once: true });
    try {
      stream = await dial(signal);
      signal.throwIfAborted();
      this.#link = await StoreLink.open(stream, () => undefined);
      return this.#link;
    } catch (error) {
      throw this.#stop.signal.aborted ? this.#stop.signal.reason : errorOf(error);
    } finally {
      timer.cancel();
      signal.removeEventListener('abort', abort);
    }
  }
}

/** How long failures that pass are borne, with pauses that double. */
class Patience {
  readonly #options: RemoteStoreOptions;
  readonly #stop: AbortSignal;
  #sinceMs: number | undefined;
  #pauseMs = 0;

  constructor(options: RemoteStoreOptions, stop: AbortSignal) {
    this.#options = options;
    this.#stop = stop;
  }

  restore(): void {
    this.#sinceMs = undefined;
    this.#pauseMs = 0;
  }

  /** Waits before the next attempt, or throws the error. */
  async bear(thrown: unknown, signal: AbortSignal | undefined): Promise<void> {
    const error = errorOf(thrown);
    const { clock, random, giveUpMs, backoffMsMin, backoffMsMax } = this.#options;
    if (!(error instanceof StoreError && PASSING.has(error.code))) throw error;
    const nowMs = clock.monotonicMs();
    this.#sinceMs ??= nowMs;
    this.#pauseMs = Math.min(Math.max(this.#pauseMs * 2, backoffMsMin), backoffMsMax);
    if (nowMs - this.#sinceMs + this.#pauseMs > giveUpMs) throw error;
    // Between half and all of it, so that clients of one server do not come back together.
    const pauseMs = this.#pauseMs * (0.5 + random.u32() / 0x2_0000_0000);
    await orCancelled(sleep(clock, pauseMs, this.#stop), signal);
  }
}

function askOnce(
  link: StoreLink,
  request: Pick<LinkRequest, 'command' | 'rest' | 'body'>,
  signal: AbortSignal | undefined,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const done = (): void => signal?.removeEventListener('abort', abort);
    const call = link.send({
      ...request,
      onDone: (text) => {
        done();
        resolve(text);
      },
      onFailed: (failure) => {
        done();
        reject(errorOf(failure));
      },
    });
    const abort = (): void => {
      call.cancel();
      reject(cancelled());
    };
    signal?.addEventListener('abort', abort, { once: true });
  });
}

async function orCancelled<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await work;
  const gone = Promise.withResolvers<never>();
  const abort = (): void => gone.reject(cancelled());
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, gone.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
    work.catch(() => undefined);
  }
}

function infosOf(text: string): BlobInfo[] {
  return JSON.parse(text) as BlobInfo[];
}

/** A failure of the link as the error it stands for; other errors as they are. */
export function errorOf(thrown: unknown): unknown {
  if (thrown instanceof Error || typeof thrown !== 'object' || thrown === null) return thrown;
  const { code, message } = thrown as LinkFailure;
  return new StoreError(
    code in STORE_ERRORS ? (code as StoreErrorCode) : 'STORE_FAILED',
    message === '' ? code : message,
  );
}
