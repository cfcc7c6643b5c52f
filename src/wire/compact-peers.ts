// Compact peers (BEP 23, BEP 7): an address and a port in network order, 6 bytes for IPv4 and 18
// for IPv6. Answers copy them as they are; text is made only for people and dictionary answers.

import { assert } from '#base/assert.ts';

/** `203.0.113.9` or `2001:db8:0:0:0:0:0:1`, from the 4 or 16 bytes at `at`. */
export function addressText(bytes: Uint8Array, at: number, family: 4 | 6): string {
  assert(at + (family === 4 ? 4 : 16) <= bytes.length, 'the address lies inside of its buffer');
  const parts: string[] = [];
  if (family === 4) {
    for (let index = 0; index < 4; index++) parts.push(String(bytes[at + index]));
    return parts.join('.');
  }
  for (let index = 0; index < 16; index += 2) {
    const group = ((bytes[at + index] ?? 0) << 8) | (bytes[at + index + 1] ?? 0);
    parts.push(group.toString(16));
  }
  return parts.join(':');
}
