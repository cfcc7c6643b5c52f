// In how many torrents each member is active (T15). Open addressing over (member id, count) pairs;
// a member once seen keeps its place, and counts are atomic, so no lock is taken.

import type { SwarmMemory } from './memory.ts';
import { mix } from './torrent-table.ts';

const SLOT_WORDS = 2;

export class MemberTable {
  readonly #slots: Int32Array;
  readonly #slotCount: number;
  readonly #seed: number;
  readonly #torrentsMax: number;

  constructor(memory: SwarmMemory, torrentsPerMemberMax: number) {
    this.#slots = memory.members;
    this.#slotCount = memory.members.length / SLOT_WORDS;
    this.#seed = memory.seed;
    this.#torrentsMax = torrentsPerMemberMax;
  }

  /** Counts one torrent more; false, and nothing counted, at the member's or the table's limit. */
  enter(memberId: number): boolean {
    const at = this.#slotOf(memberId, true);
    if (at < 0) return false;
    if (Atomics.add(this.#slots, at + 1, 1) < this.#torrentsMax) return true;
    Atomics.sub(this.#slots, at + 1, 1);
    return false;
  }

  leave(memberId: number): void {
    const at = this.#slotOf(memberId, false);
    if (at >= 0) Atomics.sub(this.#slots, at + 1, 1);
  }

  torrentsOf(memberId: number): number {
    const at = this.#slotOf(memberId, false);
    return at < 0 ? 0 : Atomics.load(this.#slots, at + 1);
  }

  #slotOf(memberId: number, isMade: boolean): number {
    const slots = this.#slots;
    const wanted = memberId | 0;
    // Two thirds full on average is a handful of steps; a full table is searched once around.
    let slot = mix(wanted, this.#seed) & (this.#slotCount - 1);
    for (let step = 0; step < this.#slotCount; step++) {
      const at = slot * SLOT_WORDS;
      const found = Atomics.load(slots, at);
      if (found === wanted) return at;
      if (found === 0) {
        if (!isMade) return -1;
        const taken = Atomics.compareExchange(slots, at, 0, wanted);
        if (taken === 0 || taken === wanted) return at;
      }
      slot = (slot + 1) & (this.#slotCount - 1);
    }
    return -1;
  }
}
