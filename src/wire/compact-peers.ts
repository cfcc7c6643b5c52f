// Compact peers (BEP 23, BEP 7): an address and a port in network order, 6 bytes for IPv4 and 18
// for IPv6. Answers copy them as they are; text is made only for people and dictionary answers.

import { assert } from '#base/assert.ts';

export const COMPACT_BYTES = { 4: 6, 6: 18 } as const;

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

/** The 4 or 16 bytes of an address in text (no zone, no brackets); undefined for anything else. */
export function addressBytes(text: string): Uint8Array | undefined {
  return text.includes(':') ? addressBytes6(text) : addressBytes4(text);
}

function addressBytes4(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  const bytes = new Uint8Array(4);
  for (const [index, part] of parts.entries()) {
    // A leading zero is octal to some programs and decimal to others, so it is neither here.
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined;
    bytes[index] = Number(part);
  }
  return bytes;
}

function addressBytes6(text: string): Uint8Array | undefined {
  let groups = text;
  const dotted = groups.lastIndexOf('.') < 0 ? -1 : groups.lastIndexOf(':');
  if (dotted >= 0) {
    const four = addressBytes4(groups.slice(dotted + 1));
    if (four === undefined) return undefined;
    const hex = Buffer.from(four).toString('hex');
    groups = `${groups.slice(0, dotted + 1)}${hex.slice(0, 4)}:${hex.slice(4)}`;
  }
  const halves = groups.split('::');
  if (halves.length > 2) return undefined;
  const head = splitGroups(halves[0] ?? '');
  const tail = halves.length === 2 ? splitGroups(halves[1] ?? '') : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const all = [...head, ...new Array<number>(missing).fill(0), ...tail];
  const bytes = new Uint8Array(16);
  for (const [index, group] of all.entries()) {
    bytes[index * 2] = group >> 8;
    bytes[index * 2 + 1] = group & 0xff;
  }
  return bytes;
}

function splitGroups(text: string): number[] | undefined {
  if (text === '') return [];
  const groups = text.split(':');
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return groups.map((group) => Number.parseInt(group, 16));
}
