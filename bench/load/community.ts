// The peers that a load generator plays: which torrent each of them shares, what each is called, and
// how many peers an honest tracker would answer with. Made alike in every thread from the same shape.

import { torrentsOfPeers } from './popularity.ts';

export const HASH_BYTES = 20;
const PORT_FIRST = 1024;
const PORTS = 60_000;

export interface CommunityShape {
  /** 20 bytes for each torrent, the most popular first; shared memory, so that threads need no copy. */
  readonly hashes: Uint8Array;
  readonly peers: number;
  /** Peers announce from so many addresses; a peer always from the same. */
  readonly sources: number;
  /** A peer says that it has everything with this chance, drawn anew for each announce. */
  readonly seederChance: number;
  readonly wanted: number;
  /** Every torrent is as popular as any other; else aquatic's curve, made for millions of peers. */
  readonly isEven?: boolean;
}

export class Community {
  readonly shape: CommunityShape;
  readonly torrents: number;
  /** The torrent of each peer. */
  readonly torrentOf: Uint32Array;
  /** Peers of each torrent, counted when they are asked for. */
  #sizes: Uint32Array | undefined;

  constructor(shape: CommunityShape) {
    this.shape = shape;
    this.torrents = shape.hashes.length / HASH_BYTES;
    this.torrentOf =
      shape.isEven === true
        ? Uint32Array.from({ length: shape.peers }, (_, peer) => evenTorrent(peer, this.torrents))
        : torrentsOfPeers(this.torrents, shape.peers);
  }

  portOf(peer: number): number {
    return PORT_FIRST + (Math.floor(peer / this.shape.sources) % PORTS);
  }

  /**
   * Peers per answer, on average over everybody, when seeders are given leechers only. A tracker
   * that gives seeders other seeders too is above it; one that answers fewer leaves people out.
   */
  peersExpected(wanted = this.shape.wanted, seederChance = this.shape.seederChance): number {
    const { peers } = this.shape;
    if (this.#sizes === undefined) {
      this.#sizes = new Uint32Array(this.torrents);
      for (const torrent of this.torrentOf) this.#sizes[torrent]! += 1;
    }
    let sum = 0;
    for (const size of this.#sizes) {
      if (size === 0) continue;
      const others = size - 1;
      const toLeecher = Math.min(wanted, others);
      const toSeeder = Math.min(wanted, others * (1 - seederChance));
      sum += size * (seederChance * toSeeder + (1 - seederChance) * toLeecher);
    }
    return sum / peers;
  }
}

/** Goes through the torrents at a stride, so that peers of one source are in all of them. */
function evenTorrent(peer: number, torrents: number): number {
  return (peer + Math.floor(peer / torrents)) % torrents;
}

/** Info hashes that differ in their first word, by which trackers spread them over shards. */
export function madeHashes(torrents: number): Uint8Array {
  const bytes = new Uint8Array(new SharedArrayBuffer(torrents * HASH_BYTES));
  const words = new Uint32Array(bytes.buffer);
  for (let torrent = 0; torrent < torrents; torrent++) {
    const at = torrent * 5;
    words[at] = Math.imul(torrent + 1, 0x9e37_79b1);
    words[at + 1] = torrent + 1;
    words[at + 2] = 0x6b73_7761;
    words[at + 3] = Math.imul(torrent + 1, 0x85eb_ca6b);
    words[at + 4] = 0x7065_656b;
  }
  return bytes;
}

/** Hashes as 40 hex digits each, into the same form. */
export function givenHashes(hashes: readonly string[]): Uint8Array {
  const bytes = new Uint8Array(new SharedArrayBuffer(hashes.length * HASH_BYTES));
  hashes.forEach((hash, at) => {
    bytes.set(Buffer.from(hash, 'hex'), at * HASH_BYTES);
  });
  return bytes;
}

/** 20 bytes, a Transmission's, that differ for each peer. */
export function peerIdText(peer: number): string {
  return `-TR4060-${String(peer).padStart(12, '0')}`;
}

/** Like a real one in every part, also in the first digits, by which the door tells members apart. */
export function madePasskey(member: number): string {
  const digits = (Math.imul(member + 1, 0x9e37_79b1) >>> 0).toString(16).padStart(8, '0');
  return digits.repeat(4);
}
