// Where in a torrent of very many files a path stands: some 40 bytes a file, where a map of paths would take
// 400. A path is known by 64 bits of its SHA-256, salted; two of one torrent that share them are neither
// found.

import { hash } from 'node:crypto';
import { SystemRandom } from '#base/random.ts';

/** Nobody outside can choose paths that fall together. */
const SALT = Buffer.from(new SystemRandom().bytes(16)).toString('latin1');
/** As many places as twice the paths, of which each has a number and half a key beside it. */
const ROOM_MIN = 1024;
const AMBIGUOUS = Number.NaN;

export class PathIndex {
  #keys = new BigUint64Array(ROOM_MIN);
  #values = new Float64Array(ROOM_MIN);
  #isTaken = new Uint8Array(ROOM_MIN);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Of a path that stands there already it is not known any more where. `value`: not NaN. */
  add(path: string, value: number): void {
    if (2 * (this.#size + 1) > this.#keys.length) this.#grow();
    const key = keyOf(path);
    const at = this.#placeOf(key);
    if (this.#isTaken[at] === 1) {
      this.#values[at] = AMBIGUOUS;
      return;
    }
    this.#put(at, key, value);
  }

  get(path: string): number | undefined {
    const at = this.#placeOf(keyOf(path));
    const value = this.#values[at] ?? AMBIGUOUS;
    return this.#isTaken[at] === 1 && !Number.isNaN(value) ? value : undefined;
  }

  /** Of that key, or the free one where it would stand. */
  #placeOf(key: bigint): number {
    const mask = this.#keys.length - 1;
    let at = Number(key & 0xffff_ffffn) & mask;
    while (this.#isTaken[at] === 1 && this.#keys[at] !== key) at = (at + 1) & mask;
    return at;
  }

  #put(at: number, key: bigint, value: number): void {
    this.#keys[at] = key;
    this.#values[at] = value;
    this.#isTaken[at] = 1;
    this.#size += 1;
  }

  #grow(): void {
    const [keys, values, isTaken] = [this.#keys, this.#values, this.#isTaken];
    const length = 2 * keys.length;
    this.#keys = new BigUint64Array(length);
    this.#values = new Float64Array(length);
    this.#isTaken = new Uint8Array(length);
    this.#size = 0;
    for (const [at, key] of keys.entries()) {
      if (isTaken[at] === 1) this.#put(this.#placeOf(key), key, values[at] ?? AMBIGUOUS);
    }
  }
}

function keyOf(path: string): bigint {
  return hash('sha256', SALT + path, 'buffer').readBigUInt64LE(0);
}
