// Takes the bytes of one file into the store: cuts them into segments, hashes each in a thread while the
// store writes it, and at the end stores the map. A few segments are under way at once; who writes waits
// for room, so that memory is bounded by that few, whatever the file's size. What was stored of a file
// that is not finished refers to nothing and is garbage.

import { ArchiveError } from '#archive/errors.ts';
import type { SegmentHasher } from '#archive/hash/segment-hasher.ts';
import { assert } from '#base/assert.ts';
import { fromHex } from '#base/bytes.ts';
import type { BlobRef } from '#base/ids.ts';
import type { PutOptions, Store } from '#store/store.ts';
import { BLOCK_BYTES, merkleRoot, raiseRoot, SHA256_BYTES, treeHeight } from '#wire/merkle.ts';
import { encodeFileMap, type FileMap, makeFileMap, segmentLayer } from './file-map.ts';
import type { SegmentHashes } from './segment-tree.ts';
import {
  FILE_BYTES_MAX,
  segmentBytesFor,
  segmentCount,
  segmentHeight,
  segmentLength,
} from './segments.ts';

/** Two are hashed while one is written and one is filled. */
const SEGMENTS_AT_ONCE_MAX = 4;

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
    this.#written += bytes.length;
    if (this.#written > this.#file.bytes) throw changed('has grown');
    for (let at = 0; at < bytes.length; ) {
      this.#segment ??= this.#world.hasher.rooms.take(segmentLength(this.#cut, this.#number));
      const part = bytes.subarray(at, at + this.#segment.length - this.#filled);
      this.#segment.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === this.#segment.length) await this.#endSegment(this.#segment);
    }
  }

  /** Once, after the last byte. Everything is on disk when it resolves. @throws as `write` */
  async finish(): Promise<WrittenFile> {
    await Promise.all(this.#underWay);
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#written < this.#file.bytes) throw changed('has become shorter');
    if (this.#file.bytes === 0) {
      return { map: undefined, mapRef: undefined, layer: undefined, newBytes: 0 };
    }
    const map = makeFileMap({ ...this.#cut, segments: this.#entries });
    const { ref } = await this.#world.store.put(encodeFileMap(map), this.#callOptions);
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
    const work = this.#keep(this.#number, bytes).then(
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
    this.#segment = undefined;
    this.#filled = 0;
    while (this.#underWay.size >= SEGMENTS_AT_ONCE_MAX) await Promise.race(this.#underWay);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #keep(number: number, bytes: Uint8Array): Promise<void> {
    const { store, hasher } = this.#world;
    const isAlone = this.#file.bytes <= this.#segmentBytes;
    const height = segmentHeight(this.#segmentBytes);
    const wanted = this.#pieceHeight;
    const task = {
      height: isAlone ? undefined : height,
      layerHeight: wanted === undefined || wanted >= height ? undefined : wanted,
    };
    // The name of the blob and the tree are hashed together; a store that does not ask names it itself.
    let hashing: Promise<SegmentHashes> | undefined;
    const sha256 = async (): Promise<Uint8Array> => {
      hashing ??= hasher.tree(bytes, task);
      return (await hashing).sha256;
    };
    const options = { ...this.#callOptions, ...this.#seriesOf(number), noRush: true, sha256 };
    const put = await store.put(bytes, options);
    const tree = await (hashing ?? hasher.tree(bytes, task));
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

function changed(how: string): ArchiveError {
  return new ArchiveError('ARCHIVE_FILE_CHANGED', `The file ${how} while it was read`);
}
