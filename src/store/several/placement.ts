// Which of several stores a blob goes to. One interface for union and shard: a policy orders the stores
// for a name, the first is where it is put, and where it is looked for first.

import { fromHex } from '#base/bytes.ts';
import type { BlobRef } from '#base/ids.ts';

export interface PlacedMember {
  /** Stays the same when stores are added or removed: rendezvous hashing goes by it. */
  readonly name: string;
  /** Bytes that may still be put there; only the policy `free-space` asks. */
  readonly freeBytes?: () => Promise<number>;
}

export interface Placement {
  /** Indexes of all members, the best first. */
  order(ref: BlobRef, members: readonly PlacedMember[]): Promise<readonly number[]>;
  /** False when the same name may go elsewhere at another time: then nothing is ever moved. */
  readonly isFixed: boolean;
}

/** The hash modulo their number, the others after it. Nearly all blobs move when one is added. */
export const byHash: Placement = {
  isFixed: true,
  async order(ref, members) {
    const first = headOf(ref) % members.length;
    return members.map((_, at) => (first + at) % members.length);
  },
};

/** Highest weight of (name, hash) first: adding a store moves only what it takes over. */
export const byRendezvous: Placement = {
  isFixed: true,
  async order(ref, members) {
    const head = headOf(ref);
    const weights = members.map(({ name }) => weight(name, head));
    return members.map((_, at) => at).sort((a, b) => weights[b]! - weights[a]! || a - b);
  },
};

/** The one with the most free bytes first. */
export const byFreeSpace: Placement = {
  isFixed: false,
  async order(_ref, members) {
    const free = await Promise.all(members.map(({ freeBytes }) => freeBytes?.() ?? 0));
    return members.map((_, at) => at).sort((a, b) => free[b]! - free[a]! || a - b);
  },
};

/** In the order they are given: all go to the first, the others are read. */
export const inOrder: Placement = {
  isFixed: false,
  order: async (_ref, members) => members.map((_, at) => at),
};

/** The name is a hash already: its first 32 bits are uniform. */
function headOf(ref: BlobRef): number {
  const bytes = fromHex(ref.slice('sha256-'.length, 'sha256-'.length + 8)) as Uint8Array;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
}

/** FNV-1a over the name, then the finalizer of MurmurHash3 over both: uniform, and not for secrets. */
function weight(name: string, head: number): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < name.length; at++) {
    hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  }
  hash ^= head;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
