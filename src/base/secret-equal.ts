// Comparing secrets. Apart from bytes.ts, which a browser loads with the store's client.

import { timingSafeEqual } from 'node:crypto';

/** Takes as long for a near miss as for a far one. Lengths are not secret. */
export function secretEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && timingSafeEqual(a, b);
}
