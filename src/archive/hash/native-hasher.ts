// Segments hashed by the addon (native/hash.c): name and tree in one pass, in threads of the engine's pool,
// from where the bytes lie. No more than a few at once, so that the pool has threads left for the disk.

import { getSystemErrorMap } from 'node:util';
import { SegmentRooms } from '#archive/content/segment-rooms.ts';
import type { SegmentHashes, SegmentTreeTask } from '#archive/content/segment-tree.ts';
import { fileChanged } from '#archive/errors.ts';
import { assert } from '#base/assert.ts';
import type { Addon } from '#net/addon.ts';
import { BLOCK_BYTES, SHA256_BYTES, treeHeight } from '#wire/merkle.ts';
import { READ_AT_ONCE_MAX, type SegmentHasher, type SegmentsToRead } from './segment-hasher.ts';

const NO_LAYER = -1;
const JUST_ROOT = -2;
/** What the addon tells when it read. */
const ALL_READ = 0;
const GOES_ON = 1;
const ENDS_BEFORE = 2;
/** What the addon wants of memory to read past the system's cache. */
const SPARE_BYTES = 4 * 1024 * 1024;

interface Work {
  readonly begin: (done: (status: number) => void) => number;
  readonly ended: PromiseWithResolvers<number>;
}

export class NativeHasher implements SegmentHasher {
  readonly rooms: SegmentRooms;
  readonly #addon: Addon;
  readonly #atOnceMax: number;
  readonly #waiting: Work[] = [];
  readonly #spares: Uint8Array[] = [];
  #underWay = 0;
  #isClosed = false;

  /** Of an addon that `canHash`. */
  constructor(addon: Addon, atOnceMax: number) {
    this.#addon = addon;
    this.#atOnceMax = atOnceMax;
    this.rooms = new SegmentRooms((bytes) => addon.pageOffset(bytes));
  }

  /** False: the processor has no instructions for SHA-256, or it cannot be tried. */
  static canHash(addon: Addon): boolean {
    return addon.hashSegment(new Uint8Array(1), roomForHashes(1), 0, NO_LAYER, () => {}) === 0;
  }

  async tree(bytes: Uint8Array, task: SegmentTreeTask): Promise<SegmentHashes> {
    const hashes = await this.#hash(bytes, task.height, task.layerHeight ?? NO_LAYER);
    return hashesIn(hashes, Math.ceil(bytes.length / BLOCK_BYTES), task);
  }

  async root(bytes: Uint8Array, height: number | undefined): Promise<Uint8Array> {
    const hashes = await this.#hash(bytes, height, JUST_ROOT);
    return hashes.subarray(SHA256_BYTES, 2 * SHA256_BYTES);
  }

  async read(wanted: SegmentsToRead, task: SegmentTreeTask): Promise<readonly SegmentHashes[]> {
    const { descriptor, position, isEnd, rooms } = wanted;
    assert(rooms.length <= READ_AT_ONCE_MAX, 'no more are read at once than the addon takes');
    const counts = rooms.map(({ length }) => Math.ceil(length / BLOCK_BYTES));
    const { height = treeHeight(Math.max(...counts)), layerHeight = NO_LAYER } = task;
    const sizes = rooms.map(({ length }) => roomBytes(length));
    const all = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0));
    const status = await this.#run((done) => {
      // As many as are read at once, made once; what is not used of them takes no memory.
      const spare = this.#spares.pop() ?? new Uint8Array(SPARE_BYTES);
      const ended = (read: number): void => {
        this.#spares.push(spare);
        done(read);
      };
      const how = [height, layerHeight, ended] as const;
      const begun = this.#addon.hashFile(descriptor, position, isEnd, rooms, spare, all, ...how);
      if (begun !== 0) this.#spares.push(spare);
      return begun;
    });
    if (status === GOES_ON) throw fileChanged('has grown');
    if (status === ENDS_BEFORE) throw fileChanged('has become shorter');
    if (status !== ALL_READ) throw readFailed(status);
    let at = 0;
    return counts.map((blocks, number) => {
      const start = at;
      at += sizes[number] ?? 0;
      return hashesIn(all.subarray(start, at), blocks, task);
    });
  }

  /** What waits is answered by an error; what the pool has is answered yet. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { ended } of this.#waiting.splice(0)) {
      ended.reject(new Error('The hasher was closed'));
    }
  }

  async #hash(
    bytes: Uint8Array,
    wanted: number | undefined,
    layerHeight: number,
  ): Promise<Uint8Array> {
    assert(bytes.length > 0, 'a segment has bytes');
    const own = treeHeight(Math.ceil(bytes.length / BLOCK_BYTES));
    const height = wanted ?? own;
    assert(height >= own, 'a segment fits its tree');
    const hashes = roomForHashes(bytes.length);
    const status = await this.#run((done) =>
      this.#addon.hashSegment(bytes, hashes, height, layerHeight, () => done(ALL_READ)),
    );
    assert(status === ALL_READ, 'what it hashed once it hashes again');
    return hashes;
  }

  #run(begin: Work['begin']): Promise<number> {
    assert(!this.#isClosed, 'nothing is hashed after the end');
    const ended = Promise.withResolvers<number>();
    this.#waiting.push({ begin, ended });
    this.#begin();
    return ended.promise;
  }

  #begin(): void {
    while (this.#underWay < this.#atOnceMax) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#underWay += 1;
      const done = (status: number): void => {
        this.#underWay -= 1;
        next.ended.resolve(status);
        this.#begin();
      };
      const result = next.begin(done);
      if (result !== 0) done(result);
    }
  }
}

function hashesIn(
  hashes: Uint8Array,
  blocks: number,
  { layerHeight }: SegmentTreeTask,
): SegmentHashes {
  const layerBytes =
    layerHeight === undefined ? 0 : Math.ceil(blocks / 2 ** layerHeight) * SHA256_BYTES;
  return {
    sha256: hashes.subarray(0, SHA256_BYTES),
    root: hashes.subarray(SHA256_BYTES, 2 * SHA256_BYTES),
    layer:
      layerHeight === undefined
        ? undefined
        : hashes.slice(2 * SHA256_BYTES, 2 * SHA256_BYTES + layerBytes),
  };
}

function readFailed(status: number): Error {
  const [code = 'EIO', words] = getSystemErrorMap().get(status) ?? [];
  return Object.assign(new Error(`${code}: ${words ?? 'a file cannot be read'}, read`), { code });
}

/** For its SHA-256, its root, and the hash of each block. */
function roomForHashes(bytes: number): Uint8Array {
  return new Uint8Array(roomBytes(bytes));
}

function roomBytes(bytes: number): number {
  return (2 + Math.ceil(bytes / BLOCK_BYTES)) * SHA256_BYTES;
}
