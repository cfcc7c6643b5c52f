// The hash trees of BEP 52. A file is cut into blocks of 16 KiB; a leaf is the SHA-256 of a block,
// a parent the SHA-256 of its two children. The tree is filled up with leaves of 32 zero bytes to
// a power of two. The layer whose nodes cover one piece each is the file's *piece layer*; the top is
// its `pieces root`. A file no larger than a piece has no layer: its root is the top of its own
// blocks, filled up to the next power of two only.

import { createHash, hash } from 'node:crypto';
import { assert } from '#base/assert.ts';

export const BLOCK_BYTES = 16 * 1024;
export const SHA256_BYTES = 32;

const padRoots: Uint8Array[] = [new Uint8Array(SHA256_BYTES)];

/** Root of a tree of zero leaves of that height; height 0 is one leaf. */
function padRoot(height: number): Uint8Array {
  for (let at = padRoots.length; at <= height; at++) {
    const below = padRoots[at - 1];
    assert(below !== undefined, 'the row below was made before');
    padRoots.push(hashPair(below, below));
  }
  const root = padRoots[height];
  assert(root !== undefined, 'the row was made');
  return root;
}

/** Log2 of how many blocks a piece has. `pieceLength` is a power of two, at least a block. */
export function pieceHeight(pieceLength: number): number {
  return Math.log2(pieceLength / BLOCK_BYTES);
}

/**
 * Root over `hashes` (32 bytes each, at least one), whose nodes stand `height` rows above the
 * leaves; what is missing to a power of two is filled with trees of zero leaves.
 */
export function merkleRoot(hashes: Uint8Array, height: number): Uint8Array {
  assert(hashes.length > 0 && hashes.length % SHA256_BYTES === 0, 'hashes are 32 bytes each');
  let row = hashes;
  for (let level = height; row.length > SHA256_BYTES; level++) {
    const above = new Uint8Array(Math.ceil(row.length / (2 * SHA256_BYTES)) * SHA256_BYTES);
    for (let at = 0; at < row.length; at += 2 * SHA256_BYTES) {
      const pair = row.subarray(at, at + 2 * SHA256_BYTES);
      const isWhole = pair.length === 2 * SHA256_BYTES;
      above.set(isWhole ? hash('sha256', pair, 'buffer') : hashPair(pair, padRoot(level)), at / 2);
    }
    row = above;
  }
  return row;
}

/** The same tree standing in one of `to` rows whose other leaves are zero. Heights above the leaves. */
export function raiseRoot(root: Uint8Array, from: number, to: number): Uint8Array {
  let raised = root;
  for (let level = from; level < to; level++) raised = hashPair(raised, padRoot(level));
  return raised;
}

/** Rows between the leaves and the top of a tree of so many leaves, at least one. */
export function treeHeight(leaves: number): number {
  return Math.ceil(Math.log2(leaves));
}

function hashPair(left: Uint8Array, right: Uint8Array): Uint8Array {
  return createHash('sha256').update(left).update(right).digest();
}

/** Hashes one file as it streams by. */
export class MerkleHasher {
  readonly #pieceLength: number;
  readonly #leaves: Uint8Array[] = [];
  readonly #layer: Uint8Array[] = [];
  #block = createHash('sha256');
  #blockBytes = 0;
  #sizeBytes = 0;

  /** `pieceLength`: a power of two, at least 16 KiB. */
  constructor(pieceLength: number) {
    assert(Number.isInteger(pieceHeight(pieceLength)), 'a v2 piece is a power of two of blocks');
    this.#pieceLength = pieceLength;
  }

  update(bytes: Uint8Array): void {
    this.#sizeBytes += bytes.length;
    for (let at = 0; at < bytes.length; ) {
      const take = Math.min(BLOCK_BYTES - this.#blockBytes, bytes.length - at);
      this.#block.update(bytes.subarray(at, at + take));
      this.#blockBytes += take;
      at += take;
      if (this.#blockBytes === BLOCK_BYTES) this.#endBlock();
    }
  }

  /** Once, at the end. `root` is absent for an empty file, `layer` for one of a piece or less. */
  finish(): { readonly root?: Uint8Array; readonly layer?: Uint8Array } {
    if (this.#blockBytes > 0) this.#endBlock();
    if (this.#sizeBytes === 0) return {};
    if (this.#sizeBytes <= this.#pieceLength) {
      const root = this.#layer[0] ?? merkleRoot(Buffer.concat(this.#leaves), 0);
      return { root };
    }
    if (this.#leaves.length > 0) this.#endPiece();
    const layer = new Uint8Array(Buffer.concat(this.#layer));
    return { root: merkleRoot(layer, pieceHeight(this.#pieceLength)), layer };
  }

  #endBlock(): void {
    this.#leaves.push(this.#block.digest());
    this.#block = createHash('sha256');
    this.#blockBytes = 0;
    if (this.#leaves.length * BLOCK_BYTES === this.#pieceLength) this.#endPiece();
  }

  #endPiece(): void {
    const blocks = this.#pieceLength / BLOCK_BYTES;
    // A piece that the file ends in is filled up with zero leaves to a whole piece.
    while (this.#leaves.length < blocks) this.#leaves.push(padRoot(0));
    this.#layer.push(merkleRoot(Buffer.concat(this.#leaves), 0));
    this.#leaves.length = 0;
  }
}
