// The clock, the first of the world's seams. Everything below cli receives one by constructor, so
// that sim/ can run months in milliseconds. Memory holds milliseconds; only wire formats say seconds.

export interface Clock {
  /** Wall time, Unix milliseconds. May jump; use it for what is written down, not for ages. */
  nowMs(): number;
  /** Milliseconds since an arbitrary start, never decreasing, with fractions. For ages and waits. */
  monotonicMs(): number;
  /** Calls `run` once, `delayMs` or a little more from now, unless cancelled. */
  after(delayMs: number, run: () => void): Timer;
}

export interface Timer {
  /** Idempotent; after it returns the callback will not run. */
  cancel(): void;
}

export class SystemClock implements Clock {
  nowMs(): number {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }

  after(delayMs: number, run: () => void): Timer {
    const handle = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(handle) };
  }
}

/**
 * A clock that stands while it is held: who handles a batch of datagrams asks the time once for all
 * of them, and everything that runs on their behalf sees the same. Not held, it is the one below it.
 */
export class HeldClock implements Clock {
  readonly #clock: Clock;
  #holders = 0;
  // Undefined between holds, and so kept as one object each: a field of numbers alone makes a fresh
  // number, 16 bytes, whenever it is read.
  #nowMs: number | undefined;
  #monotonicMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Until release(), which must come before this thread waits for anything. Who holds it within
   * another's hold sees the same time, and it goes on when both have released it.
   */
  hold(): void {
    if (this.#holders === 0) {
      this.#nowMs = this.#clock.nowMs();
      this.#monotonicMs = this.#clock.monotonicMs();
    }
    this.#holders++;
  }

  release(): void {
    this.#holders--;
    if (this.#holders > 0) return;
    this.#nowMs = undefined;
    this.#monotonicMs = undefined;
  }

  nowMs(): number {
    return this.#nowMs ?? this.#clock.nowMs();
  }

  monotonicMs(): number {
    return this.#monotonicMs ?? this.#clock.monotonicMs();
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#clock.after(delayMs, run);
  }
}

/** Resolves after `delayMs`; rejects with the signal's reason when it aborts first. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
