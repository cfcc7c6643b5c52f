// Where peers by TLS are apart from plain ones (open mode, docs/decisions/0008), each torrent is there
// twice: the second one under another hash and another id. The hash is the announced one and 160 secret
// bits, exclusive or, so that nobody can ask for the other's by naming it; the ids have a range of their
// own, so that what is told by id can leave them out.

import { createHash } from 'node:crypto';
import type { DirectorySettings } from '#tracker/directory/directory.ts';

const HASH_BYTES = 20;
/** Registered torrents are counted up from 1 and stay below both. */
const TLS_BIT = 0x4000_0000;
const UNREGISTERED_BIT = 0x8000_0000;

export class TlsTorrents {
  readonly #mask: Uint8Array;
  /** Filled by `hashOf`. */
  readonly #hash: Uint8Array = new Uint8Array(HASH_BYTES);

  /** `secret`: the same in every thread and, behind one address, on every node. */
  constructor(secret: Uint8Array) {
    const made = createHash('sha256').update('swarmkeep torrents by TLS\0').update(secret).digest();
    this.#mask = new Uint8Array(made).subarray(0, HASH_BYTES);
  }

  /** Under which a torrent stands for peers by TLS; valid until the next call. */
  hashOf(infoHash: Uint8Array): Uint8Array {
    for (let at = 0; at < HASH_BYTES; at++) this.#hash[at] = infoHash[at]! ^ this.#mask[at]!;
    return this.#hash;
  }

  /** Whether who came by TLS is apart. Whoever was named was admitted, and is with the others. */
  separates(isTls: boolean, isNamed: boolean, mode: DirectorySettings['mode']): boolean {
    return isTls && !isNamed && mode === 'open';
  }
}

/** Whether nobody registered the torrent with this id. */
export function isUnregistered(torrentId: number): boolean {
  return torrentId >= TLS_BIT;
}

/** Whether its peers came by TLS and are apart. */
export function isTlsTorrent(torrentId: number): boolean {
  return torrentId >= TLS_BIT && torrentId < UNREGISTERED_BIT;
}

/** Made from the hash, so that a baseline means the same torrent after a restart. */
export function unregisteredId(infoHash: Uint8Array): number {
  return (firstWord(infoHash) | UNREGISTERED_BIT) >>> 0;
}

/** `hash` is TlsTorrents' own. */
export function tlsTorrentId(hash: Uint8Array): number {
  return ((firstWord(hash) & ~UNREGISTERED_BIT) | TLS_BIT) >>> 0;
}

function firstWord(hash: Uint8Array): number {
  return (hash[0]! << 24) | (hash[1]! << 16) | (hash[2]! << 8) | hash[3]!;
}
