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
  /**
   * Lists and dictionaries in at least so many others, of at most so many bytes, are held as one value: where
   * they stand. What is in them is checked as everything is, then let go, and decoded again by each look at
   * `items` or `entries`, so that look once. Unless given all is held.
   */
  readonly packed?: { readonly depthMin: number; readonly bytesMax: number };
}

export const BENCODE_LIMITS: BencodeLimits = {
  bytesMax: 64 * 1024 * 1024,
  depthMax: 100,
  itemsMax: 2_500_000,
};

/** Of a .torrent file. What its list of files and its file tree have of a file is held packed. */
export const TORRENT_LIMITS: BencodeLimits = {
  bytesMax: 256 * 1024 * 1024,
  depthMax: BENCODE_LIMITS.depthMax,
  itemsMax: 5_000_000,
  packed: { depthMin: 3, bytesMax: 1024 },
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
  position: number;
  /** All of it, when it was read. */
  node: BencodeNode | undefined;
  refusal: BencodeRefusal | undefined;
  refusedAt = 0;

  constructor(bytes: Uint8Array, limits: BencodeLimits, position = 0) {
    this.position = position;
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
        this.#place(this.#isPacked(open) ? this.#pack(open) : open.end(this.position));
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
      const at = { start, items: this.#items };
      this.#open.push(first === CHAR_L ? new OpenList(at) : new OpenDict(at));
      this.position += 1;
    } else if (first !== CHAR_I && !isDigit(first)) this.refuse('unexpected-byte', this.position);
    else {
      const node = first === CHAR_I ? this.#integer() : this.#string();
      if (node !== undefined) this.#place(node);
    }
  }

  #isPacked({ at }: OpenList | OpenDict): boolean {
    const { packed } = this.#limits;
    if (packed === undefined || this.#open.length < packed.depthMin) return false;
    return this.position - at.start <= packed.bytesMax;
  }

  #pack(open: OpenList | OpenDict): BencodeNode {
    const { start, items } = open.at;
    this.#items = items;
    const span = { start, end: this.position };
    return open instanceof OpenList
      ? new PackedList(this.#bytes, span)
      : new PackedDict(this.#bytes, span, open.sorted);
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

interface OpenAt {
  readonly start: number;
  /** How many values there were with it. */
  readonly items: number;
}

class OpenList {
  readonly at: OpenAt;
  readonly #items: BencodeNode[] = [];

  constructor(at: OpenAt) {
    this.at = at;
  }

  add(node: BencodeNode): void {
    this.#items.push(node);
  }

  end(end: number): BencodeList {
    return { kind: 'list', items: this.#items, start: this.at.start, end };
  }
}

class OpenDict {
  readonly at: OpenAt;
  readonly #entries = new Map<string, BencodeNode>();
  sorted = true;
  #key = '';

  constructor(at: OpenAt) {
    this.at = at;
  }

  /** False: that key stands in it already. */
  begin(key: string): boolean {
    if (this.#entries.has(key)) return false;
    if (this.#entries.size > 0 && key < this.#key) this.sorted = false;
    this.#key = key;
    return true;
  }

  add(node: BencodeNode): void {
    this.#entries.set(this.#key, node);
  }

  end(end: number): BencodeDict {
    const { at, sorted } = this;
    return { kind: 'dict', entries: this.#entries, sorted, start: at.start, end };
  }
}

class PackedList implements BencodeList {
  readonly kind = 'list';
  readonly start: number;
  readonly end: number;
  readonly #input: Uint8Array;

  constructor(input: Uint8Array, { start, end }: Span) {
    this.start = start;
    this.end = end;
    this.#input = input;
  }

  get items(): readonly BencodeNode[] {
    const node = readAgain(this.#input, this);
    assert(node.kind === 'list', 'what was a list is one');
    return node.items;
  }
}

class PackedDict implements BencodeDict {
  readonly kind = 'dict';
  readonly start: number;
  readonly end: number;
  readonly sorted: boolean;
  readonly #input: Uint8Array;

  constructor(input: Uint8Array, { start, end }: Span, sorted: boolean) {
    this.start = start;
    this.end = end;
    this.sorted = sorted;
    this.#input = input;
  }

  get entries(): ReadonlyMap<string, BencodeNode> {
    const node = readAgain(this.#input, this);
    assert(node.kind === 'dict', 'what was a dictionary is one');
    return node.entries;
  }
}

function readAgain(input: Uint8Array, { start, end }: Span): BencodeNode {
  const reader = new Reader(input, BENCODE_LIMITS, start);
  reader.read(Number.POSITIVE_INFINITY);
  assert(reader.node?.end === end, 'what was read once is read again');
  return reader.node;
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
