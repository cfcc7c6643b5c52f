// Writes bencode (BEP 3; the format stands in bencode.ts), always in its canonical form: keys in byte order.

import { assert } from '#base/assert.ts';
import type { Steps } from '#base/steps.ts';

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
  const writer = new BencodeWriter();
  writer.value(value);
  return writer.bytes();
}

/** The same by steps, for what has many thousand entries. */
export function* encodeInSteps(value: BencodeInput): Steps<Uint8Array> {
  const writer = new BencodeWriter();
  yield* writer.valueInSteps(value);
  return writer.bytes();
}

const ENTRIES_A_STEP = 2000;
/** A dictionary of no more, with no other ones in it, is no step of its own. */
const SMALL_ENTRIES_MAX = 16;

/** Writes value behind value. Who begins a dictionary himself puts its keys in order, and ends it. */
export class BencodeWriter {
  #room = Buffer.allocUnsafe(1024);
  #length = 0;
  #entries = 0;

  bytes(): Uint8Array {
    return new Uint8Array(this.#room.subarray(0, this.#length));
  }

  /** The same, for who reads it at once and writes no more. */
  view(): Uint8Array {
    return this.#room.subarray(0, this.#length);
  }

  begin(kind: 'list' | 'dict'): void {
    this.#latin1(kind === 'list' ? 'l' : 'd');
  }

  /** Of a dictionary: the value of it is written next. Latin1. */
  key(key: string): void {
    this.#latin1(`${key.length}:${key}`);
  }

  end(): void {
    this.#latin1('e');
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
    this.key(key);
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
