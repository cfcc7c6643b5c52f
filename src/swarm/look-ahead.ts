// Looks at the memory that a batch of announces is about to need, before the first of them is handled.
// In a large swarm each of those looks leaves the processor's caches, and one announce must make them
// one after another, because each says where the next one is. Made for a whole batch at a time they
// do not wait for each other: the processor has dozens of them under way at once.
//
// Nothing is decided here: what is found is a hint that find() and begin() check under their locks.
//
// Nobody's peers are found by their address, which stands in the datagram. A member's are found by the
// member, whom the door remembers by the passkey.

import { PEER, PEER_WORDS, TORRENT, TORRENT_WORDS, UNIT_WORDS } from './layout.ts';
import { BUCKET_FIRST } from './lock.ts';
import type { SwarmMemory } from './memory.ts';
import { memberHash } from './peer-index.ts';
import { mix, mixHash } from './torrent-table.ts';

const HASH_WORDS = 5;

export class LookAhead {
  readonly #memory: SwarmMemory;
  readonly #hashes: Uint32Array;
  readonly #addresses: Uint32Array;
  readonly #places: Int32Array;
  readonly #peers: Int32Array;
  /** Of each announce of the batch: the member who may be meant, 0 for nobody. */
  readonly #members: Uint32Array;
  #count = 0;
  /** Keeps what was read from looking useless to a compiler. */
  touched = 0;

  /** For batches of up to `announcesMax`. */
  constructor(memory: SwarmMemory, announcesMax: number) {
    this.#memory = memory;
    this.#hashes = new Uint32Array(announcesMax * HASH_WORDS);
    this.#addresses = new Uint32Array(announcesMax * 2);
    this.#places = new Int32Array(announcesMax);
    this.#peers = new Int32Array(announcesMax);
    this.#members = new Uint32Array(announcesMax);
  }

  /**
   * The next announce of the batch: its info hash stands at `at`, the IPv4 address and port that it
   * may be known by follow as an entry of a peer list holds them.
   */
  add(bytes: Uint8Array, at: number, address: number, port: number): void {
    const index = this.#addHash(bytes, at);
    this.#addresses[index * 2] = address;
    this.#addresses[index * 2 + 1] = port;
    this.#members[index] = 0;
  }

  /** The same of one that this member may have sent. */
  addMember(bytes: Uint8Array, at: number, memberId: number): void {
    this.#members[this.#addHash(bytes, at)] = memberId;
  }

  #addHash(bytes: Uint8Array, at: number): number {
    const first = this.#count * HASH_WORDS;
    for (let word = 0; word < HASH_WORDS; word++) {
      const from = at + word * 4;
      this.#hashes[first + word] =
        (bytes[from]! << 24) |
        (bytes[from + 1]! << 16) |
        (bytes[from + 2]! << 8) |
        bytes[from + 3]!;
    }
    return this.#count++;
  }

  /** Where the torrent of the batch's announce number `index` may be, 0 for no idea. */
  placeOf(index: number): number {
    return this.#places[index]!;
  }

  /** Looks, then forgets the batch but for its places. */
  run(): void {
    this.#lookAtTorrents();
    this.#lookAtPeers();
    this.#count = 0;
  }

  #lookAtTorrents(): void {
    const { hashIndex, torrents, seed } = this.#memory;
    const places = this.#places;
    const count = this.#count;
    for (let index = 0; index < count; index++) {
      const hash = mixHash(this.#hashes, index * HASH_WORDS, seed);
      places[index] = hashIndex[hash & (hashIndex.length - 1)]! >>> 1;
    }
    let touched = 0;
    for (let index = 0; index < count; index++) {
      const at = places[index]! * TORRENT_WORDS;
      touched ^= torrents[at]! ^ torrents[at + TORRENT.primary]!;
    }
    this.touched ^= touched;
  }

  #lookAtPeers(): void {
    const { peerIndex, peers, torrents, arena, seed } = this.#memory;
    const places = this.#places;
    const found = this.#peers;
    const count = this.#count;
    for (let index = 0; index < count; index++) {
      const memberId = this.#members[index]!;
      let hash: number;
      if (memberId !== 0) hash = memberHash(places[index]!, memberId, seed);
      else {
        hash = mix(places[index]!, seed);
        hash = mix(hash, this.#addresses[index * 2]!);
        hash = mix(hash, this.#addresses[index * 2 + 1]!);
      }
      found[index] = peerIndex[hash & (peerIndex.length - 1)]! & BUCKET_FIRST;
    }
    let touched = 0;
    for (let index = 0; index < count; index++) {
      const at = found[index]! * PEER_WORDS;
      touched ^= peers[at]! ^ peers[at + PEER.place]!;
    }
    for (let index = 0; index < count; index++) {
      const block = torrents[places[index]! * TORRENT_WORDS + TORRENT.primary]!;
      const place = peers[found[index]! * PEER_WORDS + PEER.place]!;
      if (block !== 0) touched ^= arena[(block - 1 + place) * UNIT_WORDS]! | 0;
    }
    this.touched ^= touched;
  }
}
