// The baselines of a snapshot that the swarm will have, between opening it and giving them to the
// swarm: as bytes in the file's order, because two million of them as objects are a gigabyte and many
// seconds. Finding one is a binary search in memory, so that records of the log are replayed fast.

import type { Baseline, BaselineKey } from './baseline.ts';
import {
  BASELINE_ENTRY_BYTES,
  bucketAt,
  compareKeys,
  encodeBaselineKey,
  isBaselineIntact,
  lastSeenAt,
  readBaseline,
  streamAt,
} from './baseline-file.ts';
import type { BaselineReader } from './baseline-reader.ts';

const CAPACITY_MIN = 1024;

export class RecentBaselines {
  readonly #chunks: Uint8Array[] = [];
  /** Where each begins, in the order of (bucket, key): its chunk, and its place there. */
  #inChunk = new Uint32Array(CAPACITY_MIN);
  #at = new Uint32Array(CAPACITY_MIN);
  #size = 0;

  /** Those last seen at `sinceSeconds` or later; damaged ones are left out. @throws AccountingError */
  static async load(reader: BaselineReader, sinceSeconds: number): Promise<RecentBaselines> {
    const recent = new RecentBaselines();
    for await (const chunk of reader.chunks()) recent.#add(chunk, sinceSeconds);
    return recent;
  }

  get size(): number {
    return this.#size;
  }

  find(key: BaselineKey): Baseline | undefined {
    const bytes = encodeBaselineKey(key);
    const bucket = bucketAt(bytes, 0);
    let low = 0;
    let high = this.#size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = this.#compare(middle, bucket, bytes);
      if (order === 0) return this.#baseline(middle);
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return undefined;
  }

  *all(): Generator<Baseline> {
    for (let index = 0; index < this.#size; index++) {
      const baseline = this.#baseline(index);
      if (baseline !== undefined) yield baseline;
    }
  }

  /** Copies the chunk, which is lent, when anything in it is recent. */
  #add(lent: Uint8Array, sinceSeconds: number): void {
    let copied: Uint8Array | undefined;
    for (let at = 0; at < lent.byteLength; at += BASELINE_ENTRY_BYTES) {
      // A stream's entry is looked at with the baseline before it.
      if (streamAt(lent, at) !== 0 || lastSeenAt(lent, at) < sinceSeconds) continue;
      if (!isBaselineIntact(lent, at)) continue;
      if (copied === undefined) {
        copied = lent.slice();
        this.#chunks.push(copied);
      }
      this.#place(at);
    }
  }

  #place(at: number): void {
    if (this.#size === this.#at.length) {
      this.#inChunk = doubled(this.#inChunk);
      this.#at = doubled(this.#at);
    }
    this.#inChunk[this.#size] = this.#chunks.length - 1;
    this.#at[this.#size] = at;
    this.#size++;
  }

  #compare(index: number, bucket: number, key: Uint8Array): number {
    const chunk = this.#chunks[this.#inChunk[index]!]!;
    const at = this.#at[index]!;
    return bucketAt(chunk, at) - bucket || compareKeys(chunk, at, key, 0);
  }

  #baseline(index: number): Baseline | undefined {
    return readBaseline(this.#chunks[this.#inChunk[index]!]!, this.#at[index]!);
  }
}

function doubled(from: Uint32Array): Uint32Array<ArrayBuffer> {
  const to = new Uint32Array(from.length * 2);
  to.set(from);
  return to;
}
