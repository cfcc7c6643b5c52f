// Answers what peers ask of a file's hash tree (BEP 52): who has a torrent by its info dictionary alone
// wants piece hashes, who got a wrong piece wants the hashes of its blocks. Hashes of pieces and segments
// are known; those below them are made from the bytes, which is bounded by request.

import {
  type FileMap,
  mapSegmentCount,
  segmentLayer,
  segmentRef,
} from '#archive/content/file-map.ts';
import { segmentHeight } from '#archive/content/segments.ts';
import type { SegmentHasher } from '#archive/hash/segment-hasher.ts';
import type { Store } from '#store/store.ts';
import { type HashRequest, uncleCount } from '#wire/hash-exchange.ts';
import { BLOCK_BYTES, merkleRoot, raiseRoot, SHA256_BYTES, treeHeight } from '#wire/merkle.ts';

/** Read and hashed for one request, at most: a piece of the largest usual size. */
const BYTES_READ_MAX = 32 * 1024 * 1024;
const ZERO_LEAF = new Uint8Array(SHA256_BYTES);

export interface HashedFile {
  readonly map: FileMap;
  readonly segments: Pick<Store, 'get'>;
  readonly hasher: SegmentHasher;
}

/** Hashes and uncles as an answer has them; undefined when there is no such part of the tree. */
export async function answerHashes(
  file: HashedFile,
  request: HashRequest,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const { baseLayer, index, length, proofLayers } = request;
  const height = treeHeight(Math.ceil(file.map.bytes / BLOCK_BYTES));
  const top = height - baseLayer;
  // The root itself is known to who asks, and is nobody's uncle.
  if (top < 1 || proofLayers >= top || index + length > 2 ** top) return undefined;
  if (baseLayer < knownHeight(file.map) && length * BLOCK_BYTES * 2 ** baseLayer > BYTES_READ_MAX) {
    return undefined;
  }
  const hashes = new Uint8Array((length + uncleCount(request)) * SHA256_BYTES);
  hashes.set(await row(file, { height: baseLayer, start: index, end: index + length }, signal));
  let into = length * SHA256_BYTES;
  const own = Math.log2(length);
  for (let above = own; above <= proofLayers; above++) {
    const uncle = Math.floor(index / 2 ** above) ^ 1;
    const part = { height: baseLayer + above, start: uncle, end: uncle + 1 };
    hashes.set(await row(file, part, signal), into);
    into += SHA256_BYTES;
  }
  return hashes;
}

interface RowPart {
  /** Rows above the leaves. */
  readonly height: number;
  readonly start: number;
  readonly end: number;
}

/** From this row up everything is known without a look at the bytes. */
function knownHeight(map: FileMap): number {
  if (mapSegmentCount(map) > 1) return segmentHeight(map.segmentBytes);
  return treeHeight(Math.ceil(map.bytes / BLOCK_BYTES));
}

/** Nodes of one row, 32 bytes each; those behind the end of the file too. */
async function row(file: HashedFile, part: RowPart, signal: AbortSignal): Promise<Uint8Array> {
  const { map } = file;
  const known = knownHeight(map);
  const { height, start, end } = part;
  if (height >= known) return rise(segmentLayer(map), known, part);
  // The nodes of that row that each of these segments covers, the last one perhaps fewer.
  const perSegment = 2 ** (known - height);
  const nodes = new Uint8Array((end - start) * SHA256_BYTES);
  for (let at = start; at < end; at++) nodes.set(zeros(height), (at - start) * SHA256_BYTES);
  const last = Math.min(Math.ceil(end / perSegment), mapSegmentCount(map));
  for (let number = Math.floor(start / perSegment); number < last; number++) {
    const bytes = await file.segments.get(segmentRef(map, number), { signal });
    const isAlone = mapSegmentCount(map) === 1;
    const task = { height: isAlone ? undefined : known, layerHeight: height };
    const { layer = new Uint8Array() } = await file.hasher.tree(bytes, task);
    const first = number * perSegment;
    const from = Math.max(start - first, 0) * SHA256_BYTES;
    const own = layer.subarray(from, Math.min((end - first) * SHA256_BYTES, layer.length));
    nodes.set(own, (Math.max(first, start) - start) * SHA256_BYTES);
  }
  return nodes;
}

/** The nodes of a row above one that is known whole. */
function rise(layer: Uint8Array, from: number, { height, start, end }: RowPart): Uint8Array {
  const stride = SHA256_BYTES * 2 ** (height - from);
  const nodes = new Uint8Array((end - start) * SHA256_BYTES);
  for (let at = start; at < end; at++) {
    const below = layer.subarray(at * stride, (at + 1) * stride);
    const own = from + treeHeight(Math.max(below.length / SHA256_BYTES, 1));
    const node =
      below.length === 0 ? zeros(height) : raiseRoot(merkleRoot(below, from), own, height);
    nodes.set(node, (at - start) * SHA256_BYTES);
  }
  return nodes;
}

/** The root of a tree of that height without a byte of the file. */
function zeros(height: number): Uint8Array {
  return raiseRoot(ZERO_LEAF, 0, height);
}
