// The hashes of one segment: the SHA-256 of its bytes, which is the name of its blob, and its hash tree: the
// root, and on the way the layer of nodes that cover a piece each, which a torrent of that piece size wants.
// It is the archive's largest cost of processor time and runs in threads: by the addon, in one pass, where
// the processor has what that takes (hash/native-hasher.ts); else as it stands here (hash/hash-pool.ts).

import { hash } from 'node:crypto';
import { assert } from '#base/assert.ts';
import { BLOCK_BYTES, merkleRoot, raiseRoot, SHA256_BYTES, treeHeight } from '#wire/merkle.ts';

export interface SegmentTreeTask {
  /** Rows up to the root that is asked for; undefined: only as many as its own blocks need. */
  readonly height: number | undefined;
  /** Rows below which the nodes are wanted as `layer`; undefined: none are. At most `height`. */
  readonly layerHeight: number | undefined;
}

export interface SegmentTree {
  readonly root: Uint8Array;
  /** 32 bytes for each node of the layer that covers a byte of the segment. */
  readonly layer: Uint8Array | undefined;
}

export interface SegmentHashes extends SegmentTree {
  /** Of the bytes as they are. */
  readonly sha256: Uint8Array;
}

/** `bytes` has at least one byte. */
export function segmentHashes(bytes: Uint8Array, task: SegmentTreeTask): SegmentHashes {
  return { sha256: hash('sha256', bytes, 'buffer'), ...segmentTree(bytes, task) };
}

/** `bytes` has at least one byte. */
export function segmentTree(bytes: Uint8Array, task: SegmentTreeTask): SegmentTree {
  assert(bytes.length > 0, 'a segment has bytes');
  const leaves = new Uint8Array(Math.ceil(bytes.length / BLOCK_BYTES) * SHA256_BYTES);
  for (let at = 0, into = 0; at < bytes.length; at += BLOCK_BYTES, into += SHA256_BYTES) {
    leaves.set(hash('sha256', bytes.subarray(at, at + BLOCK_BYTES), 'buffer'), into);
  }
  return treeOf(leaves, task);
}

function treeOf(leaves: Uint8Array, task: SegmentTreeTask): SegmentTree {
  const own = treeHeight(leaves.length / SHA256_BYTES);
  const height = task.height ?? own;
  assert(height >= own, 'a segment fits its tree');
  const layerHeight = task.layerHeight;
  if (layerHeight === undefined) {
    return { root: raiseRoot(merkleRoot(leaves, 0), own, height), layer: undefined };
  }
  const layer = layerOf(leaves, layerHeight);
  const above = layerHeight + treeHeight(layer.length / SHA256_BYTES);
  return { root: raiseRoot(merkleRoot(layer, layerHeight), above, height), layer };
}

function layerOf(leaves: Uint8Array, height: number): Uint8Array {
  const stride = SHA256_BYTES << height;
  const layer = new Uint8Array(Math.ceil(leaves.length / stride) * SHA256_BYTES);
  for (let at = 0, into = 0; at < leaves.length; at += stride, into += SHA256_BYTES) {
    const below = leaves.subarray(at, at + stride);
    const own = treeHeight(below.length / SHA256_BYTES);
    layer.set(raiseRoot(merkleRoot(below, 0), own, height), into);
  }
  return layer;
}
