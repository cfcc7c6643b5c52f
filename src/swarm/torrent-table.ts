// Torrents by id and by info hash. Looking one up takes no lock: a chain is only ever changed under
// the lock of the torrent indexes, a reader that finds nothing, for it may have been led astray by a
// change, looks again under that lock, and whoever acts on a torrent takes its shard's lock and checks
// what it found.

import { assert } from '#base/assert.ts';
import { type AnnounceRequest, HASH_VERSION } from './announce-slot.ts';
import { HEADER, LOCK_WORDS, SHARD_MASK, TORRENT, TORRENT_FLAG, TORRENT_WORDS } from './layout.ts';
import { lock, unlock } from './lock.ts';
import type { SwarmMemory } from './memory.ts';
import { Slab } from './slab.ts';

/** Longer than any honest chain; past it a reader takes the lock. */
const STEPS_MAX = 64;
const HASH_WORDS = 5;

export interface TorrentHashes {
  /** 20 bytes. */
  readonly v1?: Uint8Array;
  /** The first 20 bytes of the v2 hash; more are not read. */
  readonly v2?: Uint8Array;
}

export class TorrentTable {
  /** What find() found: its id, and by which of its hashes (HASH_VERSION). */
  foundId = 0;
  foundVersion = 0;
  readonly #memory: SwarmMemory;
  readonly #words: Uint32Array;
  readonly #header: Int32Array;
  readonly #slab: Slab;
  readonly #wanted = new Uint32Array(HASH_WORDS);
  /** The shard this thread has locked. A freed record may be another thread's before we unlock. */
  #heldShard = -1;

  constructor(memory: SwarmMemory) {
    this.#memory = memory;
    this.#words = memory.torrents;
    this.#header = memory.header;
    this.#slab = new Slab(memory.header, memory.torrents, {
      headerAt: HEADER.torrentSlab,
      recordWords: TORRENT_WORDS,
      nextAt: TORRENT.nextById,
      recordsMax: memory.torrentsMax,
    });
  }

  get count(): number {
    return this.#slab.recordsTaken;
  }

  /** The highest record that ever held a torrent. */
  get recordsUsed(): number {
    return this.#slab.recordsUsed;
  }

  /** Locks the torrent's shard and returns the record, or 0 with no lock held. */
  lockById(id: number): number {
    for (;;) {
      const torrent = this.#findById(id);
      if (torrent === 0) return 0;
      const shard = this.shardOf(torrent);
      this.#lock(shard);
      if (this.idOf(torrent) === id && this.isAlive(torrent)) {
        if (this.shardOf(torrent) === shard) return torrent;
      }
      this.unlock();
      // Removed, or its record has become another torrent's, since it was found: look again.
      if (this.#findLocked(id) === 0) return 0;
    }
  }

  /** The same for the torrent of a request, whose place saves the way through the index. */
  lockFor(request: Pick<AnnounceRequest, 'torrentId' | 'place'>): number {
    const { place } = request;
    if (place !== 0) {
      const shard = this.shardOf(place);
      this.#lock(shard);
      if (this.idOf(place) === request.torrentId && this.isAlive(place)) {
        if (this.shardOf(place) === shard) return place;
      }
      this.unlock();
    }
    return this.lockById(request.torrentId);
  }

  /** Locks the shard of a record that a peer names; false (no lock) when the record changed hands. */
  lockRecord(torrent: number): boolean {
    const shard = this.shardOf(torrent);
    this.#lock(shard);
    if (this.shardOf(torrent) === shard) return true;
    this.unlock();
    return false;
  }

  /** Gives back the shard that this thread holds. */
  unlock(): void {
    const shard = this.#heldShard;
    assert(shard >= 0, 'a shard that is given back is held');
    this.#heldShard = -1;
    unlock(this.#memory.locks, shard * LOCK_WORDS);
  }

  idOf(torrent: number): number {
    return this.#words[torrent * TORRENT_WORDS + TORRENT.id]!;
  }

  shardOf(torrent: number): number {
    return this.#words[torrent * TORRENT_WORDS + TORRENT.shape]! & SHARD_MASK;
  }

  isAlive(torrent: number): boolean {
    return this.#hasFlag(torrent, TORRENT_FLAG.alive);
  }

  isHybrid(torrent: number): boolean {
    return this.#hasFlag(torrent, TORRENT_FLAG.hasV1) && this.#hasFlag(torrent, TORRENT_FLAG.hasV2);
  }

  isTransient(torrent: number): boolean {
    return this.#hasFlag(torrent, TORRENT_FLAG.transient);
  }

  /**
   * The record of the torrent with this hash (20 bytes), 0 when there is none; see `foundId`. `guess`
   * is a record that may be it, or 0.
   */
  find(infoHash: Uint8Array, guess = 0): number {
    this.#want(infoHash);
    if (guess !== 0 && this.isAlive(guess)) {
      if (this.#isWanted(guess * 2) || this.#isWanted(guess * 2 + 1)) return guess;
    }
    const bucket = this.#bucketOfHash();
    let link = Atomics.load(this.#memory.hashIndex, bucket);
    for (let step = 0; link !== 0 && step < STEPS_MAX; step++) {
      if (this.#isWanted(link)) return link >>> 1;
      link = this.#words[nextOfLink(link)]!;
    }
    lock(this.#header, HEADER.torrentLock);
    link = this.#memory.hashIndex[bucket]!;
    while (link !== 0 && !this.#isWanted(link)) link = this.#words[nextOfLink(link)]!;
    unlock(this.#header, HEADER.torrentLock);
    return link >>> 1;
  }

  /** False when torrentsMax is reached. True when the id is there already, which changes nothing. */
  add(id: number, hashes: TorrentHashes, isTransient: boolean): boolean {
    assert(hashes.v1 !== undefined || hashes.v2 !== undefined, 'a torrent has a hash');
    lock(this.#header, HEADER.torrentLock);
    const isThere = this.#search(id) !== 0;
    const torrent = isThere ? 0 : this.#slab.take();
    if (torrent !== 0) this.#fill(torrent, id, { hashes, isTransient });
    unlock(this.#header, HEADER.torrentLock);
    return isThere || torrent !== 0;
  }

  /**
   * Takes a torrent out of the indexes: nobody finds it from here on. The caller holds its shard's
   * lock and calls free() once no peer is left.
   */
  retire(torrent: number): void {
    lock(this.#header, HEADER.torrentLock);
    const at = torrent * TORRENT_WORDS;
    assert(this.isAlive(torrent), 'a torrent is retired once');
    const shape = this.#words[at + TORRENT.shape]!;
    this.#words[at + TORRENT.shape] = shape & ~TORRENT_FLAG.alive;
    this.#unlinkId(torrent);
    if ((shape & TORRENT_FLAG.hasV1) !== 0) this.#unlinkHash(torrent, 0);
    if ((shape & TORRENT_FLAG.hasV2) !== 0) this.#unlinkHash(torrent, 1);
    unlock(this.#header, HEADER.torrentLock);
  }

  /** Gives the record of a retired torrent back. The caller still holds the shard's lock. */
  free(torrent: number): void {
    this.#words[torrent * TORRENT_WORDS + TORRENT.id] = 0;
    this.#slab.give(torrent);
  }

  #lock(shard: number): void {
    assert(this.#heldShard === -1, 'a thread holds one shard at a time');
    lock(this.#memory.locks, shard * LOCK_WORDS);
    this.#heldShard = shard;
  }

  #hasFlag(torrent: number, flag: number): boolean {
    return (this.#words[torrent * TORRENT_WORDS + TORRENT.shape]! & flag) !== 0;
  }

  #findById(id: number): number {
    let torrent = Atomics.load(this.#memory.idIndex, this.#bucketOfId(id));
    for (let step = 0; torrent !== 0; step++) {
      const at = torrent * TORRENT_WORDS;
      if (Atomics.load(this.#words, at + TORRENT.id) === id) return torrent;
      if (step === STEPS_MAX) break;
      torrent = Atomics.load(this.#words, at + TORRENT.nextById);
    }
    return this.#findLocked(id);
  }

  #findLocked(id: number): number {
    lock(this.#header, HEADER.torrentLock);
    const torrent = this.#search(id);
    unlock(this.#header, HEADER.torrentLock);
    return torrent;
  }

  /** The caller holds the lock of the torrent indexes. */
  #search(id: number): number {
    let torrent = this.#memory.idIndex[this.#bucketOfId(id)]!;
    while (torrent !== 0 && this.idOf(torrent) !== id) {
      torrent = this.#words[torrent * TORRENT_WORDS + TORRENT.nextById]!;
    }
    return torrent;
  }

  #fill(
    torrent: number,
    id: number,
    as: { readonly hashes: TorrentHashes; readonly isTransient: boolean },
  ): void {
    const words = this.#words;
    const at = torrent * TORRENT_WORDS;
    const { v1, v2 } = as.hashes;
    words.fill(0, at, at + TORRENT_WORDS);
    let shape = TORRENT_FLAG.alive | (as.isTransient ? TORRENT_FLAG.transient : 0);
    if (v1 !== undefined) {
      shape |= TORRENT_FLAG.hasV1;
      for (let word = 0; word < HASH_WORDS; word++) {
        words[at + TORRENT.hashV1 + word] = readWord(v1, word * 4);
      }
      this.#linkHash(torrent, 0);
    }
    if (v2 !== undefined) {
      shape |= TORRENT_FLAG.hasV2;
      for (let word = 0; word < HASH_WORDS; word++) {
        words[at + TORRENT.hashV2 + word] = readWord(v2, word * 4);
      }
      this.#linkHash(torrent, 1);
    }
    // The shard follows from the first four bytes of a hash in network order, so that a socket
    // filter, which can read no more, sends an announce to the thread that owns the shard.
    const steering = v1 ?? v2;
    assert(steering !== undefined, 'a torrent has a hash');
    words[at + TORRENT.shape] = shape | (readWord(steering, 0) % this.#memory.shards);
    // Whoever reads this id sees the words above.
    Atomics.store(words, at + TORRENT.id, id);
    const bucket = this.#bucketOfId(id);
    words[at + TORRENT.nextById] = this.#memory.idIndex[bucket]!;
    // Published last: whoever reads the bucket sees the whole record.
    Atomics.store(this.#memory.idIndex, bucket, torrent);
  }

  #linkHash(torrent: number, version: 0 | 1): void {
    this.#wantOf(torrent, version);
    const bucket = this.#bucketOfHash();
    this.#words[nextByHash(torrent, version)] = this.#memory.hashIndex[bucket]!;
    this.#memory.hashIndex[bucket] = torrent * 2 + version;
  }

  #unlinkHash(torrent: number, version: 0 | 1): void {
    this.#wantOf(torrent, version);
    const bucket = this.#bucketOfHash();
    const link = torrent * 2 + version;
    const next = this.#words[nextByHash(torrent, version)]!;
    let from = this.#memory.hashIndex[bucket]!;
    if (from === link) {
      this.#memory.hashIndex[bucket] = next;
      return;
    }
    while (this.#words[nextOfLink(from)] !== link) from = this.#words[nextOfLink(from)]!;
    this.#words[nextOfLink(from)] = next;
  }

  #unlinkId(torrent: number): void {
    const bucket = this.#bucketOfId(this.idOf(torrent));
    const next = this.#words[torrent * TORRENT_WORDS + TORRENT.nextById]!;
    let from = this.#memory.idIndex[bucket]!;
    if (from === torrent) {
      Atomics.store(this.#memory.idIndex, bucket, next);
      return;
    }
    for (;;) {
      const at = from * TORRENT_WORDS + TORRENT.nextById;
      if (this.#words[at] === torrent) {
        Atomics.store(this.#words, at, next);
        return;
      }
      from = this.#words[at]!;
    }
  }

  /** Whether the link leads to the wanted hash; then `foundId` and `foundVersion` are its. */
  #isWanted(link: number): boolean {
    const torrent = link >>> 1;
    const words = this.#words;
    // The id is written after the hash and taken away first, so one that stays vouches for it.
    const id = words[torrent * TORRENT_WORDS + TORRENT.id]!;
    const at = torrent * TORRENT_WORDS + (link & 1 ? TORRENT.hashV2 : TORRENT.hashV1);
    for (let word = 0; word < HASH_WORDS; word++) {
      if (words[at + word] !== this.#wanted[word]) return false;
    }
    if (id === 0 || words[torrent * TORRENT_WORDS + TORRENT.id] !== id) return false;
    this.foundId = id;
    this.foundVersion = link & 1 ? HASH_VERSION.v2 : HASH_VERSION.v1;
    return true;
  }

  #want(infoHash: Uint8Array): void {
    for (let word = 0; word < HASH_WORDS; word++) {
      this.#wanted[word] = readWord(infoHash, word * 4);
    }
  }

  #wantOf(torrent: number, version: 0 | 1): void {
    const at = torrent * TORRENT_WORDS + (version === 0 ? TORRENT.hashV1 : TORRENT.hashV2);
    for (let word = 0; word < HASH_WORDS; word++) this.#wanted[word] = this.#words[at + word]!;
  }

  #bucketOfId(id: number): number {
    return mix(id, this.#memory.seed) & (this.#memory.idIndex.length - 1);
  }

  #bucketOfHash(): number {
    return mixHash(this.#wanted, 0, this.#memory.seed) & (this.#memory.hashIndex.length - 1);
  }
}

/** Of the info hash whose five words stand at `at`; its low bits name its bucket in the hash index. */
export function mixHash(words: Uint32Array, at: number, seed: number): number {
  let hash = seed;
  for (let word = 0; word < HASH_WORDS; word++) hash = mix(hash, words[at + word]!);
  return hash;
}

/** Two words into one, each bit of either moving about half of the result's. */
export function mix(a: number, b: number): number {
  let hash = Math.imul(a ^ 0x2c1b_3c6d, 0x297a_2d39) ^ Math.imul(b ^ (b >>> 15), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb_352d);
  hash = Math.imul(hash ^ (hash >>> 15), 0x846c_a68b);
  return hash ^ (hash >>> 16);
}

function nextByHash(torrent: number, version: 0 | 1): number {
  return torrent * TORRENT_WORDS + (version === 0 ? TORRENT.nextByV1 : TORRENT.nextByV2);
}

function nextOfLink(link: number): number {
  return nextByHash(link >>> 1, (link & 1) as 0 | 1);
}

function readWord(bytes: Uint8Array, at: number): number {
  const high = (bytes[at]! << 24) | (bytes[at + 1]! << 16);
  return (high | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
