// What is remembered of addresses, in tables of fixed size that all tracker threads share: from which
// a member announced (such an address may scrape by UDP), and how many expired connection ids an
// address was answered. When a table is full the oldest entry makes room, so an attacker with many
// addresses can make others be forgotten, never make memory grow.
//
// Threads write without a lock. Two that meet in one place may leave the tag of one beside the time
// of the other: both are of now, or the entry reads as older than it is.
//
//   16 bytes    key of the hash, so that nobody outside can aim at one bucket
//    8          wall time at which the memory was made, Unix ms: float64
//    4          start of the window of expired ids, seconds since then
//    4          unused
//   then        tags, times (whole seconds since the start, + 1; 0 is an empty place), counts

import { assert } from '#base/assert.ts';
import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import { SipHash } from '#tracker/udp/sip-hash.ts';

const BUCKETS = 1 << 14;
const WAYS = 4;
const PLACES = BUCKETS * WAYS;
const STALE_WINDOW_SECONDS = 120;
const STALE_SLOTS = 1 << 14;
/** An IPv4 address that was written down within so many seconds is not hashed and written again. */
const FRESH_SECONDS = 8;
const FRESH_PLACES = 1 << 12;
const FRESH_SHIFT = 32 - 12;
const KEY_BYTES = 16;
const HEAD_BYTES = 32;
const MEMORY_BYTES = HEAD_BYTES + PLACES * 8 + STALE_SLOTS;

export function reserveAddressMemory(random: Random, nowMs: number): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(MEMORY_BYTES);
  new Uint8Array(memory).set(random.bytes(KEY_BYTES));
  new Float64Array(memory, KEY_BYTES, 1)[0] = nowMs;
  // The first second.
  new Int32Array(memory, KEY_BYTES + 8, 1)[0] = 1;
  return memory;
}

export class AddressMemory {
  readonly #clock: Clock;
  readonly #sip: SipHash;
  readonly #message = new Uint8Array(17);
  /** Of this thread: addresses and when they were written down. A collision only costs the hash. */
  readonly #fresh = new Int32Array(FRESH_PLACES * 2).fill(-FRESH_SECONDS - 1);
  readonly #announcedMsMax: number;
  readonly #staleMax: number;
  /** From this thread's monotonic clock to milliseconds since the memory's start. */
  readonly #offsetMs: number;
  readonly #tags: Uint32Array;
  readonly #seconds: Uint32Array;
  readonly #stale: Uint8Array;
  readonly #staleSince: Int32Array;

  constructor(world: {
    readonly clock: Clock;
    /** From reserveAddressMemory(). */
    readonly memory: SharedArrayBuffer;
    /** How long an announce proves an address for scrapes. */
    readonly announcedMsMax: number;
    /** Expired connection ids answered per address in two minutes, 0 to 255. */
    readonly staleMax: number;
  }) {
    const { clock, memory } = world;
    assert(memory.byteLength === MEMORY_BYTES, 'the memory was reserved for addresses');
    this.#clock = clock;
    this.#sip = new SipHash(new Uint8Array(memory, 0, KEY_BYTES).slice());
    const [startedMs = 0] = new Float64Array(memory, KEY_BYTES, 1);
    this.#offsetMs = Math.max(0, clock.nowMs() - startedMs) - clock.monotonicMs();
    this.#staleSince = new Int32Array(memory, KEY_BYTES + 8, 1);
    this.#tags = new Uint32Array(memory, HEAD_BYTES, PLACES);
    this.#seconds = new Uint32Array(memory, HEAD_BYTES + PLACES * 4, PLACES);
    this.#stale = new Uint8Array(memory, HEAD_BYTES + PLACES * 8, STALE_SLOTS);
    this.#announcedMsMax = world.announcedMsMax;
    this.#staleMax = world.staleMax;
  }

  /** A member announced from here. */
  announced(address: Uint8Array, family: 4 | 6): void {
    const now = this.#nowSeconds();
    if (family === 4 && this.#isFresh(address, now)) return;
    const bucket = this.#bucket(address, family);
    const tag = this.#sip.low;
    let oldest = bucket;
    for (let at = bucket; at < bucket + WAYS; at++) {
      if (this.#tags[at] === tag) {
        oldest = at;
        break;
      }
      if (this.#seconds[at]! < this.#seconds[oldest]!) oldest = at;
    }
    this.#tags[oldest] = tag;
    this.#seconds[oldest] = now;
  }

  /** Whether this thread wrote the address down a moment ago; from here on it did. */
  #isFresh(address: Uint8Array, now: number): boolean {
    const word = address[0]! | (address[1]! << 8) | (address[2]! << 16) | (address[3]! << 24);
    const place = (Math.imul(word, 0x9e37_79b1) >>> FRESH_SHIFT) * 2;
    if (this.#fresh[place] === word && now - this.#fresh[place + 1]! <= FRESH_SECONDS) return true;
    this.#fresh[place] = word;
    this.#fresh[place + 1] = now;
    return false;
  }

  hasAnnounced(address: Uint8Array, family: 4 | 6): boolean {
    const bucket = this.#bucket(address, family);
    const tag = this.#sip.low;
    const since = this.#nowSeconds() - this.#announcedMsMax / 1000;
    for (let at = bucket; at < bucket + WAYS; at++) {
      const seconds = this.#seconds[at]!;
      if (this.#tags[at] === tag && seconds !== 0) return seconds >= since;
    }
    return false;
  }

  /** Counts an answer to an expired connection id; false when the address had its share. */
  mayAnswerStale(address: Uint8Array, family: 4 | 6): boolean {
    const now = this.#nowSeconds();
    const since = Atomics.load(this.#staleSince, 0);
    const isOver = now - since >= STALE_WINDOW_SECONDS;
    // One thread begins the new window.
    if (isOver && Atomics.compareExchange(this.#staleSince, 0, since, now) === since) {
      this.#stale.fill(0);
    }
    this.#hash(address, family);
    const slot = this.#sip.high % STALE_SLOTS;
    for (let count = Atomics.load(this.#stale, slot); count < this.#staleMax; ) {
      const found = Atomics.compareExchange(this.#stale, slot, count, count + 1);
      if (found === count) return true;
      count = found;
    }
    return false;
  }

  #bucket(address: Uint8Array, family: 4 | 6): number {
    this.#hash(address, family);
    return (this.#sip.high % BUCKETS) * WAYS;
  }

  #hash(address: Uint8Array, family: 4 | 6): void {
    const length = family === 4 ? 4 : 16;
    this.#message[0] = family;
    for (let at = 0; at < length; at++) this.#message[1 + at] = address[at]!;
    this.#sip.hash(this.#message, 1 + length);
  }

  #nowSeconds(): number {
    // A small integer crosses a call without a place on the heap; 68 years fit.
    return (((this.#clock.monotonicMs() + this.#offsetMs) / 1000) | 0) + 1;
  }
}
