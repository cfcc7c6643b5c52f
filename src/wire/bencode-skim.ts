// The entries of a bencoded dictionary by where they stand, with nothing made of what is in them: for who
// passes most of a .torrent file on as it is. What is in an entry is only looked through for its end, and
// may be wrong; whoever wants to know that decodes it.

import { endOfSteps, type Steps } from '#base/steps.ts';

/** Values as they stand in the input, views into it. Keys are latin1. */
export type SkimmedDict = ReadonlyMap<string, Uint8Array>;

/** Of one dictionary that is skimmed. The largest of what programs write have some thirty. */
export const DICT_KEYS_MAX = 1000;
/** Passed over between two steps. */
const VALUES_A_STEP = 50_000;
const CHAR_0 = 0x30;
const CHAR_9 = 0x39;
const CHAR_COLON = 0x3a;
const CHAR_D = 0x64;
const CHAR_E = 0x65;
const CHAR_I = 0x69;
const CHAR_L = 0x6c;
const LENGTH_DIGITS_MAX = 9;
const NOWHERE = -1;

/**
 * Undefined unless all of `bytes` is one dictionary in which no key stands twice, of at most DICT_KEYS_MAX.
 * Never throws.
 */
export function skimDict(bytes: Uint8Array): SkimmedDict | undefined {
  return endOfSteps(skimInSteps(bytes));
}

/** The same by steps of a few milliseconds, for one with a million values in it. */
export function* skimInSteps(bytes: Uint8Array): Steps<SkimmedDict | undefined> {
  const skimmed = yield* skimOrWhy(bytes);
  return typeof skimmed === 'string' ? undefined : skimmed;
}

/** The same, with what is wrong. */
export function* skimOrWhy(bytes: Uint8Array): Steps<SkimmedDict | 'no-dict' | 'too-many-keys'> {
  if (bytes[0] !== CHAR_D) return 'no-dict';
  const passed = { values: 0 };
  const entries = new Map<string, Uint8Array>();
  let at = 1;
  while (bytes[at] !== CHAR_E) {
    const key = stringAt(bytes, at);
    const end = key === undefined ? NOWHERE : yield* valueEnd(bytes, key.end, passed);
    if (key === undefined || end === NOWHERE) return 'no-dict';
    if (entries.size === DICT_KEYS_MAX) return 'too-many-keys';
    const name = latin1(bytes, key.start, key.end);
    if (entries.has(name)) return 'no-dict';
    entries.set(name, bytes.subarray(key.end, end));
    at = end;
  }
  return at === bytes.length - 1 ? entries : 'no-dict';
}

/** Of a list, one after the other: as they stand, up to the first that is none. */
export function* skimList(bytes: Uint8Array): Generator<Uint8Array> {
  if (bytes[0] !== CHAR_L) return;
  for (let at = 1; bytes[at] !== CHAR_E; ) {
    const end = endOfSteps(valueEnd(bytes, at));
    if (end === NOWHERE) return;
    yield bytes.subarray(at, end);
    at = end;
  }
}

export interface SkimmedLeaf {
  /** Keys that lead to it. Latin1; the key of the leaf itself, which is empty, left out. */
  readonly path: readonly string[];
  readonly entries: SkimmedDict;
}

/**
 * Of a dictionary of dictionaries, as a `file tree` is (BEP 52): those that stand under an empty key, in
 * their order, up to the first that is none.
 */
export function* skimLeaves(bytes: Uint8Array): Generator<SkimmedLeaf> {
  const above: string[] = [];
  let at = bytes[0] === CHAR_D ? 1 : bytes.length;
  while (at < bytes.length) {
    if (bytes[at] === CHAR_E) {
      if (above.pop() === undefined) return;
      at += 1;
      continue;
    }
    const key = stringAt(bytes, at);
    if (key === undefined || bytes[key.end] !== CHAR_D) return;
    if (key.start < key.end) {
      above.push(latin1(bytes, key.start, key.end));
      at = key.end + 1;
      continue;
    }
    const end = endOfSteps(valueEnd(bytes, key.end));
    const entries = end === NOWHERE ? undefined : skimDict(bytes.subarray(key.end, end));
    if (entries === undefined) return;
    yield { path: [...above], entries };
    at = end;
  }
}

/** The bytes of a string that stands by itself; undefined when it is none. */
export function skimString(bytes: Uint8Array): Uint8Array | undefined {
  const string = stringAt(bytes, 0);
  return string?.end === bytes.length ? bytes.subarray(string.start) : undefined;
}

/** Behind the value that begins there. `passed` counts on over several of them. */
function* valueEnd(bytes: Uint8Array, start: number, passed = { values: 0 }): Steps<number> {
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
    passed.values += 1;
    if (passed.values % VALUES_A_STEP === 0) yield;
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
