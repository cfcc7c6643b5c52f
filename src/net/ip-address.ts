// IP addresses between text (what Node's sockets and config files say) and bytes in wire order (what
// slots, swarm and records hold). An IPv4-mapped IPv6 address is its IPv4 address everywhere.

import { isIPv4, isIPv6 } from 'node:net';

export type Family = 4 | 6;

/**
 * Writes the address into the first 4 or 16 bytes of `into` (which has 16) and returns its family;
 * 0 when `text` is no address. A zone (`fe80::1%eth0`) makes it none: 16 bytes have no room for it.
 */
export function parseIp(text: string, into: Uint8Array): Family | 0 {
  if (isIPv4(text)) {
    writeIpv4(text, into, 0);
    return 4;
  }
  if (text.includes('%') || !isIPv6(text)) return 0;
  writeIpv6(text, into);
  if (!isMapped(into)) return 6;
  into.copyWithin(0, 12, 16);
  into.fill(0, 4, 16);
  return 4;
}

/** The usual text of the address: dotted for family 4, RFC 5952's for family 6. */
export function formatIp(bytes: Uint8Array, family: Family): string {
  if (family === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
  const words: number[] = [];
  for (let at = 0; at < 16; at += 2) words.push((bytes[at]! << 8) | bytes[at + 1]!);
  const gap = longestZeros(words);
  const hex = words.map((word) => word.toString(16));
  if (gap.length < 2) return hex.join(':');
  const tail = hex.slice(gap.start + gap.length).join(':');
  return `${hex.slice(0, gap.start).join(':')}::${tail}`;
}

/** `[::1]:6969`, `127.0.0.1:6969`: for messages. */
export function formatEndpoint(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function writeIpv4(text: string, into: Uint8Array, at: number): void {
  let value = 0;
  let part = at;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x2e) {
      into[part++] = value;
      value = 0;
    } else value = value * 10 + (code - 0x30);
  }
  into[part] = value;
}

function writeIpv6(text: string, into: Uint8Array): void {
  into.fill(0, 0, 16);
  const [head = '', tail] = text.split('::');
  const headBytes = groupsOf(head);
  into.set(headBytes, 0);
  if (tail === undefined) return;
  const tailBytes = groupsOf(tail);
  into.set(tailBytes, 16 - tailBytes.length);
}

/** The bytes of `2001:db8:1.2.3.4`: groups of two, an IPv4 part of four. */
function groupsOf(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const word = Number.parseInt(group, 16);
    return [word >> 8, word & 0xff];
  });
}

function isMapped(bytes: Uint8Array): boolean {
  for (let at = 0; at < 10; at++) if (bytes[at] !== 0) return false;
  return bytes[10] === 0xff && bytes[11] === 0xff;
}

function longestZeros(words: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && words[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}
