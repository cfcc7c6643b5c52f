// The messages by which peers ask each other for hashes of a file's tree (BEP 52), without the length that
// stands before each message of a connection. Integers are big endian.
//
//   0   1  21 request, 22 hashes, 23 refusal
//   1   32 pieces root of the file
//   33  4  base layer: rows above the leaves
//   37  4  index of the first hash in that row, a multiple of length
//   41  4  length: hashes of that row, a power of two, at least 2
//   45  4  proof layers: rows above the base layer over which uncles prove those hashes
//   49     in 22: `length` hashes of 32 bytes, then the uncles, the lowest first. Rows that the asked
//          hashes give by themselves need none, so there are proof layers - log2(length) + 1 of them.

import { assert } from '#base/assert.ts';
import { SHA256_BYTES } from './merkle.ts';

const KIND = { request: 21, hashes: 22, refusal: 23 } as const;
const REQUEST_BYTES = 49;
/** As libtorrent bounds it; BEP 52 asks for 512 at most where it can be helped. */
const LENGTH_MAX = 8192;
/** Rows of the tree of the largest file that an integer can tell. */
const LAYERS_MAX = 40;

export interface HashRequest {
  /** 32 bytes. */
  readonly root: Uint8Array;
  readonly baseLayer: number;
  readonly index: number;
  readonly length: number;
  readonly proofLayers: number;
}

/** Undefined when it is no request that could ever be answered. The root is a view into the message. */
export function decodeHashRequest(message: Uint8Array): HashRequest | undefined {
  if (message.length !== REQUEST_BYTES || message[0] !== KIND.request) return undefined;
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const [baseLayer, index] = [view.getUint32(33), view.getUint32(37)];
  const [length, proofLayers] = [view.getUint32(41), view.getUint32(45)];
  if (length < 2 || length > LENGTH_MAX || !Number.isInteger(Math.log2(length))) return undefined;
  if (index % length !== 0 || baseLayer > LAYERS_MAX || proofLayers > LAYERS_MAX) return undefined;
  return { root: message.subarray(1, 33), baseLayer, index, length, proofLayers };
}

/** How many uncles an answer has. */
export function uncleCount({ length, proofLayers }: HashRequest): number {
  return Math.max(0, proofLayers - Math.log2(length) + 1);
}

/** `hashes`: those of the base layer and the uncles; undefined refuses. */
export function encodeHashAnswer(request: HashRequest, hashes: Uint8Array | undefined): Uint8Array {
  const count = request.length + uncleCount(request);
  assert(hashes === undefined || hashes.length === count * SHA256_BYTES, 'all that was asked for');
  const message = new Uint8Array(REQUEST_BYTES + (hashes?.length ?? 0));
  const view = new DataView(message.buffer);
  message[0] = hashes === undefined ? KIND.refusal : KIND.hashes;
  message.set(request.root, 1);
  view.setUint32(33, request.baseLayer);
  view.setUint32(37, request.index);
  view.setUint32(41, request.length);
  view.setUint32(45, request.proofLayers);
  if (hashes !== undefined) message.set(hashes, REQUEST_BYTES);
  return message;
}
