// Percent-encoding in request targets, read where it stands and without making anything.

const ID_BYTES = 20;
const AMPERSAND = 0x26;
const PERCENT = 0x25;
/** `decode`: the value has more bytes than there is room for. */
export const TOO_LONG = -1;
/** `decode`: a percent sign without two hexadecimal digits. */
export const BROKEN = -2;

/** Offset of the byte before `end`, or `end`. */
export function indexOf(bytes: Uint8Array, byte: number, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== byte) at += 1;
  return Math.min(at, end);
}

/** Whether `expected` stands at `at`, before `end`. */
export function isAt(bytes: Uint8Array, at: number, end: number, expected: Uint8Array): boolean {
  if (end - at < expected.length) return false;
  for (let index = 0; index < expected.length; index++) {
    if (bytes[at + index] !== expected[index]) return false;
  }
  return true;
}

/** Decodes a value of twenty bytes; returns where it ends, -1 when it is anything else. */
export function decodeId(bytes: Uint8Array, from: number, end: number, into: Uint8Array): number {
  let at = from;
  for (let size = 0; size < ID_BYTES; size++, at++) {
    if (at >= end) return -1;
    let byte = bytes[at] as number;
    if (byte === AMPERSAND) return -1;
    if (byte === PERCENT) {
      if (at + 2 >= end) return -1;
      const high = HEX_DIGITS[bytes[at + 1] as number] as number;
      const low = HEX_DIGITS[bytes[at + 2] as number] as number;
      if ((high | low) > 15) return -1;
      byte = (high << 4) | low;
      at += 2;
    }
    into[size] = byte;
  }
  return at === end || bytes[at] === AMPERSAND ? at : -1;
}

/** Decodes percent-encoding into the start of `into`; returns how many bytes, or why not. */
export function decode(bytes: Uint8Array, start: number, end: number, into: Uint8Array): number {
  let size = 0;
  for (let at = start; at < end; at++) {
    let byte = bytes[at] as number;
    if (byte === PERCENT) {
      const high = at + 2 < end ? hexDigit(bytes[at + 1] as number) : -1;
      const low = at + 2 < end ? hexDigit(bytes[at + 2] as number) : -1;
      if (high < 0 || low < 0) return BROKEN;
      byte = high * 16 + low;
      at += 2;
    }
    if (size >= into.length) return TOO_LONG;
    into[size] = byte;
    size += 1;
  }
  return size;
}

export function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** The value of each hexadecimal digit; more than 15 for what is none. */
const HEX_DIGITS: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => hexDigit(byte) & 0xff);

export function isText(bytes: Uint8Array, size: number, text: string): boolean {
  if (size !== text.length) return false;
  for (let at = 0; at < size; at++) if (bytes[at] !== text.charCodeAt(at)) return false;
  return true;
}
