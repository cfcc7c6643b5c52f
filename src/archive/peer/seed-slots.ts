// Who is given to now: a bounded number of peers at once, the others in their turn, so that each gets
// the speed at which a piece is worth having. Nobody gives the archive anything, so there is nothing to
// repay: who has waited longest is next, and an address that holds fewer slots goes before.

import type { Clock } from '#base/clock.ts';

/** For how long a slot is kept while others wait. */
export const SLOT_MS_MIN = 30_000;

/** A peer that wants something. */
export interface SlotHolder {
  /** Of the peer, without its port. */
  readonly address: string;
  unchoke(): void;
  choke(): void;
}

export class SeedSlots {
  readonly #clock: Clock;
  readonly #slotsMax: number;
  /** Since when, the longest first. */
  readonly #held = new Map<SlotHolder, number>();
  /** The longest waiting first. */
  readonly #waiting = new Set<SlotHolder>();

  /** `slotsMax`: at least one. */
  constructor(options: { readonly clock: Clock; readonly slotsMax: number }) {
    this.#clock = options.clock;
    this.#slotsMax = options.slotsMax;
  }

  /** It is unchoked at once, or in its turn. Again while it waits or holds one is fine. */
  want(holder: SlotHolder): void {
    if (this.#held.has(holder)) return;
    this.#waiting.add(holder);
    this.#fill();
  }

  /** It wants no more, or has gone: nothing is said to it. */
  leave(holder: SlotHolder): void {
    this.#waiting.delete(holder);
    if (this.#held.delete(holder)) this.#fill();
  }

  /** To be called now and then: who held a slot for long gives it to who waits. */
  turn(): void {
    const beforeMs = this.#clock.monotonicMs() - SLOT_MS_MIN;
    let turns = this.#waiting.size;
    for (const [holder, sinceMs] of [...this.#held]) {
      if (turns === 0 || sinceMs > beforeMs) break;
      turns -= 1;
      this.#held.delete(holder);
      holder.choke();
      this.#fill();
      this.#waiting.add(holder);
    }
    this.#fill();
  }

  #fill(): void {
    while (this.#held.size < this.#slotsMax) {
      const next = this.#next();
      if (next === undefined) return;
      this.#waiting.delete(next);
      this.#held.set(next, this.#clock.monotonicMs());
      next.unchoke();
    }
  }

  #next(): SlotHolder | undefined {
    const held = new Map<string, number>();
    for (const { address } of this.#held.keys()) held.set(address, (held.get(address) ?? 0) + 1);
    let best: SlotHolder | undefined;
    let bestHeld = Number.POSITIVE_INFINITY;
    for (const holder of this.#waiting) {
      const own = held.get(holder.address) ?? 0;
      if (own < bestHeld) [best, bestHeld] = [holder, own];
    }
    return best;
  }
}
