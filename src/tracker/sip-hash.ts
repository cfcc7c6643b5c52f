// SipHash-2-4 (Aumasson and Bernstein 2012): a keyed hash for short messages, written over 32-bit
// halves because a BigInt costs an allocation per step. Answers 64 bits in two words.

import { assert } from '#base/assert.ts';

/** One per key; `hash` overwrites `high` and `low`. */
export class SipHash {
  high = 0;
  low = 0;
  readonly #k0l: number;
  readonly #k0h: number;
  readonly #k1l: number;
  readonly #k1h: number;
  #v0l = 0;
  #v0h = 0;
  #v1l = 0;
  #v1h = 0;
  #v2l = 0;
  #v2h = 0;
  #v3l = 0;
  #v3h = 0;

  /** `key` has 16 bytes. */
  constructor(key: Uint8Array) {
    assert(key.byteLength === 16, 'a SipHash key has 16 bytes');
    this.#k0l = word(key, 0);
    this.#k0h = word(key, 4);
    this.#k1l = word(key, 8);
    this.#k1h = word(key, 12);
  }

  hash(bytes: Uint8Array, length: number): void {
    this.#v0l = this.#k0l ^ 0x70736575;
    this.#v0h = this.#k0h ^ 0x736f6d65;
    this.#v1l = this.#k1l ^ 0x6e646f6d;
    this.#v1h = this.#k1h ^ 0x646f7261;
    this.#v2l = this.#k0l ^ 0x6e657261;
    this.#v2h = this.#k0h ^ 0x6c796765;
    this.#v3l = this.#k1l ^ 0x79746573;
    this.#v3h = this.#k1h ^ 0x74656462;
    const whole = length - (length % 8);
    for (let at = 0; at < whole; at += 8) this.#mix(word(bytes, at), word(bytes, at + 4));
    let low = 0;
    let high = (length & 0xff) << 24;
    for (let at = whole; at < length; at++) {
      const shift = (at - whole) * 8;
      if (shift < 32) low |= bytes[at]! << shift;
      else high |= bytes[at]! << (shift - 32);
    }
    this.#mix(low, high);
    this.#v2l ^= 0xff;
    for (let round = 0; round < 4; round++) this.#round();
    this.low = (this.#v0l ^ this.#v1l ^ this.#v2l ^ this.#v3l) >>> 0;
    this.high = (this.#v0h ^ this.#v1h ^ this.#v2h ^ this.#v3h) >>> 0;
  }

  #mix(low: number, high: number): void {
    this.#v3l ^= low;
    this.#v3h ^= high;
    this.#round();
    this.#round();
    this.#v0l ^= low;
    this.#v0h ^= high;
  }

  #round(): void {
    let a = this.#v0l;
    let ah = this.#v0h;
    let b = this.#v1l;
    let bh = this.#v1h;
    let c = this.#v2l;
    let ch = this.#v2h;
    let d = this.#v3l;
    let dh = this.#v3h;
    let sum = (a >>> 0) + (b >>> 0);
    let rotated = 0;
    // v0 += v1; v1 <<<= 13; v1 ^= v0; v0 <<<= 32
    ah = (ah + bh + carry(sum)) | 0;
    a = sum | 0;
    rotated = (b << 13) | (bh >>> 19);
    bh = ((bh << 13) | (b >>> 19)) ^ ah;
    b = rotated ^ a;
    sum = a;
    a = ah;
    ah = sum;
    // v2 += v3; v3 <<<= 16; v3 ^= v2
    sum = (c >>> 0) + (d >>> 0);
    ch = (ch + dh + carry(sum)) | 0;
    c = sum | 0;
    rotated = (d << 16) | (dh >>> 16);
    dh = ((dh << 16) | (d >>> 16)) ^ ch;
    d = rotated ^ c;
    // v0 += v3; v3 <<<= 21; v3 ^= v0
    sum = (a >>> 0) + (d >>> 0);
    ah = (ah + dh + carry(sum)) | 0;
    a = sum | 0;
    rotated = (d << 21) | (dh >>> 11);
    dh = ((dh << 21) | (d >>> 11)) ^ ah;
    d = rotated ^ a;
    // v2 += v1; v1 <<<= 17; v1 ^= v2; v2 <<<= 32
    sum = (c >>> 0) + (b >>> 0);
    ch = (ch + bh + carry(sum)) | 0;
    c = sum | 0;
    rotated = (b << 17) | (bh >>> 15);
    bh = ((bh << 17) | (b >>> 15)) ^ ch;
    b = rotated ^ c;
    sum = c;
    c = ch;
    ch = sum;
    this.#v0l = a;
    this.#v0h = ah;
    this.#v1l = b;
    this.#v1h = bh;
    this.#v2l = c;
    this.#v2h = ch;
    this.#v3l = d;
    this.#v3h = dh;
  }
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function carry(sum: number): number {
  return sum > 0xffff_ffff ? 1 : 0;
}
