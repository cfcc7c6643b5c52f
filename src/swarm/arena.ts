// Blocks of 2^n units for the peer lists: a buddy allocator. A block freed beside its free buddy
// becomes one block again, so lists that grow and shrink leave no holes behind. Free blocks are
// linked through their own first two words (next, previous; unit + 1) and marked by a tag byte.

import { assert } from '#base/assert.ts';
import { ARENA_ORDERS, HEADER, UNIT_WORDS } from './layout.ts';
import { lock, unlock } from './lock.ts';
import type { SwarmMemory } from './memory.ts';

const FREE = 0x80;

export class Arena {
  readonly #header: Int32Array;
  readonly #words: Uint32Array;
  readonly #tags: Uint8Array;
  readonly #units: number;

  constructor(memory: SwarmMemory) {
    this.#header = memory.header;
    this.#words = memory.arena;
    this.#tags = memory.tags;
    this.#units = memory.arenaUnits;
  }

  /** The first unit of a block of 2^order units, plus 1; 0 when there is no room. */
  take(order: number): number {
    lock(this.#header, HEADER.slabLock);
    const unit = this.#take(order);
    unlock(this.#header, HEADER.slabLock);
    return unit + 1;
  }

  /** `block` is what take() returned. */
  give(block: number, order: number): void {
    lock(this.#header, HEADER.slabLock);
    this.#give(block - 1, order);
    unlock(this.#header, HEADER.slabLock);
  }

  /** Gives back all of a block but its first 2^newOrder units. */
  shrink(block: number, order: number, newOrder: number): void {
    lock(this.#header, HEADER.slabLock);
    for (let half = order - 1; half >= newOrder; half--) this.#give(block - 1 + 2 ** half, half);
    unlock(this.#header, HEADER.slabLock);
  }

  /** Units in free blocks and units never used; equal to all of them when every list is gone. */
  countFreeUnits(): number {
    lock(this.#header, HEADER.slabLock);
    let free = this.#units - this.#header[HEADER.arenaUsed]!;
    for (let order = 0; order < ARENA_ORDERS; order++) {
      let unit = this.#header[HEADER.arenaFree + order]! - 1;
      for (; unit >= 0; unit = this.#words[unit * UNIT_WORDS]! - 1) free += 2 ** order;
    }
    unlock(this.#header, HEADER.slabLock);
    return free;
  }

  #take(order: number): number {
    let have = order;
    while (have < ARENA_ORDERS && this.#header[HEADER.arenaFree + have] === 0) have++;
    if (have >= ARENA_ORDERS) return this.#takeUnused(order);
    const unit = this.#header[HEADER.arenaFree + have]! - 1;
    this.#unlink(unit, have);
    while (have > order) {
      have--;
      this.#link(unit + 2 ** have, have);
    }
    return unit;
  }

  /** Blocks stand at multiples of their size; what is skipped for that becomes free blocks. */
  #takeUnused(order: number): number {
    const size = 2 ** order;
    let used = this.#header[HEADER.arenaUsed]!;
    const unit = Math.ceil(used / size) * size;
    if (unit + size > this.#units) return -1;
    while (used < unit) {
      const gap = trailingZeros(used);
      this.#link(used, gap);
      used += 2 ** gap;
    }
    this.#header[HEADER.arenaUsed] = unit + size;
    return unit;
  }

  #give(freed: number, freedOrder: number): void {
    let unit = freed;
    let order = freedOrder;
    assert(this.#tags[unit] === 0, 'a block is given back once');
    while (order < ARENA_ORDERS - 1) {
      const buddy = unit ^ (1 << order);
      if (this.#tags[buddy] !== FREE + order) break;
      this.#unlink(buddy, order);
      unit = Math.min(unit, buddy);
      order++;
    }
    this.#link(unit, order);
  }

  #link(unit: number, order: number): void {
    const next = this.#header[HEADER.arenaFree + order]!;
    this.#words[unit * UNIT_WORDS] = next;
    this.#words[unit * UNIT_WORDS + 1] = 0;
    if (next !== 0) this.#words[(next - 1) * UNIT_WORDS + 1] = unit + 1;
    this.#header[HEADER.arenaFree + order] = unit + 1;
    this.#tags[unit] = FREE + order;
  }

  #unlink(unit: number, order: number): void {
    const next = this.#words[unit * UNIT_WORDS]!;
    const previous = this.#words[unit * UNIT_WORDS + 1]!;
    if (next !== 0) this.#words[(next - 1) * UNIT_WORDS + 1] = previous;
    if (previous !== 0) this.#words[(previous - 1) * UNIT_WORDS] = next;
    else this.#header[HEADER.arenaFree + order] = next;
    this.#tags[unit] = 0;
  }
}

function trailingZeros(value: number): number {
  return 31 - Math.clz32(value & -value);
}
