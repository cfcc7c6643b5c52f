// The entries of a bencoded dictionary by where they stand, with nothing made of what is in them: for who
// passes most of a .torrent file on as it is. What is in an entry is only looked through for its end, and
// may be wrong; whoever wants to know that decodes it.

/** Values as they stand in the input, views into it. Keys are latin1. */
export type SkimmedDict = ReadonlyMap<string, Uint8Array>;

const CHAR_0 = 0x30;
const CHAR_9 = 0x39;
const CHAR_COLON = 0x3a;
const CHAR_D = 0x64;
const CHAR_E = 0x65;
const CHAR_I = 0x69;
const CHAR_L = 0x6c;
const LENGTH_DIGITS_MAX = 9;
const NOWHERE = -1;

/** Undefined unless all of `bytes` is one dictionary in which no key stands twice. Never throws. */
export function skimDict(bytes: Uint8Array): SkimmedDict | undefined {
  if (bytes[0] !== CHAR_D) return undefined;
  const entries = new Map<string, Uint8Array>();
  let at = 1;
  while (bytes[at] !== CHAR_E) {
    const key = stringAt(bytes, at);
    const end = key === undefined ? NOWHERE : valueEnd(bytes, key.end);
    if (key === undefined || end === NOWHERE) return undefined;
    const name = latin1(bytes, key.start, key.end);
    if (entries.has(name)) return undefined;
    entries.set(name, bytes.subarray(key.end, end));
    at = end;
  }
  return at === bytes.length - 1 ? entries : undefined;
}

/** Behind the value that begins there. */
function valueEnd(bytes: Uint8Array, start: number): number {
  let at = start;
  let depth = 0;
  do {
    const first = bytes[at];
    if (first === CHAR_D || first === CHAR_L) {
      depth += 1;
      at += 1;
    } else if (first === CHAR_E && depth > 0) {
      depth -= 1;
      at += 1;
    } else if (first === CHAR_I) {
      const end = bytes.indexOf(CHAR_E, at);
      if (end < 0) return NOWHERE;
      at = end + 1;
    } else {
      const string = stringAt(bytes, at);
      if (string === undefined) return NOWHERE;
      at = string.end;
    }
  } while (depth > 0);
  return at;
}

function stringAt(
  bytes: Uint8Array,
  at: number,
): { readonly start: number; readonly end: number } | undefined {
  let length = 0;
  for (let digit = 0; digit <= LENGTH_DIGITS_MAX; digit++) {
    const byte = bytes[at + digit];
    if (byte === CHAR_COLON && digit > 0) {
      const start = at + digit + 1;
      return start + length <= bytes.length ? { start, end: start + length } : undefined;
    }
    if (byte === undefined || byte < CHAR_0 || byte > CHAR_9) return undefined;
    // A leading zero.
    if (digit === 1 && length === 0) return undefined;
    length = length * 10 + byte - CHAR_0;
  }
  return undefined;
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
}
