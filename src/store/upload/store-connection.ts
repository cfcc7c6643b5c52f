// One client of the store's protocol, from the server's side (docs/store-protocol.md). It owns what is
// on its way: puts that still want bytes, requests under way, blobs being sent. Nothing of it waits
// for anything else of it, but what is sent goes on only as far as its reader said that it took.

import { assert } from '#base/assert.ts';
import type { Timer } from '#base/clock.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import { throwIfCancelled } from '#store/calls.ts';
import { StoreError } from '#store/errors.ts';
import { BLOB_BYTES_MAX, type PutOptions, type Store, statSound } from '#store/store.ts';
import type { BlobSender } from './blob-sender.ts';
import { OutgoingBlobs } from './blob-sender.ts';
import { type Caller, removeAsked, type StoreDoor } from './door.ts';
import type { MessageStream } from './message-stream.ts';
import {
  PIECE_BYTES_MAX,
  PIECE_HEADER_BYTES,
  parseRequest,
  pieceNumber,
  REFS_MAX,
  STORE_PROTOCOL,
  type StoreLimits,
  type StoreRequest,
} from './store-messages.ts';

type PutRequest = Extract<StoreRequest, { kind: 'PUT' }>;

/** Close codes of RFC 6455. */
export const CLOSE = { normal: 1000, goingAway: 1001, protocol: 1002, policy: 1008 } as const;
const FIRST_BYTES = 65_536;
/** Answers that nobody takes: at this many bytes no further request is read. */
const ANSWERS_BYTES_MAX = 1024 * 1024;

/** A put whose bytes come. */
interface Incoming {
  readonly request: PutRequest;
  buffer: Uint8Array;
  received: number;
}

interface Running {
  readonly abort: AbortController;
  readonly isPut: boolean;
  /** Resolves when its last answer is sent; never fails. */
  answered?: Promise<void>;
}

export class StoreConnection implements BlobSender {
  readonly #door: StoreDoor;
  readonly #caller: Caller;
  readonly #stream: MessageStream;
  readonly #onEnded: () => void;
  readonly #incoming = new Map<number, Incoming>();
  /** Of every request that has no last answer yet, but for puts whose bytes still come. */
  readonly #running = new Map<number, Running>();
  readonly #outgoing: OutgoingBlobs;
  readonly #work = new Set<Promise<void>>();
  #lastNumber = 0;
  #unansweredBytes = 0;
  #heardMs: number;
  #checkedMs: number;
  #timer: Timer | undefined;
  #isPaused = false;
  #isEnded = false;

  constructor(
    door: StoreDoor,
    start: {
      readonly caller: Caller;
      readonly stream: MessageStream;
      readonly onEnded: () => void;
    },
  ) {
    this.#door = door;
    this.#caller = start.caller;
    this.#stream = start.stream;
    this.#onEnded = start.onEnded;
    this.#heardMs = door.clock.monotonicMs();
    this.#checkedMs = this.#heardMs;
    this.#outgoing = new OutgoingBlobs(door, start.caller, this);
  }

  /** Greets, and hears from now on. */
  start(): void {
    this.#stream.start({
      onText: (text) => this.#onText(text),
      onBytes: (bytes) => this.#onBytes(bytes),
      onDrain: () => this.#onDrain(),
      onClosed: () => this.#ended(),
    });
    this.sendText(`HELLO ${STORE_PROTOCOL} ${JSON.stringify(this.#limits())}`);
    this.#watch();
  }

  get unsentBytes(): number {
    return this.#stream.unsentBytes;
  }

  /** Tells the client that the server goes; resolves when what it put is answered. */
  async close(): Promise<void> {
    for (const { abort, isPut } of this.#running.values()) if (!isPut) abort.abort();
    await Promise.allSettled([...this.#work]);
    this.#stream.close(CLOSE.goingAway);
    this.#stream.destroy();
  }

  sendText(text: string): void {
    this.#stream.sendText(text);
    if (this.#isPaused || this.#stream.unsentBytes <= ANSWERS_BYTES_MAX) return;
    this.#isPaused = true;
    this.#stream.pause();
  }

  sendBytes(bytes: Uint8Array): void {
    this.#stream.sendBytes(bytes);
  }

  /** Says why, then ends the connection. */
  fail(code: 'STORE_PROTOCOL' | 'STORE_TIMED_OUT' | 'STORE_DENIED', why: string): void {
    if (this.#isEnded) return;
    this.#door.counts.ended(code);
    this.sendText(`ERR 0 ${code} ${why}`);
    this.#stream.close(code === 'STORE_PROTOCOL' ? CLOSE.protocol : CLOSE.policy);
    // Who does not read gets no second chance to say so.
    if (code === 'STORE_TIMED_OUT') this.#stream.destroy();
    this.#ended();
  }

  #limits(): StoreLimits {
    const { unansweredBytesMax, requestsMax, sendWindowBytes, readsAtOnceMax, idleMsMax } =
      this.#door.config;
    return {
      blobBytesMax: BLOB_BYTES_MAX,
      pieceBytesMax: PIECE_BYTES_MAX,
      refsMax: REFS_MAX,
      ...{ unansweredBytesMax, requestsMax, sendWindowBytes, readsAtOnceMax, idleMs: idleMsMax },
    };
  }

  #onDrain(): void {
    this.#outgoing.wake();
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#stream.resume();
  }

  #onText(text: string): void {
    if (this.#isEnded) return;
    this.#heardMs = this.#door.clock.monotonicMs();
    const request = parseRequest(text);
    if (request === undefined) {
      this.fail('STORE_PROTOCOL', 'a request is not understood');
      return;
    }
    if (request.kind === 'TOOK') {
      this.#outgoing.took(request.number, request.bytes);
      return;
    }
    if (request.number <= this.#lastNumber) {
      this.fail('STORE_PROTOCOL', 'the number of a request is not greater than those before');
      return;
    }
    this.#lastNumber = request.number;
    if (request.kind === 'CANCEL') {
      this.#cancel(request.other);
      this.sendText(`OK ${request.number}`);
      return;
    }
    if (this.#running.size + this.#incoming.size >= this.#door.config.requestsMax) {
      this.fail('STORE_PROTOCOL', 'more requests are unanswered than requestsMax');
      return;
    }
    if (request.kind === 'PUT') this.#admit(request);
    else this.#run(request.number, false, (signal) => this.#answer(request, signal));
  }

  #onBytes(message: Uint8Array): void {
    if (this.#isEnded) return;
    this.#heardMs = this.#door.clock.monotonicMs();
    const number = pieceNumber(message);
    if (number === 0 || number > this.#lastNumber) {
      this.fail('STORE_PROTOCOL', 'bytes belong to no request');
      return;
    }
    const put = this.#incoming.get(number);
    // Late for a put that was refused or cancelled.
    if (put === undefined) return;
    const length = message.byteLength - PIECE_HEADER_BYTES;
    const received = put.received + length;
    if (received > put.request.bytes) {
      this.fail('STORE_PROTOCOL', 'a put has more bytes than it said');
      return;
    }
    put.buffer = grown(put, received);
    put.buffer.set(message.subarray(PIECE_HEADER_BYTES), put.received);
    put.received = received;
    if (received === put.request.bytes) this.#complete(put);
  }

  #admit(request: PutRequest): void {
    const { number, bytes } = request;
    const { config, budget, counts } = this.#door;
    if (bytes > BLOB_BYTES_MAX) {
      this.#refuse(number, 'STORE_BLOB_TOO_LARGE', `A blob has at most ${BLOB_BYTES_MAX} bytes`);
    } else if (this.#unansweredBytes + bytes > config.unansweredBytesMax) {
      this.#refuse(number, 'STORE_BUSY', 'More bytes are unanswered than unansweredBytesMax');
    } else if (!budget.take(this.#caller.budget, bytes)) {
      counts.refused('STORE_BUSY');
      this.#refuse(number, 'STORE_BUSY', 'As much as the settings allow is on its way');
    } else {
      this.#unansweredBytes += bytes;
      const put = { request, buffer: new Uint8Array(Math.min(bytes, FIRST_BYTES)), received: 0 };
      this.#incoming.set(number, put);
      if (bytes === 0) this.#complete(put);
    }
  }

  #refuse(number: number, code: string, why: string): void {
    this.sendText(`ERR ${number} ${code} ${why}`);
  }

  #complete({ request, buffer, received }: Incoming): void {
    assert(received === request.bytes, 'a put is stored when all of its bytes came');
    const { number, ref, noRush, pin } = request;
    this.#incoming.delete(number);
    this.#door.counts.received(received);
    this.#run(number, true, async (signal) => {
      try {
        const options: PutOptions = { signal, noRush, ...(ref === undefined ? {} : { ref }) };
        const put = await (await this.#door.store()).put(buffer, options);
        // After the put: a pin of a blob that is not there yet could come too early.
        if (pin) await this.#door.pin([put.ref], this.#caller.name);
        return `OK ${number} ${put.ref} ${put.bytes} ${put.new ? 'new' : 'known'}`;
      } finally {
        this.#release(request.bytes);
      }
    });
  }

  #release(bytes: number): void {
    this.#unansweredBytes -= bytes;
    this.#door.budget.give(this.#caller.budget, bytes);
  }

  #cancel(number: number): void {
    const put = this.#incoming.get(number);
    if (put !== undefined) {
      this.#incoming.delete(number);
      this.#release(put.request.bytes);
      this.#refuse(number, 'STORE_CANCELLED', 'The request was taken back');
    }
    this.#running.get(number)?.abort.abort();
    this.#outgoing.wake();
  }

  /** Owns the request until its one last answer. */
  #run(number: number, isPut: boolean, work: (signal: AbortSignal) => Promise<string>): void {
    const abort = new AbortController();
    const running: Running = { abort, isPut };
    this.#running.set(number, running);
    const done = work(abort.signal)
      .catch((error: unknown) => this.#errorLine(number, error))
      .then((line) => {
        this.#running.delete(number);
        this.#work.delete(done);
        this.sendText(line);
      });
    running.answered = done;
    this.#work.add(done);
  }

  #errorLine(number: number, error: unknown): string {
    const code = codeOf(error) ?? '';
    if (code.startsWith('STORE_')) {
      return `ERR ${number} ${code} ${messageOf(error).replaceAll(/\s+/g, ' ')}`;
    }
    this.#door.logger.error('A request to the store failed', { error: messageOf(error) });
    return `ERR ${number} STORE_FAILED The server failed; its log says why`;
  }

  async #answer(
    request: Exclude<StoreRequest, { kind: 'PUT' } | { kind: 'CANCEL' } | { kind: 'TOOK' }>,
    signal: AbortSignal,
  ): Promise<string> {
    const { number } = request;
    if (request.kind === 'PING') return `OK ${number}`;
    const store = await this.#door.store();
    throwIfCancelled(signal);
    switch (request.kind) {
      case 'GET':
        await this.#outgoing.send(number, signal, (line) => line.named(store, request.refs));
        return `OK ${number}`;
      case 'RANGE':
        await this.#outgoing.send(number, signal, (line) => line.range(store, request));
        return `OK ${number}`;
      case 'STREAM':
        await this.#outgoing.send(number, signal, (line) => line.stream(store, request.after));
        return `OK ${number}`;
      default:
        return await this.#small(store, request, signal);
    }
  }

  async #small(
    store: Store,
    request: Extract<
      StoreRequest,
      | { kind: 'STAT' }
      | { kind: 'LIST' }
      | { kind: 'REMOVE' }
      | { kind: 'STATS' }
      | { kind: 'FLUSH' }
    >,
    signal: AbortSignal,
  ): Promise<string> {
    const { number } = request;
    switch (request.kind) {
      case 'STAT':
        return `JSON ${number} ${JSON.stringify(await statSound(store, request.refs, { signal }))}`;
      case 'LIST': {
        const { after, limit } = request;
        const from = after === undefined ? {} : { after };
        const page = await store.list({ limit, signal, ...from });
        return `JSON ${number} ${JSON.stringify(page)}`;
      }
      case 'REMOVE': {
        const { refs, isForced } = request;
        const removed = await removeAsked(this.#door, this.#caller, refs, { signal, isForced });
        return `OK ${number} ${removed}`;
      }
      case 'STATS':
        return `JSON ${number} ${JSON.stringify(await store.stats())}`;
      case 'FLUSH': {
        // The puts that it covers are answered before it.
        const puts = [...this.#running].filter(([other, { isPut }]) => isPut && other < number);
        await store.flush();
        await Promise.all(puts.map(([, { answered }]) => answered));
        return `OK ${number}`;
      }
      default:
        request satisfies never;
        throw new StoreError('STORE_PROTOCOL', 'There is no such request');
    }
  }

  /** Deadlines, and whether the caller may still be here. */
  #watch(): void {
    const { clock, config } = this.#door;
    const { stallMsMax, idleMsMax, rightsMsMax } = config;
    const everyMs = Math.max(10, Math.min(stallMsMax / 4, idleMsMax / 4, rightsMsMax));
    this.#timer = clock.after(everyMs, () => {
      if (this.#isEnded) return;
      const nowMs = clock.monotonicMs();
      const silentMs = nowMs - this.#heardMs;
      if (this.#incoming.size > 0 && silentMs > stallMsMax) {
        this.fail('STORE_TIMED_OUT', 'the rest of a put did not come');
      } else if (this.#outgoing.stalledMs(nowMs) > stallMsMax) {
        this.fail('STORE_TIMED_OUT', 'what is sent is not taken');
      } else if (this.#isPaused && silentMs > stallMsMax) {
        this.fail('STORE_TIMED_OUT', 'answers are not taken');
      } else if (this.#running.size + this.#incoming.size === 0 && silentMs > idleMsMax) {
        this.#stream.close(CLOSE.normal);
        this.#ended();
      } else {
        if (nowMs - this.#checkedMs >= rightsMsMax) this.#checkRights(nowMs);
        this.#watch();
      }
    });
  }

  #checkRights(nowMs: number): void {
    this.#checkedMs = nowMs;
    const checking = this.#caller
      .mayStay()
      // A database that is away takes nobody's rights.
      .catch(() => true)
      .then((may) => {
        if (!may) this.fail('STORE_DENIED', 'the right to use the store ended');
      });
    this.#work.add(checking);
    void checking.finally(() => this.#work.delete(checking));
  }

  #ended(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#timer?.cancel();
    for (const { request } of this.#incoming.values()) this.#release(request.bytes);
    this.#incoming.clear();
    // Puts whose bytes are all here go on: who comes again finds them stored.
    for (const { abort, isPut } of this.#running.values()) if (!isPut) abort.abort();
    this.#outgoing.wake();
    this.#onEnded();
  }
}

/** Room for what has arrived, not for what was announced; at the end exactly the blob. */
function grown({ buffer, request, received }: Incoming, wanted: number): Uint8Array {
  if (wanted <= buffer.byteLength) return buffer;
  const larger = new Uint8Array(Math.min(request.bytes, Math.max(wanted, buffer.byteLength * 2)));
  larger.set(buffer.subarray(0, received));
  return larger;
}
