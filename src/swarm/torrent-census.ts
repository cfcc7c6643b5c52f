// All torrents of the swarm in the order of their info hashes, for a full scrape: read in small steps
// between announces, while torrents come and go. Holds eight bytes per info hash and never more than
// one shard's lock, for as long as one torrent's counts take to copy.
//
//   step() …           looks at a few records, sorts what it found into a run
//   next(entry) …      merges the runs; a torrent is read at the moment it is given out
//
// The order is strict whatever changes meanwhile: a record that has become another torrent's, whose
// hash does not begin as the one that was sorted, is left out. So is a torrent that came after step()
// had passed its record. One that changed and begins alike is given out, and hides at most those that
// begin alike too. A hybrid torrent comes once by each of its hashes.

import { TORRENT, TORRENT_FLAG, TORRENT_WORDS } from './layout.ts';
import type { SwarmMemory } from './memory.ts';
import { newSwarmCounts, type SwarmCounts } from './swarm-views.ts';
import type { TorrentTable } from './torrent-table.ts';

/** Records per step: a third of a millisecond of looking and sorting. */
const STEP_RECORDS = 1024;
/**
 * Of the first step; each has twice as many as the one before. The first steps of a process run before
 * the engine has compiled them, and take thirty times as long for each record.
 */
const STEP_RECORDS_FIRST = 32;
const HASH_WORDS = 5;

export interface CensusEntry {
  torrentId: number;
  /** 20 bytes. */
  readonly infoHash: Uint8Array;
  readonly counts: SwarmCounts;
}

export function newCensusEntry(): CensusEntry {
  return { torrentId: 0, infoHash: new Uint8Array(HASH_WORDS * 4), counts: newSwarmCounts() };
}

export class TorrentCensus {
  readonly #words: Uint32Array;
  readonly #torrents: TorrentTable;
  readonly #recordsMax: number;
  /** Sorted links, torrent * 2 + version; how far each run was given out. */
  readonly #runs: Uint32Array[] = [];
  readonly #given: number[] = [];
  /** Of each link the first word of its hash, as it was when it was sorted. */
  readonly #firstWords: Uint32Array[] = [];
  /** Runs that have links left, as a heap: the one with the lowest hash first. */
  readonly #heap: number[] = [];
  readonly #last = new Uint32Array(HASH_WORDS);
  #hasLast = false;
  #cursor = 0;
  #stepRecords = STEP_RECORDS_FIRST;

  constructor(memory: SwarmMemory, torrents: TorrentTable) {
    this.#words = memory.torrents;
    this.#torrents = torrents;
    this.#recordsMax = torrents.recordsUsed;
  }

  /** Looks at the next records. False once all were looked at; then next() may be called. */
  step(): boolean {
    const until = Math.min(this.#cursor + this.#stepRecords, this.#recordsMax);
    this.#stepRecords = Math.min(this.#stepRecords * 2, STEP_RECORDS);
    const links: number[] = [];
    for (let torrent = this.#cursor + 1; torrent <= until; torrent++) {
      const shape = this.#words[torrent * TORRENT_WORDS + TORRENT.shape]!;
      if ((shape & TORRENT_FLAG.alive) === 0) continue;
      if ((shape & TORRENT_FLAG.hasV1) !== 0) links.push(torrent * 2);
      if ((shape & TORRENT_FLAG.hasV2) !== 0) links.push(torrent * 2 + 1);
    }
    this.#cursor = until;
    if (links.length > 0) {
      const run = Uint32Array.from(links).sort((a, b) => this.#compare(a, b));
      this.#runs.push(run);
      this.#firstWords.push(run.map((link) => this.#words[hashAt(link)]!));
      this.#given.push(0);
      this.#enter(this.#runs.length - 1);
    }
    return until < this.#recordsMax;
  }

  /**
   * Tries the next link: 'end' after the last, 'skipped' when its torrent is gone, 'filled' when
   * `entry` holds one whose hash is higher than all before it.
   */
  next(entry: CensusEntry): 'filled' | 'skipped' | 'end' {
    const run = this.#heap[0];
    if (run === undefined) return 'end';
    const link = this.#headOf(run);
    const firstWord = this.#firstWordOf(run);
    this.#given[run]! += 1;
    if (this.#given[run]! < this.#runs[run]!.length) this.#sink();
    else this.#leave();
    return this.#read(link, firstWord, entry) ? 'filled' : 'skipped';
  }

  #read(link: number, firstWord: number, entry: CensusEntry): boolean {
    const torrents = this.#torrents;
    const torrent = link >>> 1;
    if (!torrents.lockRecord(torrent)) return false;
    const isSame = this.#isThere(link) && this.#words[hashAt(link)] === firstWord;
    const isThere = isSame && this.#isHigher(link);
    if (isThere) this.#copy(link, entry);
    torrents.unlock();
    return isThere;
  }

  #isThere(link: number): boolean {
    const torrent = link >>> 1;
    const flag = (link & 1) === 0 ? TORRENT_FLAG.hasV1 : TORRENT_FLAG.hasV2;
    const shape = this.#words[torrent * TORRENT_WORDS + TORRENT.shape]!;
    // The id of a record is written last.
    return (
      this.#torrents.idOf(torrent) !== 0 && this.#torrents.isAlive(torrent) && (shape & flag) !== 0
    );
  }

  #isHigher(link: number): boolean {
    if (!this.#hasLast) return true;
    const at = hashAt(link);
    for (let word = 0; word < HASH_WORDS; word++) {
      const difference = this.#words[at + word]! - this.#last[word]!;
      if (difference !== 0) return difference > 0;
    }
    return false;
  }

  #copy(link: number, entry: CensusEntry): void {
    const words = this.#words;
    const { infoHash, counts } = entry;
    const at = (link >>> 1) * TORRENT_WORDS;
    entry.torrentId = words[at + TORRENT.id]!;
    counts.seeders = words[at + TORRENT.seeders]!;
    counts.leechers = words[at + TORRENT.leechers]!;
    counts.partialSeeds = words[at + TORRENT.partialSeeds]!;
    counts.completed = words[at + TORRENT.completed]!;
    for (let word = 0; word < HASH_WORDS; word++) {
      const value = words[hashAt(link) + word]!;
      this.#last[word] = value;
      infoHash[word * 4] = value >>> 24;
      infoHash[word * 4 + 1] = value >>> 16;
      infoHash[word * 4 + 2] = value >>> 8;
      infoHash[word * 4 + 3] = value;
    }
    this.#hasLast = true;
  }

  #headOf(run: number): number {
    return this.#runs[run]![this.#given[run]!]!;
  }

  #compare(a: number, b: number): number {
    const words = this.#words;
    const atA = hashAt(a);
    const atB = hashAt(b);
    for (let word = 0; word < HASH_WORDS; word++) {
      const difference = words[atA + word]! - words[atB + word]!;
      if (difference !== 0) return difference;
    }
    return 0;
  }

  #firstWordOf(run: number): number {
    return this.#firstWords[run]![this.#given[run]!]!;
  }

  #isBefore(runA: number, runB: number): boolean {
    const difference = this.#firstWordOf(runA) - this.#firstWordOf(runB);
    if (difference !== 0) return difference < 0;
    return this.#compare(this.#headOf(runA), this.#headOf(runB)) < 0;
  }

  #enter(run: number): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(run);
    while (at > 0) {
      const above = (at - 1) >>> 1;
      if (!this.#isBefore(run, heap[above]!)) break;
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = run;
  }

  #leave(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    heap[0] = last;
    this.#sink();
  }

  /** The first run goes down to its place. */
  #sink(): void {
    const heap = this.#heap;
    const run = heap[0]!;
    let at = 0;
    for (;;) {
      let below = at * 2 + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && this.#isBefore(heap[below + 1]!, heap[below]!)) below += 1;
      if (!this.#isBefore(heap[below]!, run)) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = run;
  }
}

function hashAt(link: number): number {
  return (link >>> 1) * TORRENT_WORDS + ((link & 1) === 0 ? TORRENT.hashV1 : TORRENT.hashV2);
}
