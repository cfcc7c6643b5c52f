// What is remembered of addresses, in tables of fixed size: from which a member announced (such an
// address may scrape by UDP), and how many expired connection ids an address was answered. When a
// table is full the oldest entry makes room, so an attacker with many addresses can make others be
// forgotten, never make memory grow.

import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import { SipHash } from './sip-hash.ts';

const BUCKETS = 1 << 14;
const WAYS = 4;
const STALE_WINDOW_MS = 120_000;
const STALE_SLOTS = 1 << 14;

export class AddressMemory {
  readonly #clock: Clock;
  readonly #sip: SipHash;
  readonly #message = new Uint8Array(17);
  readonly #announcedMsMax: number;
  readonly #staleMax: number;
  readonly #tags = new Uint32Array(BUCKETS * WAYS);
  /** Whole monotonic seconds + 1; 0 is an empty place. */
  readonly #seconds = new Uint32Array(BUCKETS * WAYS);
  readonly #stale = new Uint8Array(STALE_SLOTS);
  #staleSinceMs: number;

  constructor(world: {
    readonly clock: Clock;
    readonly random: Random;
    /** How long an announce proves an address for scrapes. */
    readonly announcedMsMax: number;
    /** Expired connection ids answered per address in two minutes, 0 to 255. */
    readonly staleMax: number;
  }) {
    this.#clock = world.clock;
    this.#sip = new SipHash(world.random.bytes(16));
    this.#announcedMsMax = world.announcedMsMax;
    this.#staleMax = world.staleMax;
    this.#staleSinceMs = world.clock.monotonicMs();
  }

  /** A member announced from here. */
  announced(address: Uint8Array, family: 4 | 6): void {
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
    this.#seconds[oldest] = this.#nowSeconds();
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
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#staleSinceMs >= STALE_WINDOW_MS) {
      this.#stale.fill(0);
      this.#staleSinceMs = nowMs;
    }
    this.#hash(address, family);
    const slot = this.#sip.high % STALE_SLOTS;
    const count = this.#stale[slot]!;
    if (count >= this.#staleMax) return false;
    this.#stale[slot] = count + 1;
    return true;
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
    return Math.floor(this.#clock.monotonicMs() / 1000) + 1;
  }
}
