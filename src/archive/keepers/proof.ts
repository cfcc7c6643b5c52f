// The proof that a keeper holds a blob: the hash of a random nonce and of a random range of it, which nobody
// can know who does not have those bytes at that moment.

import { createHash } from 'node:crypto';

export const NONCE_BYTES = 32;

/** 64 hex digits. */
export function proofOf(nonce: Uint8Array, range: Uint8Array): string {
  return createHash('sha256').update(nonce).update(range).digest('hex');
}
