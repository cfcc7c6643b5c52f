// The baselines of a snapshot that the swarm will have, between opening it and giving them to the
// swarm: as bytes in the file's order, because two million of them as objects are a gigabyte and many
// seconds. Finding one is a binary search in memory, so that records of the log are replayed fast. They
// are given away torrent by torrent: the swarm's memory of a torrent is then near when the next of its
// baselines needs it.

import { PairIndex } from '#accounting/ledger/pair-index.ts';
import type { Baseline, BaselineKey } from './baseline.ts';
import {
  BASELINE_ENTRY_BYTES,
  bucketAt,
  compareKeys,
  encodeBaselineKey,
  fillBaseline,
  isBaselineIntact,
  isEntryIntact,
  lastSeenAt,
  newBaseline,
  readBaseline,
  streamAt,
  streamsAfter,
  torrentAt,
} from './baseline-file.ts';
import { type BaselineReader, CHUNK_ENTRIES_BITS } from './baseline-reader.ts';

const CAPACITY_MIN = 1024;
/** Given away at once, at most. */
const RUN_MAX = 64;
/** No place of an entry. */
const REPLACED = 0xffff_ffff;
const CHUNK_ENTRY_MASK = (1 << CHUNK_ENTRIES_BITS) - 1;

export class RecentBaselines {
  /** Entries that were looked at and are not to be used, whenever they were last seen. */
  damagedEntries = 0;
  readonly #chunks: Uint8Array[] = [];
  /** Where each begins, in the order of (bucket, key): chunk << CHUNK_ENTRIES_BITS, and the entry in it. */
  #places = new Uint32Array(CAPACITY_MIN);
  /** The number that its torrent has in #torrents. */
  #torrentOf = new Uint32Array(CAPACITY_MIN);
  readonly #torrents = new PairIndex();
  #size = 0;
  /** Keeps what was read ahead from looking useless to a compiler. */
  #touched = 0;
  /** Bit by bit: a record of the log knows better. Made when there is one. */
  #replaced: Uint8Array | undefined;

  /** Those last seen at `sinceSeconds` or later; damaged ones are left out. @throws AccountingError */
  static async load(reader: BaselineReader, sinceSeconds: number): Promise<RecentBaselines> {
    const recent = new RecentBaselines();
    for await (const chunk of reader.ownChunks()) recent.#add(chunk, sinceSeconds);
    return recent;
  }

  get size(): number {
    return this.#size;
  }

  find(key: BaselineKey): Baseline | undefined {
    const index = this.#indexOf(key);
    return index < 0 ? undefined : this.#baseline(index);
  }

  /** This one is not given away any more: there is a newer one elsewhere. Fine when it is not here. */
  replace(key: BaselineKey): void {
    const index = this.#indexOf(key);
    if (index < 0) return;
    this.#replaced ??= new Uint8Array((this.#size + 7) >>> 3);
    this.#replaced[index >>> 3]! |= 1 << (index & 7);
  }

  /** Some of one torrent at a time. The array and what is in it are lent until the next. */
  *byTorrent(sinceSeconds: number): Generator<readonly Baseline[]> {
    const pool = Array.from({ length: RUN_MAX }, newBaseline);
    const { places, ends } = this.#inOrderOfTorrents();
    let from = 0;
    for (const end of ends) {
      while (from < end) {
        const until = Math.min(from + RUN_MAX, end);
        const run = this.#read(places.subarray(from, until), sinceSeconds, pool);
        from = until;
        if (run.length > 0) yield run;
      }
    }
  }

  /** Counting them first, then each goes to its torrent's next place: two passes and no comparison. */
  #inOrderOfTorrents(): { readonly places: Uint32Array; readonly ends: Uint32Array } {
    const ends = new Uint32Array(this.#torrents.size);
    for (let index = 0; index < this.#size; index++) ends[this.#torrentOf[index]!]! += 1;
    let total = 0;
    for (let torrent = 0; torrent < ends.length; torrent++) {
      const count = ends[torrent]!;
      ends[torrent] = total;
      total += count;
    }
    const places = new Uint32Array(this.#size);
    for (let index = 0; index < this.#size; index++) {
      const torrent = this.#torrentOf[index]!;
      const at = ends[torrent]!;
      places[at] = this.#isReplaced(index) ? REPLACED : this.#places[index]!;
      ends[torrent] = at + 1;
    }
    return { places, ends };
  }

  #read(places: Uint32Array, sinceSeconds: number, pool: readonly Baseline[]): readonly Baseline[] {
    const run: Baseline[] = [];
    // Read ahead: no two stand near each other, and so the processor waits for all of them at once.
    for (let nth = 0; nth < places.length; nth++) {
      const place = places[nth]!;
      if (place === REPLACED) continue;
      const chunk = this.#chunks[place >>> CHUNK_ENTRIES_BITS]!;
      this.#touched ^= chunk[(place & CHUNK_ENTRY_MASK) * BASELINE_ENTRY_BYTES]!;
    }
    for (let nth = 0; nth < places.length; nth++) {
      const place = places[nth]!;
      if (place === REPLACED) continue;
      const chunk = this.#chunks[place >>> CHUNK_ENTRIES_BITS]!;
      const at = (place & CHUNK_ENTRY_MASK) * BASELINE_ENTRY_BYTES;
      if (lastSeenAt(chunk, at) < sinceSeconds) continue;
      const baseline = pool[nth]!;
      if (streamsAfter(chunk, at) > 0) {
        const whole = readBaseline(chunk, at);
        if (whole !== undefined) run.push(whole);
      } else if (fillBaseline(baseline, chunk, at)) run.push(baseline);
    }
    return run;
  }

  #isReplaced(index: number): boolean {
    const replaced = this.#replaced;
    return replaced !== undefined && (replaced[index >>> 3]! & (1 << (index & 7))) !== 0;
  }

  /** Keeps the chunk when anything in it is recent. */
  #add(chunk: Uint8Array, sinceSeconds: number): void {
    let isKept = false;
    for (let at = 0, entry = 0; at < chunk.byteLength; at += BASELINE_ENTRY_BYTES, entry++) {
      if (!isEntryIntact(chunk, at)) {
        this.damagedEntries++;
        continue;
      }
      // A stream's entry is looked at with the baseline before it.
      if (streamAt(chunk, at) !== 0 || lastSeenAt(chunk, at) < sinceSeconds) continue;
      if (streamsAfter(chunk, at) > 0 && !isBaselineIntact(chunk, at)) continue;
      if (!isKept) this.#chunks.push(chunk);
      isKept = true;
      this.#append(entry, this.#torrents.indexOf(0, torrentAt(chunk, at)));
    }
  }

  #append(entry: number, torrent: number): void {
    if (this.#size === this.#places.length) {
      this.#places = doubled(this.#places);
      this.#torrentOf = doubled(this.#torrentOf);
    }
    this.#places[this.#size] = ((this.#chunks.length - 1) << CHUNK_ENTRIES_BITS) | entry;
    this.#torrentOf[this.#size] = torrent;
    this.#size++;
  }

  #indexOf(key: BaselineKey): number {
    const bytes = encodeBaselineKey(key);
    const bucket = bucketAt(bytes, 0);
    let low = 0;
    let high = this.#size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { chunk, at } = this.#place(middle);
      const order = bucketAt(chunk, at) - bucket || compareKeys(chunk, at, bytes, 0);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return -1;
  }

  #baseline(index: number): Baseline | undefined {
    const { chunk, at } = this.#place(index);
    return readBaseline(chunk, at);
  }

  #place(index: number): { readonly chunk: Uint8Array; readonly at: number } {
    const place = this.#places[index]!;
    const chunk = this.#chunks[place >>> CHUNK_ENTRIES_BITS]!;
    return { chunk, at: (place & CHUNK_ENTRY_MASK) * BASELINE_ENTRY_BYTES };
  }
}

function doubled(from: Uint32Array): Uint32Array<ArrayBuffer> {
  const to = new Uint32Array(from.length * 2);
  to.set(from);
  return to;
}
