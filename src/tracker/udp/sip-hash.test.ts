import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '#base/random.ts';
import { SipHash } from './sip-hash.ts';

const MASK = 0xffff_ffff_ffff_ffffn;

test('SipHash gives the values of its paper', () => {
  const sip = new SipHash(Uint8Array.from({ length: 16 }, (_, at) => at));
  const message = Uint8Array.from({ length: 64 }, (_, at) => at);
  // Appendix A, and the first rows of the reference vectors (lengths 0, 1, 7, 8).
  const expected: readonly (readonly [number, string])[] = [
    [15, 'a129ca6149be45e5'],
    [0, '726fdb47dd0e0e31'],
    [1, '74f839c593dc67fd'],
    [7, 'ab0200f58b01d137'],
    [8, '93f5f5799a932462'],
  ];
  for (const [length, hex] of expected) {
    sip.hash(message, length);
    const text = sip.high.toString(16).padStart(8, '0') + sip.low.toString(16).padStart(8, '0');
    assert.equal(text, hex, `length ${length}`);
  }
});

test('SipHash over words agrees with one over 64-bit integers', () => {
  const random = new SeededRandom(11);
  for (let round = 0; round < 300; round++) {
    const key = random.bytes(16);
    const message = random.bytes(random.u32() % 40);
    const sip = new SipHash(key);
    sip.hash(message, message.byteLength);
    assert.equal((BigInt(sip.high) << 32n) | BigInt(sip.low), sipHashByBigInt(key, message));
  }
});

/** The paper's definition, written down as it stands. */
function sipHashByBigInt(key: Uint8Array, message: Uint8Array): bigint {
  const k0 = readU64(key, 0);
  const k1 = readU64(key, 8);
  const v: [bigint, bigint, bigint, bigint] = [
    k0 ^ 0x736f6d6570736575n,
    k1 ^ 0x646f72616e646f6dn,
    k0 ^ 0x6c7967656e657261n,
    k1 ^ 0x7465646279746573n,
  ];
  const padded = new Uint8Array(message.byteLength - (message.byteLength % 8) + 8);
  padded.set(message);
  padded[padded.length - 1] = message.byteLength & 0xff;
  for (let at = 0; at < padded.length; at += 8) {
    const word = readU64(padded, at);
    v[3] ^= word;
    round(v);
    round(v);
    v[0] ^= word;
  }
  v[2] ^= 0xffn;
  for (let index = 0; index < 4; index++) round(v);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

function round(v: [bigint, bigint, bigint, bigint]): void {
  v[0] = (v[0] + v[1]) & MASK;
  v[1] = rotate(v[1], 13n) ^ v[0];
  v[0] = rotate(v[0], 32n);
  v[2] = (v[2] + v[3]) & MASK;
  v[3] = rotate(v[3], 16n) ^ v[2];
  v[0] = (v[0] + v[3]) & MASK;
  v[3] = rotate(v[3], 21n) ^ v[0];
  v[2] = (v[2] + v[1]) & MASK;
  v[1] = rotate(v[1], 17n) ^ v[2];
  v[2] = rotate(v[2], 32n);
}

function rotate(value: bigint, by: bigint): bigint {
  return ((value << by) | (value >> (64n - by))) & MASK;
}

function readU64(bytes: Uint8Array, at: number): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(at, true);
}
