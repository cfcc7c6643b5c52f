// Twenty bytes, an info hash, a peer id or the id of an offer, found and compared as words. A string
// for each would be made and hashed a dozen times for every offer that is answered.

/** An entry of Chains; those with the same hash hang on each other. */
export interface Linked<Self> {
  readonly hash: number;
  next: Self | undefined;
}

/** Twenty bytes. */
export class WsId {
  readonly #a: number;
  readonly #b: number;
  readonly #c: number;
  readonly #d: number;
  readonly #e: number;

  constructor(bytes: Uint8Array) {
    this.#a = wordAt(bytes, 0);
    this.#b = wordAt(bytes, 4);
    this.#c = wordAt(bytes, 8);
    this.#d = wordAt(bytes, 12);
    this.#e = wordAt(bytes, 16);
  }

  equals(bytes: Uint8Array): boolean {
    return (
      this.#a === wordAt(bytes, 0) &&
      this.#b === wordAt(bytes, 4) &&
      this.#c === wordAt(bytes, 8) &&
      this.#d === wordAt(bytes, 12) &&
      this.#e === wordAt(bytes, 16)
    );
  }

  toBytes(): Uint8Array {
    const words = [this.#a, this.#b, this.#c, this.#d, this.#e];
    return Uint8Array.from({ length: 20 }, (_, at) => words[at >>> 2]! >>> ((at & 3) * 8));
  }
}

/** Of twenty bytes; a small integer. */
export function hashOfId(bytes: Uint8Array): number {
  let hash = wordAt(bytes, 0);
  for (let at = 4; at < 20; at += 4) {
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b_3c6d) ^ wordAt(bytes, at);
  }
  return Math.imul(hash ^ (hash >>> 13), 0x297a_2d39) | 0;
}

/** Whether two of twenty bytes are the same. */
export function sameId(one: Uint8Array, other: Uint8Array): boolean {
  for (let at = 0; at < 20; at++) if (one[at] !== other[at]) return false;
  return true;
}

/**
 * Entries by hash; what is equal is for the caller to say. Up to eight hang on each other and on
 * nothing else, because most connections have one peer and few offers: what a table takes in memory
 * and in cache is spared ten thousand times.
 */
export class Chains<Entry extends Linked<Entry>> {
  /** All entries while there is no table. */
  #list: Entry | undefined = undefined;
  #table: Map<number, Entry> | undefined = undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The first that may have that hash; all others that have it follow by `next`. */
  first(hash: number): Entry | undefined {
    return this.#table === undefined ? this.#list : this.#table.get(hash);
  }

  add(entry: Entry): void {
    this.#size++;
    if (this.#table === undefined && this.#size > LISTED_MAX) this.#makeTable();
    const { hash } = entry;
    entry.next = this.first(hash);
    this.#setFirst(hash, entry);
  }

  /** Nothing when it is not there. */
  remove(entry: Entry): void {
    const { hash } = entry;
    const first = this.first(hash);
    if (first === entry) this.#setFirst(hash, entry.next);
    else {
      let before = first;
      while (before !== undefined && before.next !== entry) before = before.next;
      if (before === undefined) return;
      before.next = entry.next;
    }
    this.#size--;
  }

  clear(): void {
    this.#list = undefined;
    this.#table = undefined;
    this.#size = 0;
  }

  /** In no order. The one that is yielded may be removed meanwhile. */
  *values(): Generator<Entry> {
    for (const first of this.#table?.values() ?? [this.#list]) {
      for (let entry: Entry | undefined = first; entry !== undefined; ) {
        const { next }: Entry = entry;
        yield entry;
        entry = next;
      }
    }
  }

  #makeTable(): void {
    const entries = [...this.values()];
    this.#list = undefined;
    this.#table = new Map();
    for (const entry of entries) {
      entry.next = this.#table.get(entry.hash);
      this.#table.set(entry.hash, entry);
    }
  }

  #setFirst(hash: number, entry: Entry | undefined): void {
    if (this.#table === undefined) this.#list = entry;
    else if (entry === undefined) this.#table.delete(hash);
    else this.#table.set(hash, entry);
  }
}

const LISTED_MAX = 8;

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
