// The turns of a listener over native/tcp.c. The event loop says that something is ready; then turns
// follow each other: one native call writes and closes for all connections, accepts, and reads all
// that is ready; then its owner hears what each of those has to say. What is asked for outside of a
// turn goes out together with whatever else is asked for by then.

import type { Clock, Timer } from '#base/clock.ts';
import { type Addon, systemError, TCP_REPORT } from './addon.ts';
import type { FailureGauge } from './failure-gauge.ts';
import { BATCH, OPERATION_WORDS, type TcpSlots } from './tcp-slots.ts';
import type { TurnSlice } from './turn-slice.ts';

/** How long nothing is accepted when the system is out of descriptors or memory. */
const ACCEPT_PAUSE_MS = 100;
const ACCEPT = { pause: 0, resume: 1, stop: 2 } as const;

/** A connection, as its turns see it. */
export interface TurnConnection {
  /** Stands in the list of those that want an operation. */
  isMarked: boolean;
  /** Writes the operation that it wants; false when it wants none after all. */
  writeOperation(into: Int32Array, at: number): boolean;
  /** What became of that operation. */
  onResult(flags: number, result: number, resultFlags: number): void;
}

/** Of connections; TcpCounts for one. */
export interface TurnCounts {
  accepted(connections: number): void;
  dropped(reason: string, connections: number): void;
  close(): void;
}

export interface TurnsWorld {
  readonly addon: Addon;
  readonly clock: Clock;
  readonly slice: TurnSlice;
  readonly slots: TcpSlots;
  readonly counts: TurnCounts;
  readonly failures: FailureGauge;
  /** The words that the listener was opened with. */
  readonly report: Int32Array;
  /** So many events stand in the slots, until the next call. */
  onEvents(count: number): void;
  onAccepted(): void;
}

export class TcpTurns<C extends TurnConnection> {
  readonly #world: TurnsWorld;
  /** What `tcpOpen` gave. */
  readonly #id: number;
  /** Those that want an operation, in the order they asked: the first `#markedCount`. */
  readonly #marked: C[] = [];
  #markedCount = 0;
  /** Those whose operations the present native call runs. */
  readonly #running: C[] = [];
  readonly #flushMarked = (): void => this.#flushOutside();
  #nowMs = 0;
  #isInTurn = false;
  #isFlushDue = false;
  #isStopped = false;
  #isClosed = false;
  #acceptPause: Timer | undefined;

  constructor(world: TurnsWorld, id: number) {
    this.#world = world;
    this.#id = id;
    world.slice.opened();
  }

  /** Monotonic: of this turn, or read anew outside of one. */
  nowMs(): number {
    return this.#isInTurn ? this.#nowMs : this.#world.clock.monotonicMs();
  }

  /** The connection wants an operation in the next native call. */
  mark(connection: C): void {
    if (connection.isMarked) return;
    connection.isMarked = true;
    this.#marked[this.#markedCount++] = connection;
    if (this.#isInTurn || this.#isFlushDue) return;
    // Answers that become due together go out together.
    this.#isFlushDue = true;
    queueMicrotask(this.#flushMarked);
  }

  /** Accepts no more. Idempotent. */
  stopAccepting(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#acceptPause?.cancel();
    this.#world.addon.tcpAccept(this.#id, ACCEPT.stop);
  }

  /** Lets go of the listener and of every connection. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.stopAccepting();
    this.#isClosed = true;
    this.#world.addon.close(this.#id);
    this.#world.slice.closed();
    this.#world.counts.close();
  }

  /** The event loop says that something is ready. */
  onReady(): void {
    if (this.#isClosed) return;
    this.#isInTurn = true;
    this.#nowMs = this.#world.clock.monotonicMs();
    const untilMs = this.#nowMs + this.#world.slice.ms;
    let events = 0;
    do {
      events = this.#turn(1);
      this.#nowMs = this.#world.clock.monotonicMs();
    } while ((events > 0 || this.#markedCount > 0) && this.#nowMs < untilMs && !this.#isClosed);
    // What was accepted last is watched by the call after, and what was answered last goes out in it.
    if (events > 0 && !this.#isClosed) this.#turn(0);
    this.#isInTurn = false;
    if (this.#markedCount > 0 && !this.#isClosed) this.#goOnLater();
  }

  /** Answers that became due outside of a turn. */
  #flushOutside(): void {
    this.#isFlushDue = false;
    if (this.#isClosed || this.#isInTurn || this.#markedCount === 0) return;
    this.#isInTurn = true;
    this.#nowMs = this.#world.clock.monotonicMs();
    // Written answers let pipelined requests go on, which want to be written in turn.
    const untilMs = this.#nowMs + this.#world.slice.ms;
    do {
      this.#turn(0);
      this.#nowMs = this.#world.clock.monotonicMs();
    } while (this.#markedCount > 0 && this.#nowMs < untilMs && !this.#isClosed);
    this.#isInTurn = false;
    if (this.#markedCount > 0 && !this.#isClosed) this.#goOnLater();
  }

  #goOnLater(): void {
    this.#isFlushDue = true;
    setImmediate(this.#flushMarked);
  }

  /** Runs operations of up to BATCH connections, then tells what they and others have to say. */
  #turn(mayPoll: 0 | 1): number {
    const { operations } = this.#world.slots;
    const count = this.#writeOperations();
    const eventCount = this.#world.addon.tcpTurn(this.#id, count, mayPoll);
    const running = this.#running;
    for (let at = 0; at < count; at++) {
      const word = at * OPERATION_WORDS;
      running[at]!.onResult(operations[word + 1]!, operations[word + 5]!, operations[word + 6]!);
    }
    this.#readReport();
    if (eventCount > 0) this.#world.onEvents(eventCount);
    return eventCount;
  }

  #writeOperations(): number {
    const { operations } = this.#world.slots;
    const marked = this.#marked;
    const asked = this.#markedCount;
    let count = 0;
    let read = 0;
    while (read < asked && count < BATCH) {
      const connection = marked[read++]!;
      connection.isMarked = false;
      if (!connection.writeOperation(operations, count * OPERATION_WORDS)) continue;
      this.#running[count++] = connection;
    }
    for (let at = read; at < asked; at++) marked[at - read] = marked[at]!;
    this.#markedCount = asked - read;
    return count;
  }

  #readReport(): void {
    const { report, counts, failures } = this.#world;
    const accepted = report[TCP_REPORT.accepted]!;
    if (accepted > 0) {
      counts.accepted(accepted);
      failures.worked('accept');
      this.#world.onAccepted();
    }
    if (report[TCP_REPORT.tooMany]! > 0) counts.dropped('too many', report[TCP_REPORT.tooMany]!);
    if (report[TCP_REPORT.shed]! > 0) counts.dropped('no descriptors', report[TCP_REPORT.shed]!);
    const errno = report[TCP_REPORT.acceptErrno]! || report[TCP_REPORT.pollErrno]!;
    if (errno === 0) return;
    failures.failed('accept', systemError(errno, 'accept'));
    if (report[TCP_REPORT.paused] !== 1) return;
    this.#acceptPause?.cancel();
    this.#acceptPause = this.#world.clock.after(ACCEPT_PAUSE_MS, () => {
      if (!this.#isStopped) this.#world.addon.tcpAccept(this.#id, ACCEPT.resume);
    });
  }
}
