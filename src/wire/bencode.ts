// Bencode (BEP 3): the encoding of .torrent files, of HTTP tracker answers and of peers' extension
// messages.
//
//   integer   i<digits>e       no leading zero, no "-0", at most 20 characters between i and e
//   bytes     <length>:<bytes> length without leading zero
//   list      l<values>e
//   dict      d<bytes><value>…e
//
// The decoder is strict where two programs could read two things into one text: a leading zero, a
// key that stands twice, bytes after the value are refused. It accepts keys out of order, because
// torrents with unsorted keys exist and their info hash is what it is; `sorted` remembers it. Each
// value knows its span in the input, since an info hash is the hash of the bytes as they stand.
// Keys are byte strings; they are kept as strings of one character per byte (latin1), so that the
// binary keys of BEP 52's `piece layers` and ASCII keys are looked up alike.

import { assert } from '#base/assert.ts';

export type BencodeNode = BencodeInteger | BencodeBytes | BencodeList | BencodeDict;

interface Span {
  /** Offset of the first byte in the input. */
  readonly start: number;
  /** Offset behind the last byte. */
  readonly end: number;
}

export interface BencodeInteger extends Span {
  readonly kind: 'integer';
  /** A bigint only outside of the safe integers. */
  readonly value: number | bigint;
}

export interface BencodeBytes extends Span {
  readonly kind: 'bytes';
  /** A view into the input, not a copy. */
  readonly value: Uint8Array;
}

export interface BencodeList extends Span {
  readonly kind: 'list';
  readonly items: readonly BencodeNode[];
}

export interface BencodeDict extends Span {
  readonly kind: 'dict';
  /** In the order of the input. Keys are latin1. */
  readonly entries: ReadonlyMap<string, BencodeNode>;
  /** Keys of this dictionary stood in ascending byte order, as the format asks for. */
  readonly sorted: boolean;
}

export interface BencodeLimits {
  readonly bytesMax: number;
  /** Nested lists and dictionaries. */
  readonly depthMax: number;
  /** Values of any kind, keys not counted. Bounds memory: a value costs about 100 bytes. */
  readonly itemsMax: number;
}

export const BENCODE_LIMITS: BencodeLimits = {
  bytesMax: 16 * 1024 * 1024,
  depthMax: 100,
  itemsMax: 1_000_000,
};

export type BencodeRefusal =
  | 'too-large'
  | 'too-deep'
  | 'too-many-values'
  | 'ends-early'
  | 'unexpected-byte'
  | 'bad-integer'
  | 'bad-length'
  | 'duplicate-key'
  | 'bytes-after-end';

const REFUSAL_WORDS: Readonly<Record<BencodeRefusal, string>> = {
  'too-large': 'the file is larger than is accepted',
  'too-deep': 'values are nested too deeply',
  'too-many-values': 'there are more values than are accepted',
  'ends-early': 'the file ends in the middle of a value',
  'unexpected-byte': 'a value was expected and another byte found',
  'bad-integer': 'an integer is not written as bencode asks for',
  'bad-length': 'a length is not written as bencode asks for',
  'duplicate-key': 'a key stands twice in one dictionary',
  'bytes-after-end': 'there are bytes after the end of the value',
};

export type BencodeResult =
  | { readonly ok: true; readonly node: BencodeNode }
  | {
      readonly ok: false;
      readonly refusal: BencodeRefusal;
      /** Offset in the input at which reading stopped. */
      readonly position: number;
      /** A clause in words: `a key stands twice in one dictionary (at byte 12)`. */
      readonly reason: string;
    };

/** Decodes one value that fills `bytes` exactly. Never throws; the result has views into `bytes`. */
export function decodeBencode(
  bytes: Uint8Array,
  limits: BencodeLimits = BENCODE_LIMITS,
): BencodeResult {
  const reader = new Reader(bytes, limits);
  const node = bytes.length > limits.bytesMax ? reader.refuse('too-large', 0) : reader.value(0);
  if (node !== undefined && reader.position < bytes.length) {
    reader.refuse('bytes-after-end', reader.position);
  }
  if (node !== undefined && reader.refusal === undefined) return { ok: true, node };
  const refusal = reader.refusal ?? 'unexpected-byte';
  const reason = `${REFUSAL_WORDS[refusal]} (at byte ${reader.refusedAt})`;
  return { ok: false, refusal, position: reader.refusedAt, reason };
}

const CHAR_0 = 0x30;
const CHAR_9 = 0x39;
const CHAR_COLON = 0x3a;
const CHAR_MINUS = 0x2d;
const CHAR_D = 0x64;
const CHAR_E = 0x65;
const CHAR_I = 0x69;
const CHAR_L = 0x6c;
const INTEGER_CHARS_MAX = 20;
const LENGTH_DIGITS_MAX = 9;

class Reader {
  readonly #bytes: Uint8Array;
  readonly #latin1: Buffer;
  readonly #limits: BencodeLimits;
  #items = 0;
  position = 0;
  refusal: BencodeRefusal | undefined;
  refusedAt = 0;

  constructor(bytes: Uint8Array, limits: BencodeLimits) {
    this.#bytes = bytes;
    this.#latin1 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#limits = limits;
  }

  refuse(refusal: BencodeRefusal, position: number): undefined {
    this.refusal ??= refusal;
    this.refusedAt = position;
    return undefined;
  }

  value(depth: number): BencodeNode | undefined {
    this.#items += 1;
    if (this.#items > this.#limits.itemsMax) return this.refuse('too-many-values', this.position);
    const first = this.#bytes[this.position];
    if (first === undefined) return this.refuse('ends-early', this.position);
    if (first === CHAR_I) return this.#integer();
    if (first === CHAR_L || first === CHAR_D) {
      if (depth >= this.#limits.depthMax) return this.refuse('too-deep', this.position);
      return first === CHAR_L ? this.#list(depth) : this.#dict(depth);
    }
    if (!isDigit(first)) return this.refuse('unexpected-byte', this.position);
    const start = this.position;
    const from = this.#stringStart();
    if (from === undefined) return undefined;
    return {
      kind: 'bytes',
      value: this.#bytes.subarray(from, this.position),
      start,
      end: this.position,
    };
  }

  #integer(): BencodeInteger | undefined {
    const start = this.position;
    let at = start + 1;
    const negative = this.#bytes[at] === CHAR_MINUS;
    if (negative) at += 1;
    const digitsStart = at;
    while (isDigit(this.#bytes[at]) && at - start <= INTEGER_CHARS_MAX) at += 1;
    const digits = at - digitsStart;
    if (at >= this.#bytes.length) return this.refuse('ends-early', at);
    const leadingZero = this.#bytes[digitsStart] === CHAR_0 && (digits > 1 || negative);
    if (digits === 0 || leadingZero || this.#bytes[at] !== CHAR_E) {
      return this.refuse('bad-integer', start);
    }
    const text = this.#latin1.toString('latin1', start + 1, at);
    const near = Number(text);
    this.position = at + 1;
    const value = Number.isSafeInteger(near) ? near : BigInt(text);
    return { kind: 'integer', value, start, end: this.position };
  }

  /** Reads `<length>:` and moves behind the bytes; returns where they start. */
  #stringStart(): number | undefined {
    const start = this.position;
    let at = start;
    let length = 0;
    for (; at - start < LENGTH_DIGITS_MAX; at++) {
      const byte = this.#bytes[at];
      if (byte === undefined) return this.refuse('ends-early', at);
      if (!isDigit(byte)) break;
      length = length * 10 + byte - CHAR_0;
    }
    const digits = at - start;
    const leadingZero = digits > 1 && this.#bytes[start] === CHAR_0;
    if (digits === 0 || leadingZero || this.#bytes[at] !== CHAR_COLON) {
      return this.refuse('bad-length', start);
    }
    const from = at + 1;
    if (length > this.#bytes.length - from) return this.refuse('ends-early', start);
    this.position = from + length;
    return from;
  }

  #list(depth: number): BencodeList | undefined {
    const start = this.position;
    const items: BencodeNode[] = [];
    this.position += 1;
    while (this.#bytes[this.position] !== CHAR_E) {
      const item = this.value(depth + 1);
      if (item === undefined) return undefined;
      items.push(item);
    }
    this.position += 1;
    return { kind: 'list', items, start, end: this.position };
  }

  #dict(depth: number): BencodeDict | undefined {
    const start = this.position;
    const entries = new Map<string, BencodeNode>();
    let sorted = true;
    let previous = '';
    this.position += 1;
    while (this.#bytes[this.position] !== CHAR_E) {
      const keyStart = this.position;
      const first = this.#bytes[keyStart];
      if (first === undefined) return this.refuse('ends-early', keyStart);
      if (!isDigit(first)) return this.refuse('unexpected-byte', keyStart);
      const from = this.#stringStart();
      if (from === undefined) return undefined;
      const key = this.#latin1.toString('latin1', from, this.position);
      if (entries.has(key)) return this.refuse('duplicate-key', keyStart);
      if (entries.size > 0 && key < previous) sorted = false;
      previous = key;
      const value = this.value(depth + 1);
      if (value === undefined) return undefined;
      entries.set(key, value);
    }
    this.position += 1;
    return { kind: 'dict', entries, sorted, start, end: this.position };
  }
}

function isDigit(byte: number | undefined): byte is number {
  return byte !== undefined && byte >= CHAR_0 && byte <= CHAR_9;
}

/** Bytes that are already bencode and are written as they stand. */
export class RawBencode {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/**
 * What can be encoded. Strings are written as UTF-8; keys of a Map are latin1 (one character per
 * byte) as the decoder gives them, keys of a plain object are UTF-8; undefined entries are left out.
 */
export type BencodeInput =
  | number
  | bigint
  | string
  | Uint8Array
  | RawBencode
  | readonly BencodeInput[]
  | ReadonlyMap<string, BencodeInput>
  | { readonly [key: string]: BencodeInput | undefined };

/** Canonical bencode: keys in byte order. Asserts that numbers are safe integers. */
export function encodeBencode(value: BencodeInput): Uint8Array {
  const parts: Uint8Array[] = [];
  encodeInto(parts, value);
  return new Uint8Array(Buffer.concat(parts));
}

function encodeInto(parts: Uint8Array[], value: BencodeInput): void {
  if (typeof value === 'number' || typeof value === 'bigint') {
    assert(typeof value === 'bigint' || Number.isSafeInteger(value), 'bencode holds integers only');
    // -0 would be written "0" by String and read back as 0, which is what is meant.
    parts.push(Buffer.from(`i${value}e`, 'latin1'));
  } else if (typeof value === 'string') {
    encodeBytes(parts, Buffer.from(value, 'utf8'));
  } else if (value instanceof Uint8Array) {
    encodeBytes(parts, value);
  } else if (value instanceof RawBencode) {
    parts.push(value.bytes);
  } else if (isList(value)) {
    parts.push(Buffer.from('l', 'latin1'));
    for (const item of value) encodeInto(parts, item);
    parts.push(Buffer.from('e', 'latin1'));
  } else {
    encodeDict(parts, value instanceof Map ? value : asMap(value));
  }
}

function encodeDict(parts: Uint8Array[], entries: ReadonlyMap<string, BencodeInput>): void {
  // Latin1 strings compare by code unit, which is byte order.
  const keys = [...entries.keys()].sort((a, b) => (a < b ? -1 : 1));
  parts.push(Buffer.from('d', 'latin1'));
  for (const key of keys) {
    encodeBytes(parts, Buffer.from(key, 'latin1'));
    const value = entries.get(key);
    assert(value !== undefined, 'a key of the map has a value');
    encodeInto(parts, value);
  }
  parts.push(Buffer.from('e', 'latin1'));
}

function encodeBytes(parts: Uint8Array[], bytes: Uint8Array): void {
  parts.push(Buffer.from(`${bytes.length}:`, 'latin1'), bytes);
}

function isList(value: BencodeInput): value is readonly BencodeInput[] {
  return Array.isArray(value);
}

function asMap(value: object): Map<string, BencodeInput> {
  const map = new Map<string, BencodeInput>();
  for (const [key, item] of Object.entries(value)) {
    if (item !== undefined) map.set(Buffer.from(key, 'utf8').toString('latin1'), item);
  }
  return map;
}
