// Which bytes of which file each piece of a torrent has, and whether bytes are that piece. In v1 and hybrid
// torrents the files stand one behind the other, pad files too, and are cut into pieces; in v2 each file
// begins a piece of its own, and its last piece is as short as its rest (BEP 52). Pure.

import { hash } from 'node:crypto';
import { segmentTree } from '#archive/content/segment-tree.ts';
import { assert } from '#base/assert.ts';
import { bytesEqual, toHex } from '#base/bytes.ts';
import { pieceHeight, SHA256_BYTES } from '#wire/merkle.ts';
import type { Metainfo } from '#wire/metainfo.ts';
import type { MetainfoFile } from '#wire/metainfo-files.ts';

const SHA1_BYTES = 20;

/** A part of a piece that belongs to one file. */
export interface PieceSpan {
  /** Of the file among those that are no pads, from 0; undefined for a pad's zeros. */
  readonly position: number | undefined;
  /** In the piece. */
  readonly start: number;
  readonly end: number;
}

/** By their order: those with bytes, pads among them. Arrays of numbers, for there may be a million. */
interface PlannedFiles {
  readonly count: number;
  /** NO_POSITION of a pad. */
  readonly positions: Float64Array;
  readonly offsets: Float64Array;
  readonly ends: Float64Array;
}

const NO_POSITION = -1;

type PlannedTorrent = Pick<Metainfo, 'files' | 'pieces' | 'pieceLength' | 'pieceLayers'>;

export class PiecePlan {
  readonly pieceLength: number;
  readonly pieceCount: number;
  /** Bytes of all pieces together. */
  readonly streamBytes: number;
  /** Bytes of each file that is no pad, by its position. */
  readonly fileBytes: readonly number[];
  readonly #hashes: Pick<PlannedTorrent, 'pieces' | 'pieceLayers'>;
  readonly #isV2: boolean;
  readonly #end: number;
  readonly #files: PlannedFiles;
  /** By position, 32 bytes each; undefined where there are none. */
  readonly #roots: Uint8Array | undefined;
  /** By position; NaN of an empty file. */
  readonly #starts: Float64Array;

  /** Of a torrent that was checked as `parseMetainfo` does. */
  constructor(torrent: PlannedTorrent) {
    const { pieceLength, pieces, pieceLayers } = torrent;
    // Copies: views would keep all of the .torrent, and the torrent itself all of its files.
    this.#hashes = {
      ...(pieces && { pieces: pieces.slice() }),
      ...(pieceLayers && { pieceLayers: copied(pieceLayers) }),
    };
    this.#isV2 = pieces === undefined;
    this.pieceLength = pieceLength;
    const own = torrent.files.filter((file) => !file.pad);
    this.fileBytes = own.map((file) => file.sizeBytes);
    this.#roots = own.some((file) => file.rootHash !== undefined) ? rootsOf(own) : undefined;
    this.#files = plannedFiles(torrent.files, this.#isV2 ? pieceLength : undefined);
    const { count: filesCount, positions, offsets, ends } = this.#files;
    this.#starts = new Float64Array(own.length).fill(Number.NaN);
    for (let at = 0; at < filesCount; at++) {
      const position = positions[at] ?? NO_POSITION;
      if (position !== NO_POSITION) this.#starts[position] = offsets[at] ?? 0;
    }
    this.#end = ends[filesCount - 1] ?? 0;
    this.streamBytes = this.#isV2
      ? this.fileBytes.reduce((sum, bytes) => sum + bytes, 0)
      : this.#end;
    this.pieceCount = Math.ceil(this.#end / pieceLength);
    const count = pieces === undefined ? this.pieceCount : pieces.length / SHA1_BYTES;
    assert(this.pieceCount === count, 'a checked torrent has a hash for each piece');
  }

  pieceBytes(piece: number): number {
    const start = piece * this.pieceLength;
    const end = this.#isV2 ? (this.#files.ends[this.#firstAfter(start)] ?? start) : this.#end;
    return Math.min(this.pieceLength, end - start);
  }

  /**
   * What a peer may ask of the piece: libtorrent sees each v2 file filled up with zeros to a whole piece, and
   * asks for the block in which one ends as a whole.
   */
  filledBytes(piece: number): number {
    return this.#isV2 ? this.pieceLength : this.pieceBytes(piece);
  }

  /** Whether these are the bytes of the piece. */
  isPiece(piece: number, bytes: Uint8Array): boolean {
    if (bytes.length !== this.pieceBytes(piece)) return false;
    const { pieces } = this.#hashes;
    if (pieces === undefined) return this.#isPieceV2(piece, bytes);
    const expected = pieces.subarray(piece * SHA1_BYTES, (piece + 1) * SHA1_BYTES);
    return bytesEqual(hash('sha1', bytes, 'buffer'), expected);
  }

  #isPieceV2(piece: number, bytes: Uint8Array): boolean {
    const first = this.#firstAfter(piece * this.pieceLength);
    const root = this.rootOf(this.#files.positions[first] ?? NO_POSITION);
    const offset = this.#files.offsets[first] ?? 0;
    if (root === undefined) return false;
    const layer = this.#hashes.pieceLayers?.get(toHex(root));
    const height = layer === undefined ? undefined : pieceHeight(this.pieceLength);
    const at = (piece - offset / this.pieceLength) * SHA256_BYTES;
    const expected = layer === undefined ? root : layer.subarray(at, at + SHA256_BYTES);
    return bytesEqual(segmentTree(bytes, { height, layerHeight: undefined }).root, expected);
  }

  /** The root that a torrent of v2 or hybrid gives that file; undefined for an empty one, and in v1. */
  rootOf(position: number): Uint8Array | undefined {
    if (this.#roots === undefined || !((this.fileBytes[position] ?? 0) > 0)) return undefined;
    return this.#roots.subarray(position * SHA256_BYTES, (position + 1) * SHA256_BYTES);
  }

  /** In order; together they are the piece. */
  spansOf(piece: number): PieceSpan[] {
    const start = piece * this.pieceLength;
    const end = start + this.pieceBytes(piece);
    const spans: PieceSpan[] = [];
    const { count, positions, offsets, ends } = this.#files;
    for (let at = this.#firstAfter(start); at < count; at++) {
      const offset = offsets[at] ?? end;
      if (offset >= end) break;
      const own = positions[at] ?? NO_POSITION;
      const position = own === NO_POSITION ? undefined : own;
      const from = Math.max(offset, start) - start;
      spans.push({ position, start: from, end: Math.min(ends[at] ?? 0, end) - start });
    }
    return spans;
  }

  /** Where in the stream a file begins; undefined for an empty one. */
  startOf(position: number): number | undefined {
    const start = this.#starts[position];
    return start === undefined || Number.isNaN(start) ? undefined : start;
  }

  /** Pieces, in order, that have a byte of a file for which `isWanted` holds. */
  *piecesOf(isWanted: (position: number) => boolean): Generator<number> {
    let next = 0;
    const { count, positions, offsets, ends } = this.#files;
    for (let at = 0; at < count; at++) {
      const position = positions[at] ?? NO_POSITION;
      if (position === NO_POSITION || !isWanted(position)) continue;
      const first = Math.max(next, Math.floor((offsets[at] ?? 0) / this.pieceLength));
      const last = Math.floor(((ends[at] ?? 0) - 1) / this.pieceLength);
      for (let piece = first; piece <= last; piece++) yield piece;
      next = Math.max(next, last + 1);
    }
  }

  /** The first file that ends behind that byte. */
  #firstAfter(byte: number): number {
    let low = 0;
    let high = this.#files.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#files.ends[middle] ?? 0) > byte) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function copied(layers: ReadonlyMap<string, Uint8Array>): ReadonlyMap<string, Uint8Array> {
  return new Map(Array.from(layers, ([root, layer]) => [root, layer.slice()]));
}

function rootsOf(files: readonly MetainfoFile[]): Uint8Array {
  const roots = new Uint8Array(files.length * SHA256_BYTES);
  for (const [position, { rootHash }] of files.entries()) {
    if (rootHash !== undefined) roots.set(rootHash, position * SHA256_BYTES);
  }
  return roots;
}

/** In the order of the stream. `align`: each begins on a piece of that many bytes. */
function plannedFiles(files: readonly MetainfoFile[], align: number | undefined): PlannedFiles {
  const positions = new Float64Array(files.length);
  const offsets = new Float64Array(files.length);
  const ends = new Float64Array(files.length);
  let count = 0;
  let position = 0;
  let next = 0;
  for (const { sizeBytes, offset = 0, pad } of files) {
    const own = pad ? NO_POSITION : position;
    if (!pad) position += 1;
    if (sizeBytes === 0) continue;
    const start = align === undefined ? offset : next;
    assert(start >= (ends[count - 1] ?? 0), 'a torrent has its files in the order of its stream');
    positions[count] = own;
    offsets[count] = start;
    ends[count] = start + sizeBytes;
    count += 1;
    if (align !== undefined) next = Math.ceil((start + sizeBytes) / align) * align;
  }
  // Behind the last one is none, also where empty files took no place.
  return {
    count,
    positions: positions.subarray(0, count),
    offsets: offsets.subarray(0, count),
    ends: ends.subarray(0, count),
  };
}
