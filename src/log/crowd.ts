// When many append durably at once, each answered append is soon followed by the next of the same
// caller. A sync begun as soon as the last has ended would serve the few who were quickest; this waits
// until most of them are there, for a moment at most: larger groups cost less of everything. Those who
// did not come back in time are not counted the next time. Who appends alone, or with two others,
// never waits.

import type { Clock, Timer } from '#base/clock.ts';

/** Below it there is nothing to save. */
const CROWD_MIN = 4;
/** Of those who were appending; some always come a little later than the rest. */
const ENOUGH = 0.75;

export class Crowd {
  readonly #clock: Clock;
  readonly #waitMsMax: number;
  #size = 0;
  #wake: (() => void) | undefined;
  #enough = 0;

  constructor(clock: Clock, waitMsMax: number) {
    this.#clock = clock;
    this.#waitMsMax = waitMsMax;
  }

  /** A sync has served so many appends while so many others have come. */
  served(count: number, waiting: number): void {
    this.#size = count + waiting;
  }

  /** Resolves when enough wait, or after `waitMsMax`. Undefined when there is nothing to wait for. */
  gather(waiting: number): Promise<void> | undefined {
    this.#enough = Math.ceil(this.#size * ENOUGH);
    if (this.#size < CROWD_MIN || waiting >= this.#enough || this.#waitMsMax === 0)
      return undefined;
    return new Promise((resolve) => {
      const timer: Timer = this.#clock.after(this.#waitMsMax, () => this.#wake?.());
      this.#wake = () => {
        this.#wake = undefined;
        timer.cancel();
        resolve();
      };
    });
  }

  /** Another append waits, the last of so many. */
  came(waiting: number): void {
    if (waiting >= this.#enough) this.#wake?.();
  }
}
