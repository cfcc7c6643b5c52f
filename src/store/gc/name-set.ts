// A set of blob names that takes 11 to 22 bytes for each: of the hash it keeps the first eight bytes.
// So it may say that a name is in it when it is not, for two names of which the first 64 bits are the
// same, and never the other way round. Whoever uses it must be safe when it says yes too often.
//
// Open addressing in two columns; hashes are uniform, so their own bits find the place. Somebody who
// picks blobs whose hashes begin alike makes a run that is long, which costs time and no more.

import { assert } from '#base/assert.ts';

const LOAD_MAX = 0.75;
const SLOTS_MIN = 64;

export class NameSet {
  /** The first and second four bytes; both 0 is an empty slot. */
  #heads = new Uint32Array(SLOTS_MIN);
  #tails = new Uint32Array(SLOTS_MIN);
  #hasZero = false;
  #count = 0;

  get count(): number {
    return this.#count + (this.#hasZero ? 1 : 0);
  }

  get memoryBytes(): number {
    return this.#heads.byteLength + this.#tails.byteLength;
  }

  /** `hash` has 32 bytes. */
  add(hash: Uint8Array): void {
    assert(hash.byteLength === 32, 'a hash has 32 bytes');
    this.#add(wordAt(hash, 0), wordAt(hash, 4));
  }

  addAll(names: NameSet): void {
    this.#hasZero ||= names.#hasZero;
    for (let slot = 0; slot < names.#heads.length; slot++) {
      const [head, tail] = [names.#heads[slot]!, names.#tails[slot]!];
      if ((head | tail) !== 0) this.#add(head, tail);
    }
  }

  has(hash: Uint8Array): boolean {
    const head = wordAt(hash, 0);
    const tail = wordAt(hash, 4);
    if ((head | tail) === 0) return this.#hasZero;
    const slot = this.#seek(head, tail);
    return this.#heads[slot] === head && this.#tails[slot] === tail;
  }

  /** Forgets names whose first four bytes, as a number, are `head` or more. */
  dropFrom(head: number): void {
    const [heads, tails] = [this.#heads, this.#tails];
    this.#heads = new Uint32Array(SLOTS_MIN);
    this.#tails = new Uint32Array(SLOTS_MIN);
    this.#count = 0;
    for (let slot = 0; slot < heads.length; slot++) {
      const [one, other] = [heads[slot]!, tails[slot]!];
      if ((one | other) !== 0 && one < head) this.#add(one, other);
    }
  }

  #add(head: number, tail: number): void {
    if ((head | tail) === 0) {
      this.#hasZero = true;
      return;
    }
    let slot = this.#seek(head, tail);
    if (this.#heads[slot] === head && this.#tails[slot] === tail) return;
    if (this.#count >= this.#heads.length * LOAD_MAX) {
      this.#grow();
      slot = this.#seek(head, tail);
    }
    this.#heads[slot] = head;
    this.#tails[slot] = tail;
    this.#count++;
  }

  /** Where it is, or the empty slot that it would have. */
  #seek(head: number, tail: number): number {
    const mask = this.#heads.length - 1;
    let slot = tail & mask;
    for (;;) {
      const [one, other] = [this.#heads[slot]!, this.#tails[slot]!];
      if ((one === head && other === tail) || (one | other) === 0) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #grow(): void {
    const [heads, tails] = [this.#heads, this.#tails];
    this.#heads = new Uint32Array(heads.length * 2);
    this.#tails = new Uint32Array(heads.length * 2);
    for (let slot = 0; slot < heads.length; slot++) {
      const [head, tail] = [heads[slot]!, tails[slot]!];
      if ((head | tail) === 0) continue;
      const place = this.#seek(head, tail);
      this.#heads[place] = head;
      this.#tails[place] = tail;
    }
  }
}

function wordAt(hash: Uint8Array, at: number): number {
  return ((hash[at]! << 24) | (hash[at + 1]! << 16) | (hash[at + 2]! << 8) | hash[at + 3]!) >>> 0;
}
