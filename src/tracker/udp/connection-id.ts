// Connection ids of the UDP door (BEP 15), without state: who shows one has received it at its
// address. 8 bytes, big endian:
//
//    0  u32  Unix seconds of its making
//    4  u32  the upper half of SipHash-2-4 over (seconds, family, address)
//
// An id is good for 120 seconds, and from 10 seconds before its time, because the nodes that share a
// key may differ by that much. The key comes from a secret in the data folder, so an id also stays
// good over a restart. The port is not in it: clients behind one translator change theirs.
//
// A client announces many torrents with one id, so those found good are remembered: the same id from
// the same address needs no second hash, only its age is looked at again.

import { createHash } from 'node:crypto';
import { assert } from '#base/assert.ts';
import type { Clock } from '#base/clock.ts';
import { SipHash } from './sip-hash.ts';

export const CONNECTION_ID_SECONDS_MAX = 120;
export const CONNECTION_ID_SECONDS_AHEAD_MAX = 10;
export const CONNECTION_SECRET_BYTES_MIN = 16;

const ID_BYTES = 8;
/** Ids remembered, each at the place that its own low bits name. */
const KNOWN_PLACES = 512;
/** Seconds, code, family, and four words of the address. */
const KNOWN_WORDS = 8;

export class ConnectionIds {
  readonly #clock: Clock;
  readonly #sip: SipHash;
  readonly #message = new Uint8Array(21);
  readonly #known = new Uint32Array(KNOWN_PLACES * KNOWN_WORDS);

  /** `secret` has 16 bytes or more, the same on every node behind one address. */
  constructor(world: { readonly clock: Clock; readonly secret: Uint8Array }) {
    assert(world.secret.byteLength >= CONNECTION_SECRET_BYTES_MIN, 'the secret is long enough');
    this.#clock = world.clock;
    const key = createHash('sha256').update('swarmkeep connection id\0').update(world.secret);
    this.#sip = new SipHash(new Uint8Array(key.digest()).subarray(0, 16));
  }

  /** Writes an id for this address, made now, into the first 8 bytes of `into`. */
  write(into: Uint8Array, address: Uint8Array, family: 4 | 6): void {
    const seconds = Math.floor(this.#clock.nowMs() / 1000) >>> 0;
    writeU32(into, 0, seconds);
    writeU32(into, 4, this.#mac(seconds, address, family));
  }

  /** True when this address was given this id at most 120 seconds ago. */
  isGood(id: Uint8Array, address: Uint8Array, family: 4 | 6): boolean {
    assert(id.byteLength >= ID_BYTES, 'a connection id has 8 bytes');
    const seconds = readU32(id, 0);
    const age = Math.floor(this.#clock.nowMs() / 1000) - seconds;
    if (age > CONNECTION_ID_SECONDS_MAX || age < -CONNECTION_ID_SECONDS_AHEAD_MAX) return false;
    const code = readU32(id, 4);
    const place = (code & (KNOWN_PLACES - 1)) * KNOWN_WORDS;
    const known = this.#known;
    if (known[place] === seconds && known[place + 1] === code && known[place + 2] === family) {
      let word = family === 4 ? 0 : 3;
      while (word >= 0 && known[place + 4 + word] === readU32(address, word * 4)) word--;
      if (word < 0) return true;
    }
    if (code !== this.#mac(seconds, address, family)) return false;
    known[place] = seconds;
    known[place + 1] = code;
    known[place + 2] = family;
    for (let word = 0; word < 4; word++) known[place + 4 + word] = readU32(address, word * 4);
    return true;
  }

  #mac(seconds: number, address: Uint8Array, family: 4 | 6): number {
    const message = this.#message;
    writeU32(message, 0, seconds);
    message[4] = family;
    const length = family === 4 ? 4 : 16;
    for (let at = 0; at < length; at++) message[5 + at] = address[at]!;
    this.#sip.hash(message, 5 + length);
    return this.#sip.high;
  }
}

function writeU32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}

function readU32(bytes: Uint8Array, at: number): number {
  const low = (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  return bytes[at]! * 0x100_0000 + low;
}
