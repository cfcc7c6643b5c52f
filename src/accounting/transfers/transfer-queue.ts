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
//
// What has settled stays in its place until somebody takes the position that comes there next, which
// is as many records later as there are places. So the ledger need not read it from the log again:
// the writer tells at which offsets the newest of them stand there (transfer-feed.ts).

import type { AccountingConfig } from '#accounting/config.ts';
import { assert } from '#base/assert.ts';
import type { Clock, Timer } from '#base/clock.ts';
import { TRANSFER_RECORD_BYTES } from './transfer-record.ts';

/** Of a place in `words`: room for what the log writes before a record, then the record. */
export const QUEUE_ROOM_WORDS = 3;
export const QUEUE_PLACE_WORDS: number = QUEUE_ROOM_WORDS + TRANSFER_RECORD_BYTES / 4;
const PLACE_BYTES = QUEUE_PLACE_WORDS * 4;
/** Threads that may share a queue. */
export const QUEUE_WORKERS_MAX = 64;

/** Positions are numbers of 30 bits. */
export const POSITIONS = 0x3fff_ffff;
const GATE = 0x4000_0000;
const U32 = 0x1_0000_0000;

/** The run changes with every append, hundreds of times a second at most. */
const RUN_TRIES = 4;

/** What the writer is asked for: to look for a full batch, or to send all there is. */
const ASK = { look: 1, flush: 2 } as const;

const AT = { head: 0, settled: 16, sent: 32, asked: 48, run: 64, waiters: 80 } as const;
const HEADER_WORDS = AT.waiters + QUEUE_WORKERS_MAX;
/**
 * Of AT.run: a count that is odd while the others change; the position behind the newest settled record;
 * the offsets, as two words each, of the first record that stands in the log as it does here, one behind
 * the other, and behind the last.
 */
const RUN = { version: 0, position: 1, from: 2, next: 4 } as const;

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

/** Settled records that stand in the log one behind the other, as they did in the queue. */
export interface SettledRun {
  /** Offsets in the log. */
  from: number;
  next: number;
  /** Of the record before `next`, + 1. */
  position: number;
}

/** How many records the writer should send, and whether somebody waits for the last of them. */
export interface Wanted {
  readonly count: number;
  readonly isFlush: boolean;
}

interface Waiter {
  readonly position: number;
  readonly run: (durable: boolean) => void;
}

export class TransferQueue {
  readonly #world: TransferQueueWorld;
  readonly #header: Int32Array;
  /** Position + 1 of the whole record in each place. */
  readonly #marks: Int32Array;
  readonly #bytes: Uint8Array;
  /** QUEUE_PLACE_WORDS for each place. */
  readonly words: Uint32Array;
  readonly #mask: number;
  readonly #recordsMax: number;
  readonly #batchRecordsMax: number;
  /** The writer's: the run that goes on with what settles next. */
  readonly #run: SettledRun = { from: 0, next: -1, position: 0 };
  readonly #waiters: Waiter[] = [];
  #waitersFrom = 0;
  #age: Timer | undefined;
  #isAskPlanned = false;
  #flushedMs = Number.NEGATIVE_INFINITY;

  static reserve(config: QueueConfig): SharedArrayBuffer {
    const capacity = capacityOf(config);
    return new SharedArrayBuffer(HEADER_WORDS * 4 + capacity * (4 + PLACE_BYTES));
  }

  constructor(world: TransferQueueWorld) {
    const { memory, worker, config } = world;
    const capacity = capacityOf(config);
    const marksAt = HEADER_WORDS * 4;
    assert(memory.byteLength >= marksAt + capacity * 4, 'the queue was reserved with this config');
    assert(worker < QUEUE_WORKERS_MAX, 'the thread has a place');
    this.#world = world;
    this.#mask = capacity - 1;
    this.#recordsMax = config.recordsPendingMax;
    this.#batchRecordsMax = config.batchRecordsMax;
    const placesAt = marksAt + capacity * 4;
    this.#header = new Int32Array(memory, 0, HEADER_WORDS);
    this.#marks = new Int32Array(memory, marksAt, capacity);
    this.words = new Uint32Array(memory, placesAt, capacity * QUEUE_PLACE_WORDS);
    this.#bytes = new Uint8Array(memory, placesAt, capacity * PLACE_BYTES);
  }

  /** `recordsPendingMax` is reached, or lost records are being taken back: push nothing now. */
  get isFull(): boolean {
    const head = Atomics.load(this.#header, AT.head);
    return (head & GATE) !== 0 || this.#distance(head) >= this.#recordsMax;
  }

  /** Records that are not on disk yet, of all threads. */
  get pending(): number {
    return this.#distance(Atomics.load(this.#header, AT.head));
  }

  /** Where the newest record stands; meaningful while something is pending. */
  get newest(): number {
    return (Atomics.load(this.#header, AT.head) - 1) & POSITIONS;
  }

  /** Number of the place that a position has; below `capacityOf(config)`. */
  placeOf(position: number): number {
    return position & this.#mask;
  }

  /** Where in `words` whoever took a position writes its record: the words of TRANSFER_RECORD_BYTES. */
  recordWordAt(place: number): number {
    return place * QUEUE_PLACE_WORDS + QUEUE_ROOM_WORDS;
  }

  /**
   * Takes the next position; -1 when the queue is full. Whoever took one publishes it without a
   * pause: the writer waits for it.
   */
  reserve(): number {
    const header = this.#header;
    const recordsMax = this.#recordsMax;
    // Plain reads: whether they still hold is for the exchange to say, and what has settled only grows.
    for (let head = header[AT.head]!; ; ) {
      if ((head & GATE) !== 0 || this.#pendingAt(head) >= recordsMax) return -1;
      const found = Atomics.compareExchange(header, AT.head, head, (head + 1) & POSITIONS);
      if (found === head) return head;
      head = found;
    }
  }

  /** The record stands in the place of a position that was taken: the writer may have it. */
  publish(position: number): void {
    const place = this.placeOf(position);
    Atomics.store(this.#marks, place, position + 1);
    const header = this.#header;
    // Plain reads: this thread's own exchange on the head came before, and nobody needs it to a record.
    const unsent = (header[AT.head]! - header[AT.sent]!) & POSITIONS;
    if (unsent >= this.#batchRecordsMax) this.#askSoon();
    // Also then: what is behind the last whole batch waits no longer for it.
    this.#age ??= this.#startAge();
  }

  /** The record in a place: a view that is good until the position after it in this place is taken. */
  recordAt(place: number): Uint8Array {
    const from = this.recordWordAt(place) * 4;
    return this.#bytes.subarray(from, from + TRANSFER_RECORD_BYTES);
  }

  /** Asks that everything pushed so far is sent as soon as the append in flight is answered. */
  flush(): void {
    this.#flushedMs = this.#world.clock.monotonicMs();
    if (this.unsent > 0) this.#ask(ASK.flush);
  }

  /** Before a push that somebody waits for: from now on this thread is told of what settles. */
  willWait(): void {
    Atomics.add(this.#header, AT.waiters + this.#world.worker, 1);
  }

  /** Takes a willWait() back whose push did not happen. */
  wontWait(): void {
    Atomics.sub(this.#header, AT.waiters + this.#world.worker, 1);
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
    const head = Atomics.load(this.#header, AT.head);
    return (head - Atomics.load(this.#header, AT.sent)) & POSITIONS;
  }

  // For the writer alone.

  /** The writer looks now, and who pushes from here on wakes it again. What it should send. */
  look(): Wanted {
    const asked = Atomics.exchange(this.#header, AT.asked, 0);
    const { unsent } = this;
    const isFlush = (asked & ASK.flush) !== 0;
    return { count: isFlush ? unsent : unsent - (unsent % this.#batchRecordsMax), isFlush };
  }

  /**
   * Copies up to `max` places whose records are next to be sent, in order, to the beginning of `into`;
   * returns how many. What stands in a place before its record means nothing. A full batch may leave its
   * last record to the next one, where nobody waits for it: then that one, and each full one behind it,
   * begins where it is copied fast (copyPlaces).
   */
  take(into: Uint32Array, max: number, mayLeaveOne = false): number {
    const sent = Atomics.load(this.#header, AT.sent);
    const { unsent } = this;
    const left = mayLeaveOne && unsent >= max && max > 1 ? this.halfOf(sent + max) : 0;
    const count = Math.min(unsent, max) - left;
    const marks = this.#marks;
    for (let index = 0; index < count; index++) {
      const position = (sent + index) & POSITIONS;
      if (marks[this.placeOf(position)] !== position + 1) this.#awaitMark(position);
    }
    // Changes nothing. The marks were read plainly: without it, on some machines, the records might
    // have been read before them.
    Atomics.or(this.#header, AT.sent, 0);
    this.copyPlaces(sent, count, into);
    Atomics.store(this.#header, AT.sent, (sent + count) & POSITIONS);
    if (this.unsent === 0) this.close();
    return count;
  }

  /**
   * The oldest `count` records are on disk, in the log from `firstOffset` on; returns the position behind
   * them.
   */
  settle(count: number, firstOffset: number): number {
    const before = Atomics.load(this.#header, AT.settled);
    const settled = (before + count) & POSITIONS;
    const run = this.#run;
    if (run.next !== firstOffset || run.position !== before) run.from = firstOffset;
    run.next = firstOffset + count;
    run.position = settled;
    this.#tellRun();
    Atomics.store(this.#header, AT.settled, settled);
    return settled;
  }

  /**
   * Takes every pending record out: `run` gets them newest first, with the newest's position, while
   * nobody can push. Returns the position behind them. The views are lent for the call.
   */
  lose(run: (records: readonly Uint8Array[], newest: number) => void): number {
    const header = this.#header;
    const head = Atomics.or(header, AT.head, GATE) & POSITIONS;
    const records: Uint8Array[] = [];
    for (let count = this.#distance(head); count > 0; count--) {
      const position = (head - 1 - records.length) & POSITIONS;
      this.#awaitMark(position);
      records.push(this.recordAt(this.placeOf(position)));
    }
    run(records, (head - 1) & POSITIONS);
    Atomics.store(header, AT.sent, head);
    Atomics.store(header, AT.settled, head);
    Atomics.store(header, AT.head, head);
    this.close();
    return head;
  }

  // For whoever follows the queue.

  /** Fills `into` with the newest run; false when there is none, or it changes all the time. */
  readRun(into: SettledRun): boolean {
    const header = this.#header;
    for (let tries = 0; tries < RUN_TRIES; tries++) {
      const version = Atomics.load(header, AT.run + RUN.version);
      into.position = Atomics.load(header, AT.run + RUN.position);
      into.from = this.#offsetAt(AT.run + RUN.from);
      into.next = this.#offsetAt(AT.run + RUN.next);
      const isWhole = (version & 1) === 0;
      if (isWhole && Atomics.load(header, AT.run + RUN.version) === version) return version > 0;
    }
    return false;
  }

  /**
   * Whether nobody has taken the position that comes to the place of `position` next. What was copied
   * out of it before is whole then.
   */
  isStanding(position: number): boolean {
    // Changes nothing. A plain load could be made before the copy's own on some machines.
    const head = Atomics.or(this.#header, AT.head, 0);
    return ((head - position) & POSITIONS) <= this.#mask + 1;
  }

  /**
   * `count` places from that of `position` on, into `into` from the word `at` on. Memory that threads
   * share is copied byte by byte, four times as slowly, unless both sides begin at the same half of eight
   * bytes: see halfOf().
   */
  copyPlaces(position: number, count: number, into: Uint32Array, at = 0): void {
    const place = this.placeOf(position);
    const straight = Math.min(count, this.#mask + 1 - place);
    const from = place * QUEUE_PLACE_WORDS;
    into.set(this.words.subarray(from, from + straight * QUEUE_PLACE_WORDS), at);
    if (straight === count) return;
    const rest = this.words.subarray(0, (count - straight) * QUEUE_PLACE_WORDS);
    into.set(rest, at + straight * QUEUE_PLACE_WORDS);
  }

  /** 0 or 1: the half of eight bytes at which the place of a position begins. */
  halfOf(position: number): 0 | 1 {
    return ((this.placeOf(position) * QUEUE_PLACE_WORDS) & 1) as 0 | 1;
  }

  #tellRun(): void {
    const header = this.#header;
    const { from, next, position } = this.#run;
    Atomics.add(header, AT.run + RUN.version, 1);
    Atomics.store(header, AT.run + RUN.position, position);
    this.#storeOffset(AT.run + RUN.from, from);
    this.#storeOffset(AT.run + RUN.next, next);
    Atomics.add(header, AT.run + RUN.version, 1);
  }

  #storeOffset(at: number, offset: number): void {
    Atomics.store(this.#header, at, offset | 0);
    Atomics.store(this.#header, at + 1, Math.floor(offset / U32));
  }

  #offsetAt(at: number): number {
    const low = Atomics.load(this.#header, at) >>> 0;
    return Atomics.load(this.#header, at + 1) * U32 + low;
  }

  /** Whether another thread waits for something that settles. */
  hasWaiters(worker: number): boolean {
    return Atomics.load(this.#header, AT.waiters + worker) > 0;
  }

  /** As `#distance`, by a plain read. */
  #pendingAt(head: number): number {
    return ((head & POSITIONS) - this.#header[AT.settled]!) & POSITIONS;
  }

  #distance(head: number): number {
    return ((head & POSITIONS) - Atomics.load(this.#header, AT.settled)) & POSITIONS;
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
    if ((Atomics.or(this.#header, AT.asked, what) & what) === 0) this.#world.wakeWriter();
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
