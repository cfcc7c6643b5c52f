// Work that keeps to a rate, so that who reads everything now and then leaves the disk to others. What
// was taken is paid for before the next is; time in which nothing was asked for is not saved up.

import { type Clock, sleep } from './clock.ts';

export class Pace {
  readonly #clock: Clock;
  readonly #perSecond: number;
  #dueMs = Number.NEGATIVE_INFINITY;

  /** `perSecond`: above 0; Infinity never waits. */
  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
  }

  /** Resolves when `amount` may be done, in the order of the calls. Rejects with the signal's reason. */
  async take(amount: number, signal?: AbortSignal): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const fromMs = Math.max(nowMs, this.#dueMs);
    this.#dueMs = fromMs + (amount * 1000) / this.#perSecond;
    if (fromMs > nowMs) await sleep(this.#clock, fromMs - nowMs, signal);
    else signal?.throwIfAborted();
  }
}
