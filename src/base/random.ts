// Randomness, a seam of the world. `SystemRandom` is for secrets; `SeededRandom` is fast and
// repeatable, for choosing peers, for jitter and for every simulation.

import { randomFillSync } from 'node:crypto';
import { assert } from '#base/assert.ts';

export interface Random {
  /** Uniform over 0 … 2^32-1. */
  u32(): number;
  /** A fresh buffer of `size` random bytes, 0 to 65,536. */
  bytes(size: number): Uint8Array;
}

const POOL_BYTES = 4096;

/** Cryptographically strong; bytes come from the kernel, drawn in pools. */
export class SystemRandom implements Random {
  readonly #pool = new Uint8Array(POOL_BYTES);
  readonly #view = new DataView(this.#pool.buffer);
  #used = POOL_BYTES;

  u32(): number {
    if (this.#used + 4 > POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    const value = this.#view.getUint32(this.#used);
    // A word that was handed out must not stay readable in the pool.
    this.#view.setUint32(this.#used, 0);
    this.#used += 4;
    return value;
  }

  bytes(size: number): Uint8Array {
    assert(size >= 0 && size <= 65_536, 'size is at most 65536');
    return randomFillSync(new Uint8Array(size));
  }
}

/** sfc32 by Chris Doty-Humphrey (PractRand): 128 bits of state, passes BigCrush. Not for secrets. */
export class SeededRandom implements Random {
  #a: number;
  #b: number;
  #c: number;
  #counter: number;

  /** Two 32-bit halves of a seed, so that both `SystemRandom` and a test number can give one. */
  constructor(seed: number, seedHigh = 0) {
    this.#a = seed | 0;
    this.#b = seedHigh | 0;
    this.#c = 0x9e3779b9 | 0;
    this.#counter = 1;
    for (let round = 0; round < 15; round++) this.u32();
  }

  u32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return sum >>> 0;
  }

  bytes(size: number): Uint8Array {
    assert(size >= 0 && size <= 65_536, 'size is at most 65536');
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; at++) bytes[at] = this.u32() & 0xff;
    return bytes;
  }
}

/** Uniform over 0 … bound-1 without modulo bias (Lemire 2019, multiply and reject). */
export function below(random: Random, bound: number): number {
  assert(bound > 0 && bound <= 0x1_0000_0000, 'bound is 1 to 2^32');
  const threshold = 0x1_0000_0000 % bound;
  for (;;) {
    const draw = random.u32();
    // Values under the threshold would make the low results one draw more likely than the rest.
    if (draw >= threshold) return draw % bound;
  }
}
