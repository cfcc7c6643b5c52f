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

/** Entries by hash, in the order in which their hashes came. What is equal is for the caller to say. */
export class Chains<Entry extends Linked<Entry>> {
  readonly #heads = new Map<number, Entry>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The first with that hash; the others follow by `next`. */
  first(hash: number): Entry | undefined {
    return this.#heads.get(hash);
  }

  add(entry: Entry): void {
    entry.next = this.#heads.get(entry.hash);
    this.#heads.set(entry.hash, entry);
    this.#size++;
  }

  /** Nothing when it is not there. */
  remove(entry: Entry): void {
    const head = this.#heads.get(entry.hash);
    if (head === entry) {
      if (entry.next === undefined) this.#heads.delete(entry.hash);
      else this.#heads.set(entry.hash, entry.next);
      this.#size--;
      return;
    }
    for (let before = head; before !== undefined; before = before.next) {
      if (before.next !== entry) continue;
      before.next = entry.next;
      this.#size--;
      return;
    }
  }

  clear(): void {
    this.#heads.clear();
    this.#size = 0;
  }

  /** The one that is yielded may be removed meanwhile. */
  *values(): Generator<Entry> {
    for (const head of this.#heads.values()) {
      for (let entry: Entry | undefined = head; entry !== undefined; ) {
        const { next }: Entry = entry;
        yield entry;
        entry = next;
      }
    }
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
