// What forms carry to show that they come from a page of the site: 32 bytes made of the visitor's cookie,
// which nobody who cannot read the cookie can make and which do not tell it. Each page has them under a
// mask of its own, drawn at random and sent before them, so that no two pages have the same text and the
// length of a packed page says nothing of them (BREACH; docs/decisions/0025).
//
//   base64url( mask (32 bytes) | mask XOR HMAC-SHA-256(cookie, 'csrf') )

import { createHmac } from 'node:crypto';
import { utf8 } from '#base/bytes.ts';
import type { Random } from '#base/random.ts';
import { secretEqual } from '#base/secret-equal.ts';

const KEY_BYTES = 32;

/** Another text each time. */
export function newCsrfToken(cookieSecret: string, random: Random): string {
  const mask = random.bytes(KEY_BYTES);
  return Buffer.concat([mask, xor(mask, keyOf(cookieSecret))]).toString('base64url');
}

/** Whether it is one of this visitor's, of whichever page. */
export function isCsrfToken(sent: string, cookieSecret: string): boolean {
  const bytes = Buffer.from(sent, 'base64url');
  // Only one text says the same bytes: what follows the last whole one is not looked over.
  if (bytes.byteLength !== 2 * KEY_BYTES || bytes.toString('base64url') !== sent) return false;
  return secretEqual(
    xor(bytes.subarray(0, KEY_BYTES), bytes.subarray(KEY_BYTES)),
    keyOf(cookieSecret),
  );
}

function keyOf(cookieSecret: string): Uint8Array {
  return createHmac('sha256', utf8(cookieSecret)).update('csrf').digest();
}

function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((byte, at) => byte ^ (b[at] ?? 0));
}
