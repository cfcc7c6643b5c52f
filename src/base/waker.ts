// The sleep between two looks of a loop that somebody else may wake. A call that comes while the loop
// works is not lost: it does not sleep then.

import type { Clock } from './clock.ts';

export class Waker {
  readonly #clock: Clock;
  #isWoken = false;
  #endSleep: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Somebody called since reset(). */
  get isWoken(): boolean {
    return this.#isWoken;
  }

  /** Cheap, and safe at any time. */
  wake(): void {
    this.#isWoken = true;
    this.#endSleep?.();
  }

  /** The loop looks now: what calls from here on is told of something that it may not have seen. */
  reset(): void {
    this.#isWoken = false;
  }

  /**
   * Until somebody calls, `delayMs` have gone or the signal aborts; at once when that was before. One sleeps
   * at a time. Never rejects.
   */
  sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    if (this.#isWoken || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        signal.removeEventListener('abort', end);
        this.#endSleep = undefined;
        resolve();
      };
      const timer = this.#clock.after(delayMs, end);
      signal.addEventListener('abort', end, { once: true });
      this.#endSleep = end;
    });
  }
}
