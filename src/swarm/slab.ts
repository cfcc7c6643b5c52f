// Records of one size, numbered from 1: a free list, and beyond it records never used. Threads share
// it under the lock of the slabs, which is held for a few loads and stores.

import { assert } from '#base/assert.ts';
import { HEADER } from './layout.ts';
import { lock, unlock } from './lock.ts';

export interface SlabShape {
  /** Where its three header words stand: ever used, first free, in use. */
  readonly headerAt: number;
  readonly recordWords: number;
  /** The word of a free record that holds the next free one. */
  readonly nextAt: number;
  readonly recordsMax: number;
}

export class Slab {
  readonly #header: Int32Array;
  readonly #records: Uint32Array;
  readonly #shape: SlabShape;

  constructor(header: Int32Array, records: Uint32Array, shape: SlabShape) {
    this.#header = header;
    this.#records = records;
    this.#shape = shape;
  }

  /** 0 when all are in use. The record holds what its last user left in it. */
  take(): number {
    const header = this.#header;
    const { headerAt, recordWords, nextAt, recordsMax } = this.#shape;
    lock(header, HEADER.slabLock);
    let record = header[headerAt + 1]!;
    if (record !== 0) {
      header[headerAt + 1] = this.#records[record * recordWords + nextAt]!;
    } else if (header[headerAt]! < recordsMax) {
      record = header[headerAt]! + 1;
      header[headerAt] = record;
    }
    if (record !== 0) header[headerAt + 2] = header[headerAt + 2]! + 1;
    unlock(header, HEADER.slabLock);
    return record;
  }

  /** take() for each of the first `count` words of `into`; returns for how many there was one. */
  takeMany(into: Uint32Array, count: number): number {
    const header = this.#header;
    const { headerAt, recordWords, nextAt, recordsMax } = this.#shape;
    let taken = 0;
    lock(header, HEADER.slabLock);
    for (; taken < count; taken++) {
      const free = header[headerAt + 1]!;
      if (free !== 0) header[headerAt + 1] = this.#records[free * recordWords + nextAt]!;
      else if (header[headerAt]! < recordsMax) header[headerAt] = header[headerAt]! + 1;
      else break;
      into[taken] = free === 0 ? header[headerAt]! : free;
    }
    header[headerAt + 2] = header[headerAt + 2]! + taken;
    unlock(header, HEADER.slabLock);
    return taken;
  }

  give(record: number): void {
    const header = this.#header;
    const { headerAt, recordWords, nextAt } = this.#shape;
    lock(header, HEADER.slabLock);
    assert(record > 0 && record <= header[headerAt]!, 'a record given back was taken');
    this.#records[record * recordWords + nextAt] = header[headerAt + 1]!;
    header[headerAt + 1] = record;
    header[headerAt + 2] = header[headerAt + 2]! - 1;
    unlock(header, HEADER.slabLock);
  }

  /** The highest number ever taken. */
  get recordsUsed(): number {
    return Atomics.load(this.#header, this.#shape.headerAt);
  }

  get recordsTaken(): number {
    return Atomics.load(this.#header, this.#shape.headerAt + 2);
  }
}
