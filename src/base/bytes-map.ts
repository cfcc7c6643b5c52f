// A map whose keys are short byte strings: info hashes and passkeys, looked up with every announce.
// Looking up makes no string and allocates nothing. Open addressing over slots of entry numbers; an
// entry's key lies in one buffer with the others', so that comparing touches one cache line.
//
// Keys are hashed with a seed, and only the owner adds them, so nobody outside can aim at one slot.

import { assert } from './assert.ts';

const ENTRIES_MIN = 16;
const SLOTS_PER_ENTRY = 2;
/** A slot whose entry was deleted: searches go on behind it. */
const DELETED = -1;

export class BytesMap<Value> {
  readonly #keyBytesMax: number;
  readonly #seed: number;
  /** Entry + 1, 0 for never used. */
  #slots = new Int32Array(ENTRIES_MIN * SLOTS_PER_ENTRY);
  #slotsUsed = 0;
  #keys: Uint8Array;
  #lengths = new Uint8Array(ENTRIES_MIN);
  #hashes = new Int32Array(ENTRIES_MIN);
  #values: (Value | undefined)[] = [];
  readonly #free: number[] = [];
  #size = 0;

  /** Keys have 1 to `keyBytesMax` bytes, at most 255. */
  constructor(keyBytesMax: number, seed = 0) {
    assert(keyBytesMax > 0 && keyBytesMax <= 255, 'a key has 1 to 255 bytes');
    this.#keyBytesMax = keyBytesMax;
    this.#seed = seed;
    this.#keys = new Uint8Array(ENTRIES_MIN * keyBytesMax);
  }

  get size(): number {
    return this.#size;
  }

  /** The key is the first `length` bytes; one longer than any that can be is not there. */
  get(key: Uint8Array, length: number = key.byteLength): Value | undefined {
    const slot = this.#find(key, length, hashOf(key, length, this.#seed));
    return slot < 0 ? undefined : this.#values[this.#slots[slot]! - 1];
  }

  has(key: Uint8Array, length: number = key.byteLength): boolean {
    return this.#find(key, length, hashOf(key, length, this.#seed)) >= 0;
  }

  /** The key is copied. */
  set(key: Uint8Array, value: Value): void {
    const length = key.byteLength;
    assert(length > 0 && length <= this.#keyBytesMax, 'a key has 1 to keyBytesMax bytes');
    const hash = hashOf(key, length, this.#seed);
    const found = this.#find(key, length, hash);
    if (found >= 0) {
      this.#values[this.#slots[found]! - 1] = value;
      return;
    }
    if ((this.#slotsUsed + 1) * SLOTS_PER_ENTRY > this.#slots.length) this.#grow();
    const entry = this.#free.pop() ?? this.#size;
    this.#keys.set(key, entry * this.#keyBytesMax);
    this.#lengths[entry] = length;
    this.#hashes[entry] = hash;
    this.#values[entry] = value;
    this.#size++;
    this.#place(entry);
  }

  delete(key: Uint8Array): boolean {
    const slot = this.#find(key, key.byteLength, hashOf(key, key.byteLength, this.#seed));
    if (slot < 0) return false;
    const entry = this.#slots[slot]! - 1;
    this.#slots[slot] = DELETED;
    this.#values[entry] = undefined;
    this.#lengths[entry] = 0;
    this.#free.push(entry);
    this.#size--;
    return true;
  }

  clear(): void {
    this.#slots.fill(0);
    this.#slotsUsed = 0;
    this.#lengths.fill(0);
    this.#values = [];
    this.#free.length = 0;
    this.#size = 0;
  }

  /** The slot that names the key's entry, or -1. */
  #find(key: Uint8Array, length: number, hash: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    // At least half of the slots were never used, so that a search ends soon.
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const named = slots[slot]!;
      if (named === 0) return -1;
      if (named === DELETED || this.#hashes[named - 1] !== hash) continue;
      if (this.#lengths[named - 1] === length && this.#isKey(named - 1, key, length)) return slot;
    }
  }

  #isKey(entry: number, key: Uint8Array, length: number): boolean {
    const first = entry * this.#keyBytesMax;
    for (let at = 0; at < length; at++) if (this.#keys[first + at] !== key[at]) return false;
    return true;
  }

  #place(entry: number): void {
    const mask = this.#slots.length - 1;
    let slot = this.#hashes[entry]! & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = entry + 1;
    this.#slotsUsed++;
  }

  /** Twice the room when it is needed; slots of deleted entries are free again either way. */
  #grow(): void {
    const entries = this.#lengths.length;
    const isFull = this.#size * 2 > entries;
    const room = isFull ? entries * 2 : entries;
    if (isFull) {
      this.#keys = grown(this.#keys, new Uint8Array(room * this.#keyBytesMax));
      this.#lengths = grown(this.#lengths, new Uint8Array(room));
      this.#hashes = grown(this.#hashes, new Int32Array(room));
    }
    this.#slots = new Int32Array(room * SLOTS_PER_ENTRY);
    this.#slotsUsed = 0;
    for (let entry = 0; entry < entries; entry++)
      if (this.#lengths[entry] !== 0) this.#place(entry);
  }
}

function grown<Numbers extends Uint8Array | Int32Array>(from: Numbers, into: Numbers): Numbers {
  into.set(from);
  return into;
}

/** Four bytes at a time; the last bits of the result are as good as any. */
function hashOf(key: Uint8Array, length: number, seed: number): number {
  let hash = seed ^ length;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    const word = key[at]! | (key[at + 1]! << 8) | (key[at + 2]! << 16) | (key[at + 3]! << 24);
    hash = Math.imul(hash ^ word, 0x85eb_ca6b);
    hash ^= hash >>> 15;
  }
  for (; at < length; at++) hash = Math.imul(hash ^ key[at]!, 0x0100_0193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb_352d);
  return hash ^ (hash >>> 15);
}
