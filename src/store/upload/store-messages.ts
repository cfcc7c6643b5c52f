// The messages of the store's protocol (docs/store-protocol.md), as text and pieces: the same for a
// WebSocket and for the UNIX socket. Pure, and without anything of Node, so that a browser can load it.
//
//   text     words with one space between them: COMMAND NUMBER WORDS…
//   binary   0  u32  number of the request, little endian
//            4       the next bytes of its blob, 1 to PIECE_BYTES_MAX
//
// A number is greater than every one that the connection had before, so what is late for a request
// that has ended is never taken for another's.

import { type BlobRef, blobRef } from '#base/ids.ts';

export const STORE_PROTOCOL = 'swarmkeep-store/1';
export const PIECE_BYTES_MAX = 262_144;
export const PIECE_HEADER_BYTES = 4;
/** Names in one GET, STAT or REMOVE. */
export const REFS_MAX = 1000;
/** 1000 names of 71 characters, with room. */
export const TEXT_BYTES_MAX = 80_000;
export const MESSAGE_BYTES_MAX: number = PIECE_BYTES_MAX + PIECE_HEADER_BYTES;
const NUMBER_MAX = 0xffff_ffff;
const TOKEN_CHARACTERS_MAX = 1000;

interface Named<Kind> {
  readonly kind: Kind;
  readonly number: number;
  readonly refs: BlobRef[];
}

interface Bare<Kind> {
  readonly kind: Kind;
  readonly number: number;
}

/** What a client may ask. */
export type StoreRequest =
  | {
      readonly kind: 'PUT';
      readonly number: number;
      /** The name that the bytes must have. */
      readonly ref: BlobRef | undefined;
      readonly bytes: number;
      readonly noRush: boolean;
      readonly pin: boolean;
    }
  | Named<'GET'>
  | Named<'STAT'>
  | (Named<'REMOVE'> & { readonly isForced: boolean })
  | {
      readonly kind: 'RANGE';
      readonly number: number;
      readonly ref: BlobRef;
      readonly start: number;
      readonly end: number;
    }
  | { readonly kind: 'STREAM'; readonly number: number; readonly after: string | undefined }
  | {
      readonly kind: 'LIST';
      readonly number: number;
      readonly after: BlobRef | undefined;
      readonly limit: number;
    }
  | Bare<'STATS'>
  | Bare<'FLUSH'>
  | Bare<'PING'>
  | { readonly kind: 'CANCEL'; readonly number: number; readonly other: number }
  | { readonly kind: 'TOOK'; readonly number: number; readonly bytes: number };

/** Undefined when it is no request: the connection ends then. */
export function parseRequest(text: string): StoreRequest | undefined {
  if (text.length > TEXT_BYTES_MAX) return undefined;
  const [kind, numberWord, ...words] = text.split(' ');
  const number = parseNumber(numberWord, NUMBER_MAX);
  if (number === undefined || number === 0) return undefined;
  switch (kind) {
    case 'PUT':
      return parsePut(number, words);
    case 'GET':
    case 'STAT':
      return parseNamed(kind, number, words);
    case 'REMOVE': {
      const isForced = words.at(-1) === 'force';
      const named = parseNamed('STAT', number, isForced ? words.slice(0, -1) : words);
      return named && { ...named, kind, isForced };
    }
    case 'RANGE':
      return parseRange(number, words);
    case 'STREAM': {
      const [after = ''] = words;
      if (words.length !== 1 || after === '' || after.length > TOKEN_CHARACTERS_MAX)
        return undefined;
      return { kind, number, after: after === '-' ? undefined : after };
    }
    case 'LIST':
      return parseList(number, words);
    case 'STATS':
    case 'FLUSH':
    case 'PING':
      return words.length === 0 ? { kind, number } : undefined;
    case 'CANCEL': {
      const other = parseNumber(words[0], NUMBER_MAX);
      return words.length === 1 && other !== undefined ? { kind, number, other } : undefined;
    }
    case 'TOOK': {
      const bytes = parseNumber(words[0]);
      return words.length === 1 && bytes !== undefined ? { kind, number, bytes } : undefined;
    }
    default:
      return undefined;
  }
}

function parsePut(number: number, words: readonly string[]): StoreRequest | undefined {
  const [name = '', size, ...flags] = words;
  const ref = blobRef(name);
  const bytes = parseNumber(size);
  if ((ref === undefined && name !== '-') || bytes === undefined) return undefined;
  if (flags.some((flag) => flag !== 'norush' && flag !== 'pin')) return undefined;
  const [noRush, pin] = [flags.includes('norush'), flags.includes('pin')];
  if (flags.length !== Number(noRush) + Number(pin)) return undefined;
  return { kind: 'PUT', number, ref, bytes, noRush, pin };
}

function parseNamed(
  kind: 'GET' | 'STAT',
  number: number,
  words: readonly string[],
): Named<'GET' | 'STAT'> | undefined {
  if (words.length < 1 || words.length > REFS_MAX) return undefined;
  const refs: BlobRef[] = [];
  for (const word of words) {
    const ref = blobRef(word);
    if (ref === undefined) return undefined;
    refs.push(ref);
  }
  return { kind, number, refs };
}

function parseRange(number: number, words: readonly string[]): StoreRequest | undefined {
  const ref = blobRef(words[0] ?? '');
  const [start, end] = [parseNumber(words[1]), parseNumber(words[2])];
  if (words.length !== 3 || ref === undefined || start === undefined || end === undefined) {
    return undefined;
  }
  return { kind: 'RANGE', number, ref, start, end };
}

function parseList(number: number, words: readonly string[]): StoreRequest | undefined {
  const [name = ''] = words;
  const after = blobRef(name);
  const limit = parseNumber(words[1], REFS_MAX);
  if (words.length !== 2 || (after === undefined && name !== '-') || !limit) return undefined;
  return { kind: 'LIST', number, after, limit };
}

/** What a server says; `rest` is what follows the number, as it stands. */
export interface StoreAnswer {
  readonly kind: 'HELLO' | 'OK' | 'JSON' | 'ERR' | 'BLOB' | 'LACKS';
  /** 0 with HELLO, and with an ERR that ends the connection. */
  readonly number: number;
  readonly rest: string;
}

const ANSWER =
  /^(HELLO|OK|JSON|ERR|BLOB|LACKS) (\d{1,10}|swarmkeep-store\/\d{1,5})(?: ([\s\S]*))?$/;

export function parseAnswer(text: string): StoreAnswer | undefined {
  const [, kind, word = '', rest = ''] = ANSWER.exec(text) ?? [];
  if (kind === undefined) return undefined;
  if (kind === 'HELLO') {
    return word === STORE_PROTOCOL ? { kind, number: 0, rest } : undefined;
  }
  const number = parseNumber(word, NUMBER_MAX);
  return number === undefined ? undefined : { kind: kind as StoreAnswer['kind'], number, rest };
}

/** What a server lets a connection do; told by HELLO. */
export interface StoreLimits {
  readonly blobBytesMax: number;
  readonly pieceBytesMax: number;
  readonly refsMax: number;
  readonly unansweredBytesMax: number;
  readonly requestsMax: number;
  readonly sendWindowBytes: number;
  readonly readsAtOnceMax: number;
  readonly idleMs: number;
}

const LIMITS = [
  'blobBytesMax',
  'pieceBytesMax',
  'refsMax',
  'unansweredBytesMax',
  'requestsMax',
  'sendWindowBytes',
  'readsAtOnceMax',
  'idleMs',
] as const;

export function parseLimits(text: string): StoreLimits | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const limits = value as Readonly<Record<string, unknown>>;
  const isGood = LIMITS.every((name) => {
    const limit = limits[name];
    return typeof limit === 'number' && Number.isSafeInteger(limit) && limit >= 1;
  });
  return isGood ? (value as StoreLimits) : undefined;
}

/** A message with a piece of a blob. */
export function pieceOf(number: number, bytes: Uint8Array): Uint8Array {
  const message = new Uint8Array(PIECE_HEADER_BYTES + bytes.byteLength);
  writePieceHeader(message, number);
  message.set(bytes, PIECE_HEADER_BYTES);
  return message;
}

export function writePieceHeader(message: Uint8Array, number: number): void {
  message[0] = number;
  message[1] = number >>> 8;
  message[2] = number >>> 16;
  message[3] = number >>> 24;
}

/** The number of a piece; 0, which is none, for what is too short or too long to be one. */
export function pieceNumber(message: Uint8Array): number {
  const length = message.byteLength;
  if (length <= PIECE_HEADER_BYTES || length > MESSAGE_BYTES_MAX) return 0;
  const [a = 0, b = 0, c = 0, d = 0] = message;
  return a + b * 0x100 + c * 0x1_0000 + d * 0x100_0000;
}

/** Digits without leading zeros, below 2^53. */
export function parseNumber(
  word: string | undefined,
  max: number = Number.MAX_SAFE_INTEGER,
): number | undefined {
  if (word === undefined || !/^(?:0|[1-9]\d{0,15})$/.test(word)) return undefined;
  const value = Number(word);
  return value <= max ? value : undefined;
}
