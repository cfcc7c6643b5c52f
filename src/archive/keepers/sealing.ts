// Copies that their keeper cannot read: each blob encrypted with a key of that keeper's alone, always to the
// same bytes, so that the server can reckon what a proof must be without keeping the copy itself.
// AES-256-GCM; the nonce follows from key and plaintext, so one nonce never meets two plaintexts.
//
//   sealed = ciphertext, 16 bytes of tag
//   nonce  = the first 12 bytes of HMAC-SHA256(key, "nonce" and the blob's hash)
//
// Two keepers cannot share one sealed copy either: theirs differ.

import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import { fromHex } from '#base/bytes.ts';
import type { BlobRef } from '#base/ids.ts';

export const SEAL_KEY_BYTES = 32;
const TAG_BYTES = 16;
const NONCE_BYTES = 12;

/** Undefined is no key: the bytes as they are. */
export function seal(key: Uint8Array | null, ref: BlobRef, bytes: Uint8Array): Uint8Array {
  if (key === null) return bytes;
  const cipher = createCipheriv('aes-256-gcm', cipherKey(key), nonceOf(key, ref));
  return Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
}

/** Undefined when they are not the sealed bytes of that blob. */
export function unseal(
  key: Uint8Array | null,
  ref: BlobRef,
  bytes: Uint8Array,
): Uint8Array | undefined {
  if (key === null) return bytes;
  if (bytes.length < TAG_BYTES) return undefined;
  const end = bytes.length - TAG_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', cipherKey(key), nonceOf(key, ref));
  decipher.setAuthTag(bytes.subarray(end));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(0, end)), decipher.final()]);
  } catch {
    return undefined;
  }
}

function cipherKey(key: Uint8Array): Uint8Array {
  return createHmac('sha256', key).update('cipher').digest();
}

function nonceOf(key: Uint8Array, ref: BlobRef): Uint8Array {
  const hash = fromHex(ref.slice('sha256-'.length)) ?? new Uint8Array();
  return createHmac('sha256', key).update('nonce').update(hash).digest().subarray(0, NONCE_BYTES);
}
