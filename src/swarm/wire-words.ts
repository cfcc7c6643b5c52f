// Addresses and peer ids as 32-bit words whose lowest byte comes first on the wire. Peer lists and
// records hold them so; comparing is five words, and an answer is written byte by byte from them.

import { type AnnounceRequest, DOOR } from './announce-slot.ts';

export const PEER_ID_WORDS = 5;

/** `bytes` is 20 long. */
export function readPeerId(bytes: Uint8Array, into: Uint32Array): void {
  for (let word = 0; word < PEER_ID_WORDS; word++) into[word] = wordAt(bytes, word * 4);
}

/**
 * What a request is reached by, as a peer list's entry holds it: address and port in two words for
 * family 4 and five for 6; connection and worker in two for a WebSocket peer.
 */
export function readAddress(request: AnnounceRequest, into: Uint32Array): void {
  const { address, port } = request;
  if (request.door === DOOR.websocket) {
    into[0] = request.connection;
    into[1] = request.worker & 0xffff;
    return;
  }
  const words = request.family === 4 ? 1 : 4;
  for (let word = 0; word < words; word++) into[word] = wordAt(address, word * 4);
  into[words] = ((port >>> 8) & 0xff) | ((port & 0xff) << 8);
}

/** Writes `count` bytes of `words` from word `from` on. */
export function writeBytes(
  words: Uint32Array,
  from: number,
  into: Uint8Array,
  span: { readonly at: number; readonly count: number },
): void {
  for (let byte = 0; byte < span.count; byte++) {
    into[span.at + byte] = words[from + (byte >>> 2)]! >>> ((byte & 3) * 8);
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
