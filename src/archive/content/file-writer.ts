// Takes the bytes of one file into the store: cuts them into segments, hashes each in a thread while the
// store writes it, and at the end stores the map. A few segments are under way at once; who writes waits
// for room, so that memory is bounded by that few, whatever the file's size. What was stored of a file
// that is not finished refers to nothing and is garbage.

import { ArchiveError, fileChanged } from '#archive/errors.ts';
import { READ_AT_ONCE_MAX, type SegmentHasher } from '#archive/hash/segment-hasher.ts';
import { assert } from '#base/assert.ts';
import { fromHex } from '#base/bytes.ts';
import type { BlobRef } from '#base/ids.ts';
import type { PutOptions, Store } from '#store/store.ts';
import { BLOCK_BYTES, merkleRoot, raiseRoot, SHA256_BYTES, treeHeight } from '#wire/merkle.ts';
import { encodeFileMap, type FileMap, makeFileMap, segmentLayer } from './file-map.ts';
import type { SegmentHashes, SegmentTreeTask } from './segment-tree.ts';
import {
  FILE_BYTES_MAX,
  segmentBytesFor,
  segmentCount,
  segmentHeight,
  segmentLength,
} from './segments.ts';

/** Two are hashed while one is written and one is filled. */
const SEGMENTS_AT_ONCE_MAX = 4;
/** Of what is read by who hashes it: as many are hashed in two threads and written. */
const READ_AT_ONCE_BYTES_MAX = 8 * 1024 * 1024;
const READ_BYTES_MAX = 4 * READ_AT_ONCE_BYTES_MAX;
const NOTHING = new Uint8Array();

export interface FileWriterWorld {
  readonly store: Store;
  readonly hasher: SegmentHasher;
}

export interface FileToWrite {
  /** What `write` will give in all. */
  readonly bytes: number;
  /** A power of two, 256 KiB to 16 MiB; very large files get larger segments. */
  readonly segmentBytes: number;
  /** Of the torrent whose piece layer is wanted; a power of two, at least 16 KiB. */
  readonly pieceLength?: number;
  /** Where it is read among others, so that the store lays what is read together side by side. */
  readonly place?: FilePlace;
  readonly signal?: AbortSignal;
  /** While it says so, the end of the file may wait to share a sync with others; never unless given. */
  readonly mayWait?: () => boolean;
}

export interface FilePlace {
  /** The torrent and the folder in it; any text. */
  readonly folder: string;
  /** Within the folder. */
  readonly name: string;
  /** In the order of the torrent. */
  readonly order: number;
}

export interface WrittenFile {
  /** Undefined for an empty file, which has neither root nor blobs. */
  readonly map: FileMap | undefined;
  readonly mapRef: BlobRef | undefined;
  /** BEP 52: only of a file of more than a piece, when a piece length was given. */
  readonly layer: Uint8Array | undefined;
  /** Bytes of segments that the store did not have. */
  readonly newBytes: number;
}

export class FileWriter {
  readonly #world: FileWriterWorld;
  readonly #file: FileToWrite;
  readonly #segmentBytes: number;
  /** SHA-256 and root of each segment, as a map has them. */
  readonly #entries: Uint8Array;
  readonly #layers: (Uint8Array | undefined)[];
  readonly #underWay = new Set<Promise<void>>();
  readonly #reading = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;
  #segment: Uint8Array | undefined;
  #filled = 0;
  #number = 0;
  #written = 0;
  #newBytes = 0;

  /** @throws ArchiveError ARCHIVE_FILE_TOO_LARGE */
  constructor(world: FileWriterWorld, file: FileToWrite) {
    if (file.bytes > FILE_BYTES_MAX) {
      throw new ArchiveError('ARCHIVE_FILE_TOO_LARGE', `A file has ${file.bytes} bytes`);
    }
    this.#world = world;
    this.#file = file;
    this.#segmentBytes = segmentBytesFor(file.bytes, file.segmentBytes);
    const count = segmentCount(file.bytes, this.#segmentBytes);
    this.#entries = new Uint8Array(count * 2 * SHA256_BYTES);
    this.#layers = new Array<Uint8Array | undefined>(count);
  }

  /**
   * Takes the next bytes, which are the caller's again when it resolves. @throws ArchiveError
   * ARCHIVE_FILE_CHANGED when they are more than the file has; the error of the store
   */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const room = this.room();
      if (room.length === 0) throw fileChanged('has grown');
      const part = bytes.subarray(at, at + room.length);
      room.set(part);
      at += part.length;
      await this.filled(part.length);
    }
  }

  /** Memory for the next bytes, for who can read into it; empty when the file has all that it is to have. */
  room(): Uint8Array {
    if (this.#written === this.#file.bytes) return NOTHING;
    this.#segment ??= this.#world.hasher.rooms.take(segmentLength(this.#cut, this.#number));
    return this.#segment.subarray(this.#filled);
  }

  /** So many bytes of `room` are the next ones; it is not the caller's any more. @throws as `write` */
  async filled(bytes: number): Promise<void> {
    assert(this.#segment !== undefined, 'there is room that was filled');
    this.#written += bytes;
    this.#filled += bytes;
    assert(this.#filled <= this.#segment.length, 'no more is filled than there is room for');
    if (this.#filled === this.#segment.length) await this.#endSegment(this.#segment);
  }

  /**
   * Takes all of the file, of which `write` and `room` know nothing then, and tells of what will be read.
   * False: nobody can read it here. What goes wrong while it is read `finish` tells, or the next call that
   * waits for room. The descriptor must stay until `wasRead`.
   */
  async readFrom(descriptor: number, onBytes: (bytes: number) => void): Promise<boolean> {
    const { hasher } = this.#world;
    const { bytes, segmentBytes } = this.#cut;
    // Of an empty one somebody else must tell whether it has grown.
    if (hasher.read === undefined || bytes === 0) return false;
    const most = Math.max(1, Math.min(READ_AT_ONCE_MAX, READ_AT_ONCE_BYTES_MAX / segmentBytes));
    const underWayMax = Math.max(SEGMENTS_AT_ONCE_MAX, READ_BYTES_MAX / segmentBytes);
    while (this.#written < bytes) {
      const rooms: Uint8Array[] = [];
      const position = this.#written;
      while (rooms.length < most && this.#written < bytes) {
        const room = hasher.rooms.take(segmentLength(this.#cut, this.#number + rooms.length));
        rooms.push(room);
        this.#written += room.length;
      }
      onBytes(this.#written - position);
      const isEnd = this.#written === bytes;
      const reading = hasher.read({ descriptor, position, isEnd, rooms }, this.#task);
      this.#noteReading(reading);
      for (const [at, room] of rooms.entries()) {
        this.#begin(room, async () => (await reading)[at] as SegmentHashes);
      }
      await this.#waitForRoom(underWayMax);
    }
    return true;
  }

  /** All that `readFrom` wanted, however it ended; it may be stored yet. */
  async wasRead(): Promise<void> {
    await Promise.all(this.#reading);
  }

  #noteReading(reading: Promise<unknown>): void {
    const letGo = (): void => {
      this.#reading.delete(ended);
    };
    const ended: Promise<void> = reading.then(letGo, letGo);
    this.#reading.add(ended);
  }

  /** Once, after the last byte. Everything is on disk when it resolves. @throws as `write` */
  async finish(): Promise<WrittenFile> {
    await Promise.all(this.#underWay);
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#written < this.#file.bytes) throw fileChanged('has become shorter');
    if (this.#file.bytes === 0) {
      return { map: undefined, mapRef: undefined, layer: undefined, newBytes: 0 };
    }
    const map = makeFileMap({ ...this.#cut, segments: this.#entries });
    const noRush = this.#file.mayWait?.() === true;
    const options = { ...this.#callOptions, noRush };
    const { ref } = await this.#world.store.put(encodeFileMap(map), options);
    return { map, mapRef: ref, layer: this.#pieceLayer(map), newBytes: this.#newBytes };
  }

  /** Waits for what is under way; nothing of the file is kept. Idempotent. */
  async abandon(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  get #cut(): { readonly bytes: number; readonly segmentBytes: number } {
    return { bytes: this.#file.bytes, segmentBytes: this.#segmentBytes };
  }

  get #callOptions(): { readonly signal?: AbortSignal } {
    return this.#file.signal === undefined ? {} : { signal: this.#file.signal };
  }

  async #endSegment(bytes: Uint8Array): Promise<void> {
    this.#begin(bytes, undefined);
    this.#segment = undefined;
    this.#filled = 0;
    await this.#waitForRoom(SEGMENTS_AT_ONCE_MAX);
  }

  #begin(bytes: Uint8Array, hashes: (() => Promise<SegmentHashes>) | undefined): void {
    const work = this.#keep(this.#number, bytes, hashes).then(
      () => {
        this.#underWay.delete(work);
      },
      (error: unknown) => {
        this.#underWay.delete(work);
        this.#failure ??= { error };
      },
    );
    this.#underWay.add(work);
    this.#number += 1;
  }

  async #waitForRoom(underWayMax: number): Promise<void> {
    while (this.#underWay.size >= underWayMax) await Promise.race(this.#underWay);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  get #task(): SegmentTreeTask {
    const isAlone = this.#file.bytes <= this.#segmentBytes;
    const height = segmentHeight(this.#segmentBytes);
    const wanted = this.#pieceHeight;
    return {
      height: isAlone ? undefined : height,
      layerHeight: wanted === undefined || wanted >= height ? undefined : wanted,
    };
  }

  /** `hashed`: of bytes that are there, and hashed, when it resolves. */
  async #keep(
    number: number,
    bytes: Uint8Array,
    hashed: (() => Promise<SegmentHashes>) | undefined,
  ): Promise<void> {
    const { store, hasher } = this.#world;
    // The name of the blob and the tree are hashed together; a store that does not ask names it itself.
    let hashing = hashed?.();
    await hashing;
    const sha256 = async (): Promise<Uint8Array> => {
      hashing ??= hasher.tree(bytes, this.#task);
      return (await hashing).sha256;
    };
    const isLast = number === this.#layers.length - 1;
    const noRush = !isLast || this.#file.mayWait?.() === true;
    const options = { ...this.#callOptions, ...this.#seriesOf(number), noRush, sha256 };
    const put = await store.put(bytes, options);
    const tree = await (hashing ?? hasher.tree(bytes, this.#task));
    const name = fromHex(put.ref.slice('sha256-'.length));
    assert(name !== undefined, 'a blob is named by its hash');
    this.#entries.set(name, number * 2 * SHA256_BYTES);
    this.#entries.set(tree.root, (number * 2 + 1) * SHA256_BYTES);
    this.#layers[number] = tree.layer;
    if (put.new) this.#newBytes += bytes.length;
    // Whoever failed may still look at it.
    hasher.rooms.giveBack(bytes);
  }

  /** The segments of a file, or the files of one segment of a folder. */
  #seriesOf(number: number): Pick<PutOptions, 'series'> {
    const { place, bytes } = this.#file;
    if (place === undefined) return {};
    const { folder, name, order } = place;
    return bytes <= this.#segmentBytes
      ? { series: { name: folder, order } }
      : { series: { name: `${folder}/${name}`, order: number } };
  }

  /** Rows of a piece, when a layer is wanted at all: a file of one piece has none. */
  get #pieceHeight(): number | undefined {
    const { bytes, pieceLength } = this.#file;
    if (pieceLength === undefined || bytes <= pieceLength) return undefined;
    return Math.log2(pieceLength / BLOCK_BYTES);
  }

  #pieceLayer(map: FileMap): Uint8Array | undefined {
    const wanted = this.#pieceHeight;
    if (wanted === undefined) return undefined;
    const height = segmentHeight(map.segmentBytes);
    if (wanted >= height) return layerAbove(segmentLayer(map), height, wanted);
    const layer = Buffer.concat(this.#layers.map((part) => part ?? new Uint8Array()));
    return new Uint8Array(layer);
  }
}

/** The nodes `to` rows above the leaves, of those `from` rows above them. */
function layerAbove(layer: Uint8Array, from: number, to: number): Uint8Array {
  const stride = SHA256_BYTES << (to - from);
  const above = new Uint8Array(Math.ceil(layer.length / stride) * SHA256_BYTES);
  for (let at = 0, into = 0; at < layer.length; at += stride, into += SHA256_BYTES) {
    const below = layer.subarray(at, at + stride);
    const own = from + treeHeight(below.length / SHA256_BYTES);
    above.set(raiseRoot(merkleRoot(below, from), own, to), into);
  }
  return above;
}
