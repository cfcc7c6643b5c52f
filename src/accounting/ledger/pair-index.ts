// Numbers pairs of (member, torrent) 0, 1, 2 … in the order they are first seen. A hash table over
// typed arrays: 16 to 32 bytes a pair and no object, so that a million fit where a Map would not.

const CAPACITY_MIN = 1024;
/** An index that held more pairs gives its memory back when it is emptied. */
const CAPACITY_KEPT = 65_536;
/** Multipliers of two odd constants spread neighbouring ids over the table. */
const SPREAD_MEMBER = 0x9e3779b1;
const SPREAD_TORRENT = 0x85ebca77;

export class PairIndex {
  #members = new Uint32Array(CAPACITY_MIN);
  #torrents = new Uint32Array(CAPACITY_MIN);
  /** Index + 1 of the pair in this slot; 0 is free. Twice as many slots as pairs at most. */
  #slots = new Uint32Array(CAPACITY_MIN * 2);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** As new; what it holds is kept for pairs to come. */
  clear(): void {
    if (this.#members.length > CAPACITY_KEPT) {
      this.#members = new Uint32Array(CAPACITY_MIN);
      this.#torrents = new Uint32Array(CAPACITY_MIN);
      this.#slots = new Uint32Array(CAPACITY_MIN * 2);
    } else this.#slots.fill(0);
    this.#size = 0;
  }

  memberAt(index: number): number {
    return this.#members[index]!;
  }

  torrentAt(index: number): number {
    return this.#torrents[index]!;
  }

  /** The pair's number; the next free one when it is new. */
  indexOf(member: number, torrent: number): number {
    const mask = this.#slots.length - 1;
    let slot = pairHash(member, torrent) & mask;
    for (;;) {
      const index = this.#slots[slot]! - 1;
      if (index < 0) break;
      if (this.#members[index] === member && this.#torrents[index] === torrent) return index;
      slot = (slot + 1) & mask;
    }
    if (this.#size === this.#members.length) {
      this.#grow();
      return this.indexOf(member, torrent);
    }
    const index = this.#size++;
    this.#members[index] = member;
    this.#torrents[index] = torrent;
    this.#slots[slot] = index + 1;
    return index;
  }

  #grow(): void {
    const capacity = this.#members.length * 2;
    this.#members = copied(this.#members, capacity);
    this.#torrents = copied(this.#torrents, capacity);
    this.#slots = new Uint32Array(capacity * 2);
    const mask = this.#slots.length - 1;
    for (let index = 0; index < this.#size; index++) {
      let slot = pairHash(this.#members[index]!, this.#torrents[index]!) & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = index + 1;
    }
  }
}

/** 32 bits; the same for the same pair in every process. */
export function pairHash(member: number, torrent: number): number {
  let hash = Math.imul(member, SPREAD_MEMBER) ^ Math.imul(torrent, SPREAD_TORRENT);
  hash = Math.imul(hash ^ (hash >>> 15), SPREAD_MEMBER);
  return (hash ^ (hash >>> 13)) >>> 0;
}

function copied(from: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const to = new Uint32Array(length);
  to.set(from);
  return to;
}
