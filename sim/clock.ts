// A clock that a test moves. Timers run in order of their due time, then of their making, so that
// a run is the same each time. Nothing here waits in real time.

import { assert } from '#base/assert.ts';
import type { Clock, Timer } from '#base/clock.ts';

const START_MS = Date.UTC(2026, 0, 1);

interface Entry {
  readonly dueMs: number;
  readonly order: number;
  run: (() => void) | undefined;
}

const UNTIL_STEPS_MAX = 1_000_000;

export class SimClock implements Clock {
  #monotonicMs = 0;
  #wallOffsetMs: number;
  #order = 0;
  /** A binary heap by (dueMs, order). */
  readonly #heap: Entry[] = [];

  constructor(startMs: number = START_MS) {
    this.#wallOffsetMs = startMs;
  }

  nowMs(): number {
    return Math.floor(this.#wallOffsetMs + this.#monotonicMs);
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const dueMs = this.#monotonicMs + Math.max(0, delayMs);
    const entry: Entry = { dueMs, order: this.#order++, run };
    this.#push(entry);
    return {
      cancel: () => {
        entry.run = undefined;
      },
    };
  }

  /** Moves the wall clock alone, as an administrator or NTP would. */
  jump(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  /** Moves time by `ms` and runs what falls due on the way; promises do not get a turn between. */
  advance(ms: number): void {
    const untilMs = this.#monotonicMs + ms;
    while (this.#runNext(untilMs)) {}
    this.#monotonicMs = untilMs;
  }

  /** As `advance`, but everything that waits for a promise goes on before the next timer runs. */
  async run(ms: number): Promise<void> {
    const untilMs = this.#monotonicMs + ms;
    do await settle();
    while (this.#runNext(untilMs));
    this.#monotonicMs = untilMs;
    await settle();
  }

  /**
   * Runs timers until `promise` settles. Fails when nothing is left to run and it has not, or when what
   * runs again and again does not settle it.
   */
  async until<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const mark = (): void => {
      settled = true;
    };
    promise.then(mark, mark);
    for (let idle = 0, steps = 0; ; steps++) {
      await settle();
      if (settled) return promise;
      assert(steps < UNTIL_STEPS_MAX, 'timers run for ever and the promise has not settled');
      idle = this.#runNext(Number.POSITIVE_INFINITY) ? 0 : idle + 1;
      assert(idle < 100, 'nothing is left to run and the promise has not settled');
    }
  }

  /** Runs the next timer if there is one that is due by `untilMs`; false when there is none. */
  step(untilMs: number = Number.POSITIVE_INFINITY): boolean {
    return this.#runNext(untilMs);
  }

  #runNext(untilMs: number): boolean {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.dueMs > untilMs) return false;
      this.#pop();
      const { run } = first;
      if (run === undefined) continue;
      this.#monotonicMs = Math.max(this.#monotonicMs, first.dueMs);
      run();
      return true;
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(entry, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

/** Resolves after every promise that can go on by itself has done so. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function before(a: Entry, b: Entry): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}
