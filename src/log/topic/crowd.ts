// When many append durably at once, each answered append is soon followed by the next of the same
// caller. A sync begun as soon as the last has ended would serve the few who were quickest; this waits
// until most of them are there, for a moment at most: larger groups cost less of everything. Those who
// did not come back in time are not counted the next time. Who appends alone, or with two others,
// never waits.
//
// Of a very large crowd half is served at a time: a sync costs hardly more for twice as many, and while
// it runs the other half have their answers and come again, instead of all waiting for all.

import type { Clock, Timer } from '#base/clock.ts';

/** Below it there is nothing to save. */
const CROWD_MIN = 4;
/** Of those who were appending; some always come a little later than the rest. */
const ENOUGH = 0.75;
/** From here on half of them fill a sync as well. */
const LARGE = 256;

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
    this.#enough = this.#size < LARGE ? Math.ceil(this.#size * ENOUGH) : this.#size >>> 1;
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

  /** How many of those who wait the next sync serves. */
  portion(waiting: number): number {
    return this.#size < LARGE ? waiting : Math.min(waiting, (this.#size + 1) >>> 1);
  }

  /** Another append waits, the last of so many. */
  came(waiting: number): void {
    if (waiting >= this.#enough) this.#wake?.();
  }
}
