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
import { endOfSteps, type Steps } from '#base/steps.ts';

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
  /** Values of any kind, keys not counted. Bounds memory: a value costs 60 to 100 bytes. */
  readonly itemsMax: number;
}

export const BENCODE_LIMITS: BencodeLimits = {
  bytesMax: 64 * 1024 * 1024,
  depthMax: 100,
  itemsMax: 2_500_000,
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
  return endOfSteps(decodeInSteps(bytes, limits));
}

/** The same by steps of a few milliseconds, for who lets others have a turn between them. */
export function* decodeInSteps(
  bytes: Uint8Array,
  limits: BencodeLimits = BENCODE_LIMITS,
): Steps<BencodeResult> {
  const reader = new Reader(bytes, limits);
  if (bytes.length > limits.bytesMax) reader.refuse('too-large', 0);
  else while (reader.read(VALUES_A_STEP)) yield;
  const node = reader.node;
  if (node !== undefined && reader.position < bytes.length) {
    reader.refuse('bytes-after-end', reader.position);
  }
  if (node !== undefined && reader.refusal === undefined) return { ok: true, node };
  const refusal = reader.refusal ?? 'unexpected-byte';
  const reason = `${REFUSAL_WORDS[refusal]} (at byte ${reader.refusedAt})`;
  return { ok: false, refusal, position: reader.refusedAt, reason };
}

const VALUES_A_STEP = 5000;
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
  readonly #open: (OpenList | OpenDict)[] = [];
  #items = 0;
  position = 0;
  /** All of it, when it was read. */
  node: BencodeNode | undefined;
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

  /** Reads on, at most so many values and ends of them. False: there is no more to read. */
  read(valuesMax: number): boolean {
    for (let left = valuesMax; left > 0; left--) {
      const open = this.#open.at(-1);
      if (open !== undefined && this.#bytes[this.position] === CHAR_E) {
        this.#open.pop();
        this.position += 1;
        this.#place(open.end(this.position));
      } else {
        if (open instanceof OpenDict && !this.#readKey(open)) return false;
        this.#begin();
      }
      if (this.node !== undefined || this.refusal !== undefined) return false;
    }
    return true;
  }

  #begin(): void {
    this.#items += 1;
    const first = this.#bytes[this.position];
    const isOpening = first === CHAR_L || first === CHAR_D;
    if (this.#items > this.#limits.itemsMax) this.refuse('too-many-values', this.position);
    else if (first === undefined) this.refuse('ends-early', this.position);
    else if (isOpening && this.#open.length >= this.#limits.depthMax) {
      this.refuse('too-deep', this.position);
    } else if (isOpening) {
      const start = this.position;
      this.#open.push(first === CHAR_L ? new OpenList(start) : new OpenDict(start));
      this.position += 1;
    } else if (first !== CHAR_I && !isDigit(first)) this.refuse('unexpected-byte', this.position);
    else {
      const node = first === CHAR_I ? this.#integer() : this.#string();
      if (node !== undefined) this.#place(node);
    }
  }

  #place(node: BencodeNode): void {
    const open = this.#open.at(-1);
    if (open === undefined) this.node = node;
    else open.add(node);
  }

  /** False: it is refused. */
  #readKey(dict: OpenDict): boolean {
    const start = this.position;
    const first = this.#bytes[start];
    if (!isDigit(first)) {
      this.refuse(first === undefined ? 'ends-early' : 'unexpected-byte', start);
      return false;
    }
    const from = this.#stringStart();
    if (from === undefined) return false;
    const key = this.#latin1.toString('latin1', from, this.position);
    if (dict.begin(key)) return true;
    this.refuse('duplicate-key', start);
    return false;
  }

  #string(): BencodeBytes | undefined {
    const start = this.position;
    const from = this.#stringStart();
    if (from === undefined) return undefined;
    return new BytesNode(this.#bytes, { start, from, end: this.position });
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
}

class OpenList {
  readonly #start: number;
  readonly #items: BencodeNode[] = [];

  constructor(start: number) {
    this.#start = start;
  }

  add(node: BencodeNode): void {
    this.#items.push(node);
  }

  end(end: number): BencodeList {
    return { kind: 'list', items: this.#items, start: this.#start, end };
  }
}

class OpenDict {
  readonly #start: number;
  readonly #entries = new Map<string, BencodeNode>();
  #sorted = true;
  #key = '';

  constructor(start: number) {
    this.#start = start;
  }

  /** False: that key stands in it already. */
  begin(key: string): boolean {
    if (this.#entries.has(key)) return false;
    if (this.#entries.size > 0 && key < this.#key) this.#sorted = false;
    this.#key = key;
    return true;
  }

  add(node: BencodeNode): void {
    this.#entries.set(this.#key, node);
  }

  end(end: number): BencodeDict {
    const sorted = this.#sorted;
    return { kind: 'dict', entries: this.#entries, sorted, start: this.#start, end };
  }
}

/** The view is made when it is asked for: a million of them take more memory than what they show. */
class BytesNode implements BencodeBytes {
  readonly kind = 'bytes';
  readonly start: number;
  readonly end: number;
  readonly #input: Uint8Array;
  readonly #from: number;

  constructor(
    input: Uint8Array,
    at: { readonly start: number; readonly from: number; readonly end: number },
  ) {
    this.start = at.start;
    this.end = at.end;
    this.#from = at.from;
    this.#input = input;
  }

  get value(): Uint8Array {
    return this.#input.subarray(this.#from, this.end);
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
  const writer = new Writer();
  writer.value(value);
  return writer.bytes();
}

/** The same by steps, for what has many thousand entries. */
export function* encodeInSteps(value: BencodeInput): Steps<Uint8Array> {
  const writer = new Writer();
  yield* writer.valueInSteps(value);
  return writer.bytes();
}

const ENTRIES_A_STEP = 2000;
/** A dictionary of no more, with no other ones in it, is no step of its own. */
const SMALL_ENTRIES_MAX = 16;

class Writer {
  #room = Buffer.allocUnsafe(1024);
  #length = 0;
  #entries = 0;

  bytes(): Uint8Array {
    return new Uint8Array(this.#room.subarray(0, this.#length));
  }

  value(value: BencodeInput): void {
    if (typeof value === 'number' || typeof value === 'bigint') {
      const isWhole = typeof value === 'bigint' || Number.isSafeInteger(value);
      assert(isWhole, 'bencode holds integers only');
      // -0 would be written "0" by String and read back as 0, which is what is meant.
      this.#latin1(`i${value}e`);
    } else if (typeof value === 'string') {
      this.#string(Buffer.from(value, 'utf8'));
    } else if (value instanceof Uint8Array) {
      this.#string(value);
    } else if (value instanceof RawBencode) {
      this.#raw(value.bytes);
    } else if (isList(value)) {
      this.#latin1('l');
      for (const item of value) this.value(item);
      this.#latin1('e');
    } else {
      const entries = asMap(value);
      this.#latin1('d');
      for (const key of sortedKeys(entries)) this.value(this.#entry(entries, key));
      this.#latin1('e');
    }
  }

  *valueInSteps(value: BencodeInput): Steps<undefined> {
    const entries = value instanceof Map ? (value as Entries) : undefined;
    if (entries !== undefined && !isSmall(entries)) {
      this.#latin1('d');
      for (const key of sortedKeys(entries)) {
        yield* this.valueInSteps(this.#entry(entries, key));
        if (this.#isStep()) yield;
      }
      this.#latin1('e');
    } else if (Array.isArray(value)) {
      this.#latin1('l');
      for (const item of value) {
        this.value(item);
        if (this.#isStep()) yield;
      }
      this.#latin1('e');
    } else this.value(value);
    return undefined;
  }

  /** Writes the key, and gives what is to stand behind it. */
  #entry(entries: Entries, key: string): BencodeInput {
    this.#latin1(`${key.length}:${key}`);
    const value = entries.get(key);
    assert(value !== undefined, 'a key of the map has a value');
    return value;
  }

  #isStep(): boolean {
    this.#entries += 1;
    return this.#entries % ENTRIES_A_STEP === 0;
  }

  #string(bytes: Uint8Array): void {
    this.#latin1(`${bytes.length}:`);
    this.#raw(bytes);
  }

  #raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#room.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #latin1(text: string): void {
    this.#reserve(text.length);
    this.#length += this.#room.write(text, this.#length, 'latin1');
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#room.length) return;
    const room = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#room.length));
    room.set(this.#room.subarray(0, this.#length));
    this.#room = room;
  }
}

type Entries = ReadonlyMap<string, BencodeInput>;

function sortedKeys(entries: Entries): readonly string[] {
  const keys = [...entries.keys()];
  // Latin1 strings compare by code unit, which is byte order.
  return keys.length === 1 ? keys : keys.sort((a, b) => (a < b ? -1 : 1));
}

function isSmall(entries: Entries): boolean {
  if (entries.size > SMALL_ENTRIES_MAX) return false;
  for (const value of entries.values()) if (value instanceof Map) return false;
  return true;
}

function isList(value: BencodeInput): value is readonly BencodeInput[] {
  return Array.isArray(value);
}

function asMap(value: Entries | object): Entries {
  if (value instanceof Map) return value as Entries;
  const map = new Map<string, BencodeInput>();
  for (const [key, item] of Object.entries(value)) {
    if (item !== undefined) map.set(Buffer.from(key, 'utf8').toString('latin1'), item);
  }
  return map;
}
