// A torrent's peer list: one arena block of entries in runs (leechers, seeders, partial seeds, and
// in the primary list the hidden ones), see layout.ts. Every change costs at most one moved entry
// per run. All calls need the torrent's shard lock.

import { assert } from '#base/assert.ts';
import type { Arena } from './arena.ts';
import {
  EXTENSION,
  EXTENSION_WORDS,
  PEER,
  PEER_WORDS,
  TORRENT,
  TORRENT_WORDS,
  UNIT_WORDS,
} from './layout.ts';
import type { SwarmMemory } from './memory.ts';

export const HIDDEN_RUN = 3;

type ListKind = 'primary' | 'ipv6' | 'webrtc';

const LISTS = {
  primary: { at: TORRENT.primary, orderShift: 12, placeAt: -1 },
  ipv6: { at: TORRENT.ipv6, orderShift: 17, placeAt: EXTENSION.place6 },
  webrtc: { at: TORRENT.webrtc, orderShift: 22, placeAt: EXTENSION.placeWebrtc },
} as const;

export class PeerList {
  readonly entryWords: number;
  /** Block and run counts of this list in a torrent record. */
  readonly #at: number;
  readonly #runs: number;
  /** log2 of the units of one entry. */
  readonly #entryOrder: number;
  readonly #orderShift: number;
  /** Where a peer's extension tells its place in this list; -1 when its record does. */
  readonly #placeAt: number;
  readonly #torrents: Uint32Array;
  readonly #peers: Uint32Array;
  readonly #extensions: Uint32Array;
  readonly #words: Uint32Array;
  readonly #arena: Arena;

  constructor(memory: SwarmMemory, arena: Arena, kind: ListKind) {
    const { at, orderShift, placeAt } = LISTS[kind];
    this.#at = at;
    this.#runs = kind === 'primary' ? 4 : 3;
    this.#entryOrder = kind === 'ipv6' ? 1 : 0;
    this.entryWords = UNIT_WORDS << this.#entryOrder;
    this.#orderShift = orderShift;
    this.#placeAt = placeAt;
    this.#torrents = memory.torrents;
    this.#peers = memory.peers;
    this.#extensions = memory.extensions;
    this.#words = memory.arena;
    this.#arena = arena;
  }

  count(torrent: number): number {
    let count = 0;
    for (let run = 0; run < this.#runs; run++) count += this.countOf(torrent, run);
    return count;
  }

  countOf(torrent: number, run: number): number {
    return this.#torrents[torrent * TORRENT_WORDS + this.#at + 1 + run]!;
  }

  /** Index of the entry's first word in the arena. */
  entryAt(torrent: number, place: number): number {
    const block = this.#torrents[torrent * TORRENT_WORDS + this.#at]!;
    return (block - 1) * UNIT_WORDS + place * this.entryWords;
  }

  runOf(torrent: number, place: number): number {
    let end = 0;
    for (let run = 0; run < this.#runs; run++) {
      end += this.countOf(torrent, run);
      if (place < end) return run;
    }
    return this.#runs;
  }

  /** Makes room for one more entry, or more; false when the arena has none. Entries keep their places. */
  makeRoom(torrent: number, more = 1): boolean {
    const base = torrent * TORRENT_WORDS;
    const block = this.#torrents[base + this.#at]!;
    const order = block === 0 ? -1 : this.#order(torrent);
    const count = block === 0 ? 0 : this.count(torrent);
    if (block !== 0 && count + more <= 1 << (order - this.#entryOrder)) return true;
    const needed = this.#entryOrder + (32 - Math.clz32(count + more - 1));
    const larger = this.#arena.take(needed);
    if (larger === 0) return false;
    if (block !== 0) {
      const from = (block - 1) * UNIT_WORDS;
      this.#words.copyWithin((larger - 1) * UNIT_WORDS, from, from + count * this.entryWords);
      this.#arena.give(block, order);
    }
    this.#torrents[base + this.#at] = larger;
    this.#setOrder(torrent, needed);
    return true;
  }

  /** Frees what a makeRoom() took when no entry came. */
  trim(torrent: number): void {
    const base = torrent * TORRENT_WORDS;
    const block = this.#torrents[base + this.#at]!;
    if (block === 0) return;
    const order = this.#order(torrent);
    const count = this.count(torrent);
    if (count === 0) {
      this.#arena.give(block, order);
      this.#torrents[base + this.#at] = 0;
      return;
    }
    // A quarter, not a half: a list at the edge would otherwise be copied back and forth.
    let smaller = order;
    while (smaller > this.#entryOrder && count <= (1 << (smaller - this.#entryOrder)) / 4) {
      smaller--;
    }
    if (smaller === order) return;
    this.#arena.shrink(block, order, smaller);
    this.#setOrder(torrent, smaller);
  }

  /**
   * Adds an entry for `peer` and tells the peer its place; room was made before. The caller writes
   * the words after the first, at the place that is returned.
   */
  insert(torrent: number, peer: number, run: number): number {
    let hole = this.count(torrent);
    assert(hole < 1 << (this.#order(torrent) - this.#entryOrder), 'room was made for the entry');
    let first = hole;
    for (let later = this.#runs - 1; later > run; later--) {
      const count = this.countOf(torrent, later);
      first -= count;
      if (count > 0) {
        this.#move(torrent, first, hole);
        hole = first;
      }
    }
    this.#torrents[torrent * TORRENT_WORDS + this.#at + 1 + run]! += 1;
    this.#words[this.entryAt(torrent, hole)] = peer;
    this.#setPlace(peer, hole);
    return hole;
  }

  /** Takes the entry out; the block stays as large as it is until trim(). */
  remove(torrent: number, place: number): void {
    const from = this.runOf(torrent, place);
    assert(from < this.#runs, 'a removed entry is in the list');
    let hole = place;
    let end = 0;
    for (let run = 0; run < this.#runs; run++) {
      const count = this.countOf(torrent, run);
      end += count;
      if (run < from || count === 0) continue;
      if (hole !== end - 1) this.#move(torrent, end - 1, hole);
      hole = end - 1;
    }
    this.#torrents[torrent * TORRENT_WORDS + this.#at + 1 + from]! -= 1;
  }

  /** Moves an entry to another run; returns its new place. */
  moveToRun(torrent: number, place: number, run: number): number {
    if (this.runOf(torrent, place) === run) return place;
    const words = this.#words;
    const from = this.entryAt(torrent, place);
    const peer = words[from]!;
    const a = words[from + 1]!;
    const b = words[from + 2]!;
    const isShort = this.entryWords === UNIT_WORDS;
    const c = isShort ? 0 : words[from + 3]!;
    const d = isShort ? 0 : words[from + 4]!;
    const e = isShort ? 0 : words[from + 5]!;
    this.remove(torrent, place);
    const moved = this.insert(torrent, peer, run);
    const to = this.entryAt(torrent, moved);
    words[to + 1] = a;
    words[to + 2] = b;
    if (isShort) return moved;
    words[to + 3] = c;
    words[to + 4] = d;
    words[to + 5] = e;
    return moved;
  }

  #move(torrent: number, fromPlace: number, toPlace: number): void {
    const words = this.#words;
    const from = this.entryAt(torrent, fromPlace);
    const to = this.entryAt(torrent, toPlace);
    for (let word = 0; word < this.entryWords; word++) words[to + word] = words[from + word]!;
    this.#setPlace(words[to]!, toPlace);
  }

  #setPlace(peer: number, place: number): void {
    if (this.#placeAt < 0) {
      this.#peers[peer * PEER_WORDS + PEER.place] = place;
    } else {
      const extension = this.#peers[peer * PEER_WORDS + PEER.extension]!;
      assert(extension !== 0, 'a peer of the other lists has an extension');
      this.#extensions[extension * EXTENSION_WORDS + this.#placeAt] = place;
    }
  }

  #order(torrent: number): number {
    return (this.#torrents[torrent * TORRENT_WORDS + TORRENT.shape]! >>> this.#orderShift) & 31;
  }

  #setOrder(torrent: number, order: number): void {
    const at = torrent * TORRENT_WORDS + TORRENT.shape;
    const kept = this.#torrents[at]! & ~(31 << this.#orderShift);
    this.#torrents[at] = kept | (order << this.#orderShift);
  }
}
