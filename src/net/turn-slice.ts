// How long one socket may go on handling what has arrived before the thread's event loop, with its
// timers, message ports and other sockets, has its turn again. All sockets of a thread together stay
// under 10 ms, because the loop visits each of them once per round.

const ROUND_MS_MAX = 8;
const SLICE_MS_MIN = 0.25;

/** One per thread. */
export class TurnSlice {
  readonly #roundMs: number;
  #sockets = 0;
  #ms: number;

  /** With a round of 0 each visit handles one batch. */
  constructor(roundMs: number = ROUND_MS_MAX) {
    this.#roundMs = roundMs;
    this.#ms = roundMs;
  }

  get ms(): number {
    return this.#ms;
  }

  opened(): void {
    this.#count(1);
  }

  closed(): void {
    this.#count(-1);
  }

  #count(change: number): void {
    this.#sockets += change;
    const shareMs = this.#roundMs / Math.max(1, this.#sockets);
    this.#ms = Math.max(Math.min(SLICE_MS_MIN, this.#roundMs), shareMs);
  }
}
