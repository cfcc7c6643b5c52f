// Token buckets by key (an address, a name), bounded in number: the longest unused one is forgotten
// first. A bucket starts full, every attempt takes one, and time fills it again.

import type { Clock } from '#base/clock.ts';

interface Bucket {
  tokens: number;
  atMs: number;
}

export interface RateLimitOptions {
  readonly clock: Clock;
  /** Attempts at once, and in every `periodMs`. */
  readonly attempts: number;
  readonly periodMs: number;
  readonly entriesMax: number;
}

export class RateLimit {
  readonly #options: RateLimitOptions;
  /** In the order of their last use. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(options: RateLimitOptions) {
    this.#options = options;
  }

  /** 0 when the attempt may go on, else how long to wait, in milliseconds. */
  take(key: string): number {
    const { clock, attempts, periodMs, entriesMax } = this.#options;
    const nowMs = clock.monotonicMs();
    const bucket = this.#buckets.get(key) ?? { tokens: attempts, atMs: nowMs };
    this.#buckets.delete(key);
    const perMs = attempts / periodMs;
    bucket.tokens = Math.min(attempts, bucket.tokens + (nowMs - bucket.atMs) * perMs);
    bucket.atMs = nowMs;
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > entriesMax) {
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest);
        break;
      }
    }
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      return 0;
    }
    return Math.ceil((1 - bucket.tokens) / perMs);
  }

  /** The attempt was a good one and does not count. */
  giveBack(key: string): void {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return;
    bucket.tokens = Math.min(this.#options.attempts, bucket.tokens + 1);
  }
}

/** One key for all that one customer of a provider can use: an IPv6 /64, or an IPv4 address. */
export function addressKey(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const groups = [...before, ...Array<string>(zeros).fill('0'), ...after];
  return groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, '').toLowerCase())
    .join(':');
}
