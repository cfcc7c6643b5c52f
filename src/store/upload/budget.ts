// The memory that blobs on their way over the network may take: in all, and of each member. A put is
// refused at once when there is no room; a read waits for it, in the order of asking.

import { assert } from '#base/assert.ts';
import { cancelled } from '#store/calls.ts';

export interface BudgetLimits {
  readonly bytesMax: number;
  readonly bytesOfOneMax: number;
}

interface Waiting {
  readonly who: string;
  readonly bytes: number;
  readonly start: () => void;
}

export class Budget {
  readonly #limits: BudgetLimits;
  readonly #of = new Map<string, number>();
  readonly #waiting: Waiting[] = [];
  #bytes = 0;

  constructor(limits: BudgetLimits) {
    this.#limits = limits;
  }

  /** Bytes that are taken. */
  get bytes(): number {
    return this.#bytes;
  }

  /** False when there is no room now. */
  take(who: string, bytes: number): boolean {
    const own = this.#of.get(who) ?? 0;
    const { bytesMax, bytesOfOneMax } = this.#limits;
    if (this.#bytes + bytes > bytesMax || own + bytes > bytesOfOneMax) return false;
    this.#bytes += bytes;
    this.#of.set(who, own + bytes);
    return true;
  }

  /** Waits until there is room. @throws StoreError STORE_CANCELLED */
  wait(who: string, bytes: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(cancelled());
    if (this.take(who, bytes)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const one: Waiting = {
        who,
        bytes,
        start: () => {
          signal.removeEventListener('abort', abort);
          resolve();
        },
      };
      const abort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(one), 1);
        reject(cancelled());
      };
      signal.addEventListener('abort', abort, { once: true });
      this.#waiting.push(one);
    });
  }

  give(who: string, bytes: number): void {
    const left = (this.#of.get(who) ?? 0) - bytes;
    assert(left >= 0, 'nobody gives back more than they took');
    this.#bytes -= bytes;
    if (left === 0) this.#of.delete(who);
    else this.#of.set(who, left);
    // Who waits behind somebody at their own bound is not kept by them.
    for (const one of [...this.#waiting]) {
      if (!this.take(one.who, one.bytes)) continue;
      this.#waiting.splice(this.#waiting.indexOf(one), 1);
      one.start();
    }
  }
}
