// The queue of transfer records that wait for the disk, in shared memory: all tracker threads push,
// one of them appends to the log (transfer-writer.ts). A place is taken while the torrent's shard is
// locked, so the records of one baseline stand here, and then in the log, in the order of their
// sequence, whichever threads they came from. What is not on disk is always the queue's tail, and an
// append that fails loses exactly that tail (docs/decisions/0006).
//
//   settled ........ sent ........ head        positions, 30 bits, that only grow and wrap
//     in flight        waits         the next one
//
// A place is taken by one compare-and-set on `head`; a gate in the same word keeps everybody out
// while lost records are taken back. Then the record is written and its mark says that it is whole.

import type { AccountingConfig } from '#accounting/config.ts';
import { assert } from '#base/assert.ts';
import type { Clock, Timer } from '#base/clock.ts';
import { TRANSFER_RECORD_BYTES } from './transfer-record.ts';

/** Of a place in `recordWords`. */
export const QUEUE_RECORD_WORDS: number = TRANSFER_RECORD_BYTES / 4;
/** Threads that may share a queue. */
export const QUEUE_WORKERS_MAX = 64;

const POSITIONS = 0x3fff_ffff;
const GATE = 0x4000_0000;

/** What the writer is asked for: to look for a full batch, or to send all there is. */
const ASK = { look: 1, flush: 2 } as const;

const AT = { head: 0, settled: 16, sent: 32, asked: 48, waiters: 64 } as const;
const HEADER_WORDS = AT.waiters + QUEUE_WORKERS_MAX;

type QueueConfig = Pick<
  AccountingConfig,
  'batchRecordsMax' | 'batchAgeMsMax' | 'recordsPendingMax'
>;

export interface TransferQueueWorld {
  /** From TransferQueue.reserve() with an equal config. */
  readonly memory: SharedArrayBuffer;
  /** This thread's number, below QUEUE_WORKERS_MAX. */
  readonly worker: number;
  readonly clock: Clock;
  readonly config: QueueConfig;
  /** Makes the writer look here, wherever it runs; called once for each kind until it has looked. */
  wakeWriter(): void;
}

/** Where take() writes, in words. */
export interface TakenLayout {
  readonly at: number;
  readonly stride: number;
  readonly max: number;
}

interface Waiter {
  readonly position: number;
  readonly run: (durable: boolean) => void;
}

export class TransferQueue {
  readonly #world: TransferQueueWorld;
  readonly #words: Int32Array;
  /** Position + 1 of the whole record in each place. */
  readonly #marks: Int32Array;
  readonly #records: Uint8Array;
  /** Whoever took a position writes its record here: QUEUE_RECORD_WORDS for each place. */
  readonly recordWords: Uint32Array;
  readonly #mask: number;
  readonly #waiters: Waiter[] = [];
  #waitersFrom = 0;
  #age: Timer | undefined;
  #isAskPlanned = false;
  #flushedMs = Number.NEGATIVE_INFINITY;

  static reserve(config: QueueConfig): SharedArrayBuffer {
    const capacity = capacityOf(config);
    return new SharedArrayBuffer(HEADER_WORDS * 4 + capacity * (4 + TRANSFER_RECORD_BYTES));
  }

  constructor(world: TransferQueueWorld) {
    const { memory, worker, config } = world;
    const capacity = capacityOf(config);
    const marksAt = HEADER_WORDS * 4;
    assert(memory.byteLength >= marksAt + capacity * 4, 'the queue was reserved with this config');
    assert(worker < QUEUE_WORKERS_MAX, 'the thread has a place');
    this.#world = world;
    this.#mask = capacity - 1;
    this.#words = new Int32Array(memory, 0, HEADER_WORDS);
    this.#marks = new Int32Array(memory, marksAt, capacity);
    this.recordWords = new Uint32Array(
      memory,
      marksAt + capacity * 4,
      capacity * QUEUE_RECORD_WORDS,
    );
    this.#records = new Uint8Array(
      memory,
      marksAt + capacity * 4,
      capacity * TRANSFER_RECORD_BYTES,
    );
  }

  /** `recordsPendingMax` is reached, or lost records are being taken back: push nothing now. */
  get isFull(): boolean {
    const head = Atomics.load(this.#words, AT.head);
    return (head & GATE) !== 0 || this.#distance(head) >= this.#world.config.recordsPendingMax;
  }

  /** Records that are not on disk yet, of all threads. */
  get pending(): number {
    return this.#distance(Atomics.load(this.#words, AT.head));
  }

  /** Where the newest record stands; meaningful while something is pending. */
  get newest(): number {
    return (Atomics.load(this.#words, AT.head) - 1) & POSITIONS;
  }

  /** Number of the place that a position has; below `capacityOf(config)`. */
  placeOf(position: number): number {
    return position & this.#mask;
  }

  /**
   * Takes the next position; -1 when the queue is full. Whoever took one publishes it without a
   * pause: the writer waits for it.
   */
  reserve(): number {
    const words = this.#words;
    const { recordsPendingMax } = this.#world.config;
    for (let head = Atomics.load(words, AT.head); ; ) {
      if ((head & GATE) !== 0 || this.#distance(head) >= recordsPendingMax) return -1;
      const found = Atomics.compareExchange(words, AT.head, head, (head + 1) & POSITIONS);
      if (found === head) return head;
      head = found;
    }
  }

  /** The record stands in the place of a position that was taken: the writer may have it. */
  publish(position: number): void {
    const place = this.placeOf(position);
    Atomics.store(this.#marks, place, position + 1);
    if (this.unsent >= this.#world.config.batchRecordsMax) this.#askSoon();
    else this.#age ??= this.#startAge();
  }

  /** The record in a place: a view that is good until the position after it in this place is taken. */
  recordAt(place: number): Uint8Array {
    return this.#bytesOf(place, 1);
  }

  /** Asks that everything pushed so far is sent as soon as the append in flight is answered. */
  flush(): void {
    this.#flushedMs = this.#world.clock.monotonicMs();
    if (this.unsent > 0) this.#ask(ASK.flush);
  }

  /** Before a push that somebody waits for: from now on this thread is told of what settles. */
  willWait(): void {
    Atomics.add(this.#words, AT.waiters + this.#world.worker, 1);
  }

  /** Takes a willWait() back whose push did not happen. */
  wontWait(): void {
    Atomics.sub(this.#words, AT.waiters + this.#world.worker, 1);
  }

  /**
   * Runs when the record at `position` is durable or lost. willWait() was called before it was
   * pushed. Positions come in ascending order.
   */
  onSettled(position: number, run: (durable: boolean) => void): void {
    this.#waiters.push({ position, run });
  }

  /**
   * Sends what is there; resolves when everything pushed so far has settled and this thread's waiters
   * have been told.
   */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      this.willWait();
      const position = this.pending > 0 ? this.newest : this.#waiters.at(-1)?.position;
      if (position === undefined) {
        this.wontWait();
        resolve();
        return;
      }
      this.onSettled(position, () => resolve());
      this.flush();
    });
  }

  /** Nothing was pushed that would need it any more. */
  close(): void {
    this.#age?.cancel();
    this.#age = undefined;
  }

  /** Everything before `position` has settled: whoever waits for it in this thread is told. */
  tell(position: number, durable: boolean): void {
    const waiters = this.#waiters;
    while (this.#waitersFrom < waiters.length) {
      const waiter = waiters[this.#waitersFrom]!;
      if (!isBefore(waiter.position, position)) break;
      this.#waitersFrom++;
      this.wontWait();
      waiter.run(durable);
    }
    if (this.#waitersFrom < 1024 && this.#waitersFrom < waiters.length) return;
    waiters.splice(0, this.#waitersFrom);
    this.#waitersFrom = 0;
  }

  /** Records that no append has taken yet. */
  get unsent(): number {
    const head = Atomics.load(this.#words, AT.head);
    return (head - Atomics.load(this.#words, AT.sent)) & POSITIONS;
  }

  // For the writer alone.

  /** The writer looks now, and who pushes from here on wakes it again. How many should be sent. */
  look(): number {
    const asked = Atomics.exchange(this.#words, AT.asked, 0);
    const { unsent } = this;
    return (asked & ASK.flush) === 0
      ? unsent - (unsent % this.#world.config.batchRecordsMax)
      : unsent;
  }

  /**
   * Copies up to `max` records that are next to be sent, in order, each `stride` words behind the one
   * before, the first at `at`; returns how many.
   */
  take(into: Uint32Array, { at, stride, max }: TakenLayout): number {
    const sent = Atomics.load(this.#words, AT.sent);
    const count = Math.min(this.unsent, max);
    const words = this.recordWords;
    for (let index = 0; index < count; index++) {
      const position = (sent + index) & POSITIONS;
      this.#awaitMark(position);
      const from = this.placeOf(position) * QUEUE_RECORD_WORDS;
      const to = at + index * stride;
      for (let word = 0; word < QUEUE_RECORD_WORDS; word++) into[to + word] = words[from + word]!;
    }
    Atomics.store(this.#words, AT.sent, (sent + count) & POSITIONS);
    if (this.unsent === 0) this.close();
    return count;
  }

  /** The oldest `count` records are on disk; returns the position behind them. */
  settle(count: number): number {
    const settled = (Atomics.load(this.#words, AT.settled) + count) & POSITIONS;
    Atomics.store(this.#words, AT.settled, settled);
    return settled;
  }

  /**
   * Takes every pending record out: `run` gets them newest first, with the newest's position, while
   * nobody can push. Returns the position behind them. The views are lent for the call.
   */
  lose(run: (records: readonly Uint8Array[], newest: number) => void): number {
    const words = this.#words;
    const head = Atomics.or(words, AT.head, GATE) & POSITIONS;
    const records: Uint8Array[] = [];
    for (let count = this.#distance(head); count > 0; count--) {
      const position = (head - 1 - records.length) & POSITIONS;
      this.#awaitMark(position);
      records.push(this.#bytesOf(this.placeOf(position), 1));
    }
    run(records, (head - 1) & POSITIONS);
    Atomics.store(words, AT.sent, head);
    Atomics.store(words, AT.settled, head);
    Atomics.store(words, AT.head, head);
    this.close();
    return head;
  }

  /** Whether another thread waits for something that settles. */
  hasWaiters(worker: number): boolean {
    return Atomics.load(this.#words, AT.waiters + worker) > 0;
  }

  #bytesOf(place: number, count: number): Uint8Array {
    const from = place * TRANSFER_RECORD_BYTES;
    return this.#records.subarray(from, from + count * TRANSFER_RECORD_BYTES);
  }

  #distance(head: number): number {
    return ((head & POSITIONS) - Atomics.load(this.#words, AT.settled)) & POSITIONS;
  }

  /** Its thread is between taking the place and marking it: a few hundred nanoseconds. */
  #awaitMark(position: number): void {
    const place = this.placeOf(position);
    while (Atomics.load(this.#marks, place) !== position + 1) {
      // Only a thread that lost its core in between makes this last; its core comes back.
      Atomics.wait(this.#marks, place, Atomics.load(this.#marks, place), 1);
    }
  }

  /** Not at once: who publishes holds a lock. */
  #askSoon(): void {
    if (this.#isAskPlanned) return;
    this.#isAskPlanned = true;
    queueMicrotask(this.#askNow);
  }

  // Made once: a function that holds a closure allocates whenever it is called.
  readonly #askNow = (): void => {
    this.#isAskPlanned = false;
    this.#ask(ASK.look);
  };

  #ask(what: number): void {
    if ((Atomics.or(this.#words, AT.asked, what) & what) === 0) this.#world.wakeWriter();
  }

  /** No two batches are sent for their age alone in less than it; after a rest the first goes at once. */
  #startAge(): Timer {
    const { clock, config } = this.#world;
    const restMs = this.#flushedMs + config.batchAgeMsMax - clock.monotonicMs();
    return clock.after(Math.max(0, restMs), () => {
      this.#age = undefined;
      this.flush();
    });
  }
}

/** Places of a queue: a power of two. */
export function capacityOf(config: QueueConfig): number {
  return 2 ** Math.ceil(Math.log2(Math.max(2, config.recordsPendingMax)));
}

/** Positions wrap; two that are compared are never half of all apart. */
function isBefore(position: number, other: number): boolean {
  const distance = (other - position) & POSITIONS;
  return distance !== 0 && distance < POSITIONS / 2;
}
