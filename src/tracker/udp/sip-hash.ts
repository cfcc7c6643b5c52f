// SipHash-2-4 (Aumasson and Bernstein 2012): a keyed hash for short messages, written over 32-bit
// halves because a BigInt costs an allocation per step. Answers 64 bits in two words. The state stands
// in local variables, so that it stays in registers: every datagram is hashed once.

import { assert } from '#base/assert.ts';

const ROUNDS_PER_BLOCK = 2;
const ROUNDS_AT_END = 4;

/** One per key; `hash` overwrites `high` and `low`. */
export class SipHash {
  high = 0;
  low = 0;
  readonly #k0l: number;
  readonly #k0h: number;
  readonly #k1l: number;
  readonly #k1h: number;

  /** `key` has 16 bytes. */
  constructor(key: Uint8Array) {
    assert(key.byteLength === 16, 'a SipHash key has 16 bytes');
    this.#k0l = word(key, 0);
    this.#k0h = word(key, 4);
    this.#k1l = word(key, 8);
    this.#k1h = word(key, 12);
  }

  /** Over the first `length` bytes. */
  hash(bytes: Uint8Array, length: number): void {
    let v0l = this.#k0l ^ 0x70736575;
    let v0h = this.#k0h ^ 0x736f6d65;
    let v1l = this.#k1l ^ 0x6e646f6d;
    let v1h = this.#k1h ^ 0x646f7261;
    let v2l = this.#k0l ^ 0x6e657261;
    let v2h = this.#k0h ^ 0x6c796765;
    let v3l = this.#k1l ^ 0x79746573;
    let v3h = this.#k1h ^ 0x74656462;
    const last = length & ~7;
    // Whole blocks, then what is left of the message with its length, then the end, which mixes in
    // nothing but is told apart by a constant.
    for (let at = 0; at <= last + 8; at += 8) {
      const isEnd = at > last;
      let low = 0;
      let high = 0;
      if (isEnd) v2l ^= 0xff;
      else if (at < last) {
        low = word(bytes, at);
        high = word(bytes, at + 4);
      } else {
        low = tail(bytes, at, length);
        high = tail(bytes, at + 4, length) | (length << 24);
      }
      v3l ^= low;
      v3h ^= high;
      const rounds = isEnd ? ROUNDS_AT_END : ROUNDS_PER_BLOCK;
      for (let round = 0; round < rounds; round++) {
        // v0 += v1; v1 <<<= 13; v1 ^= v0; v0 <<<= 32
        let low64 = (v0l + v1l) | 0;
        let high64 = (v0h + v1h + carry(low64, v0l)) | 0;
        const v1r = ((v1l << 13) | (v1h >>> 19)) ^ low64;
        v1h = ((v1h << 13) | (v1l >>> 19)) ^ high64;
        v1l = v1r;
        v0l = high64;
        v0h = low64;
        // v2 += v3; v3 <<<= 16; v3 ^= v2
        low64 = (v2l + v3l) | 0;
        v2h = (v2h + v3h + carry(low64, v2l)) | 0;
        v2l = low64;
        const v3r = ((v3l << 16) | (v3h >>> 16)) ^ v2l;
        v3h = ((v3h << 16) | (v3l >>> 16)) ^ v2h;
        v3l = v3r;
        // v0 += v3; v3 <<<= 21; v3 ^= v0
        low64 = (v0l + v3l) | 0;
        v0h = (v0h + v3h + carry(low64, v0l)) | 0;
        v0l = low64;
        const v3s = ((v3l << 21) | (v3h >>> 11)) ^ v0l;
        v3h = ((v3h << 21) | (v3l >>> 11)) ^ v0h;
        v3l = v3s;
        // v2 += v1; v1 <<<= 17; v1 ^= v2; v2 <<<= 32
        low64 = (v2l + v1l) | 0;
        high64 = (v2h + v1h + carry(low64, v2l)) | 0;
        const v1s = ((v1l << 17) | (v1h >>> 15)) ^ low64;
        v1h = ((v1h << 17) | (v1l >>> 15)) ^ high64;
        v1l = v1s;
        v2l = high64;
        v2h = low64;
      }
      v0l ^= low;
      v0h ^= high;
    }
    this.low = (v0l ^ v1l ^ v2l ^ v3l) >>> 0;
    this.high = (v0h ^ v1h ^ v2h ^ v3h) >>> 0;
  }
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

/** The word at `at` of a message that ends at `length`; zeros behind it. */
function tail(bytes: Uint8Array, at: number, length: number): number {
  let value = 0;
  for (let byte = 0; byte < 4 && at + byte < length; byte++) {
    value |= bytes[at + byte]! << (byte * 8);
  }
  return value;
}

/** Of an addition of 32-bit words: its sum is smaller than a summand when it went over. */
function carry(sum: number, summand: number): number {
  return sum >>> 0 < summand >>> 0 ? 1 : 0;
}
