// A set of numbers of torrents, of which it holds those of one block of 65,536: what the search index
// keeps for a word. Pure. As bytes it is
//
//   fewer than 8192 bytes   the numbers within the block, ascending, 2 bytes each, little-endian
//   8192 bytes              a bit for each number of the block, from the lowest bit of the first byte
//
// so that a word that half of a million torrents have takes 128 KiB, and two of them are put together in
// microseconds.

import { assert } from '#base/assert.ts';

/** Numbers of one block: `id` is the number `id % BLOCK_IDS` of block `id / BLOCK_IDS`. */
export const BLOCK_IDS = 65_536;
const BITMAP_BYTES = BLOCK_IDS / 8;
/** As many take as many bytes as a bit for each, and would be read as those. */
const LIST_MAX = BITMAP_BYTES / 2 - 1;
/** Fewer numbers are put in order sooner than 65,536 bits are looked through. */
const SORTED_MAX = 512;

export function blockOf(id: number): number {
  return Math.floor(id / BLOCK_IDS);
}

export class IdBlock {
  static readonly empty = new IdBlock(new Uint16Array(0), undefined, 0);

  readonly count: number;
  /** Ascending; or else bits. */
  readonly #list: Uint16Array | undefined;
  readonly #bits: Uint32Array | undefined;

  private constructor(list: Uint16Array | undefined, bits: Uint32Array | undefined, count: number) {
    this.#list = list;
    this.#bits = bits;
    this.count = count;
  }

  /** Of numbers below BLOCK_IDS in any order; repeats count once. */
  static of(numbers: readonly number[] | Uint16Array): IdBlock {
    if (numbers.length <= SORTED_MAX) {
      const sorted = Uint16Array.from(numbers).sort();
      return IdBlock.#ofList(sorted.filter((number, at) => at === 0 || number !== sorted[at - 1]));
    }
    const bits = new Uint32Array(BLOCK_IDS / 32);
    for (const number of numbers) setBit(bits, number);
    return IdBlock.#ofBits(bits);
  }

  /** @param bytes as `bytes` made them; what is longer or odd is our own fault. */
  static read(bytes: Uint8Array): IdBlock {
    assert(bytes.byteLength <= BITMAP_BYTES && bytes.byteLength % 2 === 0, 'a block has its size');
    // Copied, since views need an even place in memory; a Buffer's own slice() would not copy.
    const { buffer } = new Uint8Array(bytes);
    if (bytes.byteLength < BITMAP_BYTES) {
      const list = new Uint16Array(buffer);
      return new IdBlock(list, undefined, list.length);
    }
    const bits = new Uint32Array(buffer);
    return new IdBlock(undefined, bits, countBits(bits));
  }

  /** Of what it holds in memory. */
  get byteLength(): number {
    return (this.#list ?? this.#bits!).byteLength;
  }

  bytes(): Uint8Array {
    const { buffer } = this.#list ?? this.#toBits();
    return new Uint8Array(buffer);
  }

  has(number: number): boolean {
    if (this.#bits !== undefined) return hasBit(this.#bits, number);
    const list = this.#list!;
    let from = 0;
    let through = list.length - 1;
    while (from <= through) {
      const at = (from + through) >> 1;
      const value = list[at]!;
      if (value === number) return true;
      if (value < number) from = at + 1;
      else through = at - 1;
    }
    return false;
  }

  and(other: IdBlock): IdBlock {
    if (this.#bits !== undefined && other.#bits !== undefined) {
      const bits = this.#bits.slice();
      for (let at = 0; at < bits.length; at++) bits[at]! &= other.#bits[at]!;
      return IdBlock.#ofBits(bits);
    }
    const [fewer, more] = this.count <= other.count ? [this, other] : [other, this];
    const list = fewer.#list ?? more.#list!;
    const rest = list === fewer.#list ? more : fewer;
    return IdBlock.#ofList(list.filter((number) => rest.has(number)));
  }

  /** Those that one of the blocks has, or more of them do. */
  inAny(others: readonly IdBlock[]): IdBlock {
    const list = this.ascending().filter((number) => others.some((other) => other.has(number)));
    return list.length <= LIST_MAX ? IdBlock.#ofList(list) : IdBlock.of(list);
  }

  without(other: IdBlock): IdBlock {
    if (this.#list !== undefined)
      return IdBlock.#ofList(this.#list.filter((number) => !other.has(number)));
    const bits = this.#bits!.slice();
    const otherBits = other.#toBits();
    for (let at = 0; at < bits.length; at++) bits[at]! &= ~otherBits[at]!;
    return IdBlock.#ofBits(bits);
  }

  static union(blocks: readonly IdBlock[]): IdBlock {
    if (blocks.length < 2) return blocks[0] ?? IdBlock.empty;
    const lists = blocks.map((block) => block.#list).filter((list) => list !== undefined);
    const total = lists.reduce((sum, list) => sum + list.length, 0);
    if (lists.length === blocks.length && total <= SORTED_MAX) {
      return IdBlock.of(lists.flatMap((list) => [...list]));
    }
    const bits = blocks[0]!.#toBits();
    for (const block of blocks.slice(1)) {
      if (block.#list !== undefined) for (const number of block.#list) setBit(bits, number);
      else for (let at = 0; at < bits.length; at++) bits[at]! |= block.#bits![at]!;
    }
    return IdBlock.#ofBits(bits);
  }

  /** The greatest first. */
  descending(): Uint16Array {
    return this.ascending().slice().reverse();
  }

  /** At most `limit` of those behind `after`, the nearest to it first. */
  next(of: { readonly isDown: boolean; readonly after: number; readonly limit: number }): number[] {
    const { isDown, after, limit } = of;
    const found: number[] = [];
    const step = isDown ? -1 : 1;
    const list = this.#list;
    if (list !== undefined) {
      let at = isDown ? list.length - 1 : 0;
      while (at >= 0 && at < list.length && (isDown ? list[at]! >= after : list[at]! <= after)) {
        at += step;
      }
      for (; at >= 0 && at < list.length && found.length < limit; at += step) found.push(list[at]!);
      return found;
    }
    const bits = this.#bits!;
    const first = Math.min(
      Math.max(after + step, isDown ? -1 : 0),
      isDown ? BLOCK_IDS - 1 : BLOCK_IDS,
    );
    for (let number = first; number >= 0 && number < BLOCK_IDS && found.length < limit; ) {
      if (bits[number >>> 5] === 0) {
        // None of these 32: on to the last or the first of those beside them.
        number = isDown ? (number & ~31) - 1 : (number | 31) + 1;
        continue;
      }
      if (hasBit(bits, number)) found.push(number);
      number += step;
    }
    return found;
  }

  /** Not to be written to. */
  ascending(): Uint16Array {
    if (this.#list !== undefined) return this.#list;
    const bits = this.#bits!;
    const list = new Uint16Array(this.count);
    let filled = 0;
    for (let at = 0; at < bits.length; at++) {
      for (let word = bits[at]!; word !== 0; word &= word - 1) {
        list[filled++] = at * 32 + (31 - Math.clz32(word & -word));
      }
    }
    return list;
  }

  /** A copy. */
  #toBits(): Uint32Array {
    if (this.#bits !== undefined) return this.#bits.slice();
    const bits = new Uint32Array(BLOCK_IDS / 32);
    for (const number of this.#list!) setBit(bits, number);
    return bits;
  }

  static #ofList(list: Uint16Array): IdBlock {
    return new IdBlock(list, undefined, list.length);
  }

  /** Takes the bits over. */
  static #ofBits(bits: Uint32Array): IdBlock {
    const block = new IdBlock(undefined, bits, countBits(bits));
    return block.count > LIST_MAX ? block : IdBlock.#ofList(block.ascending());
  }
}

function setBit(bits: Uint32Array, number: number): void {
  bits[number >>> 5]! |= 1 << (number & 31);
}

function hasBit(bits: Uint32Array, number: number): boolean {
  return ((bits[number >>> 5]! >>> (number & 31)) & 1) === 1;
}

function countBits(bits: Uint32Array): number {
  let count = 0;
  for (let at = 0; at < bits.length; at++) {
    let word = bits[at]!;
    word -= (word >>> 1) & 0x5555_5555;
    word = (word & 0x3333_3333) + ((word >>> 2) & 0x3333_3333);
    count += Math.imul((word + (word >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
  }
  return count;
}
