// Answers that are asked for many times a second and may be a moment old.

import type { Clock } from '#base/clock.ts';

export class ShortMemory<T> {
  readonly #clock: Clock;
  readonly #msMax: number;
  readonly #keptMax: number;
  readonly #kept = new Map<string, { readonly untilMs: number; readonly answer: Promise<T> }>();

  constructor(
    clock: Clock,
    bounds: {
      /** An answer is asked for anew after this long. */
      readonly msMax: number;
      readonly keptMax: number;
    },
  ) {
    this.#clock = clock;
    this.#msMax = bounds.msMax;
    this.#keptMax = bounds.keptMax;
  }

  /** Many that ask at once ask once. A failure is told to all of them, and not kept. */
  get(key: string, ask: () => Promise<T>): Promise<T> {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#kept.get(key);
    if (known !== undefined && known.untilMs > nowMs) return known.answer;
    if (this.#kept.size >= this.#keptMax) this.#kept.clear();
    const answer = ask();
    const kept = { untilMs: nowMs + this.#msMax, answer };
    this.#kept.set(key, kept);
    answer.catch(() => {
      if (this.#kept.get(key) === kept) this.#kept.delete(key);
    });
    return answer;
  }
}
