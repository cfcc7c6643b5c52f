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

interface PlannedFile {
  readonly position: number | undefined;
  readonly offset: number;
  readonly end: number;
}

type PlannedTorrent = Pick<Metainfo, 'files' | 'pieces' | 'pieceLength' | 'pieceLayers'>;

export class PiecePlan {
  readonly pieceLength: number;
  readonly pieceCount: number;
  /** Bytes of all pieces together. */
  readonly streamBytes: number;
  /** Bytes of each file that is no pad, by its position. */
  readonly fileBytes: readonly number[];
  readonly #torrent: PlannedTorrent;
  readonly #isV2: boolean;
  readonly #end: number;
  /** Those with bytes, in their order. */
  readonly #files: readonly PlannedFile[];
  /** By position. */
  readonly #roots: readonly (Uint8Array | undefined)[];
  readonly #starts = new Map<number, number>();

  /** Of a torrent that was checked as `parseMetainfo` does. */
  constructor(torrent: PlannedTorrent) {
    const { pieceLength, pieces } = torrent;
    this.#torrent = torrent;
    this.#isV2 = pieces === undefined;
    this.pieceLength = pieceLength;
    const own = torrent.files.filter((file) => !file.pad);
    this.fileBytes = own.map((file) => file.sizeBytes);
    this.#roots = own.map((file) => file.rootHash);
    this.#files = plannedFiles(torrent.files, this.#isV2 ? pieceLength : undefined);
    for (const { position, offset } of this.#files) {
      if (position !== undefined) this.#starts.set(position, offset);
    }
    this.#end = this.#files.at(-1)?.end ?? 0;
    this.streamBytes = this.#isV2
      ? this.fileBytes.reduce((sum, bytes) => sum + bytes, 0)
      : this.#end;
    this.pieceCount = Math.ceil(this.#end / pieceLength);
    const count = pieces === undefined ? this.pieceCount : pieces.length / SHA1_BYTES;
    assert(this.pieceCount === count, 'a checked torrent has a hash for each piece');
  }

  pieceBytes(piece: number): number {
    const start = piece * this.pieceLength;
    const end = this.#isV2 ? (this.#files[this.#firstAfter(start)]?.end ?? start) : this.#end;
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
    const { pieces } = this.#torrent;
    if (pieces === undefined) return this.#isPieceV2(piece, bytes);
    const expected = pieces.subarray(piece * SHA1_BYTES, (piece + 1) * SHA1_BYTES);
    return bytesEqual(hash('sha1', bytes, 'buffer'), expected);
  }

  #isPieceV2(piece: number, bytes: Uint8Array): boolean {
    const file = this.#files[this.#firstAfter(piece * this.pieceLength)];
    const root = this.rootOf(file?.position ?? -1);
    if (file === undefined || root === undefined) return false;
    const layer = this.#torrent.pieceLayers?.get(toHex(root));
    const height = layer === undefined ? undefined : pieceHeight(this.pieceLength);
    const at = (piece - file.offset / this.pieceLength) * SHA256_BYTES;
    const expected = layer === undefined ? root : layer.subarray(at, at + SHA256_BYTES);
    return bytesEqual(segmentTree(bytes, { height, layerHeight: undefined }).root, expected);
  }

  /** The root that a torrent of v2 or hybrid gives that file; undefined for an empty one, and in v1. */
  rootOf(position: number): Uint8Array | undefined {
    return this.#roots[position];
  }

  /** In order; together they are the piece. */
  spansOf(piece: number): PieceSpan[] {
    const start = piece * this.pieceLength;
    const end = start + this.pieceBytes(piece);
    const spans: PieceSpan[] = [];
    for (let at = this.#firstAfter(start); at < this.#files.length; at++) {
      const file = this.#files[at];
      if (file === undefined || file.offset >= end) break;
      const { position } = file;
      const from = Math.max(file.offset, start) - start;
      spans.push({ position, start: from, end: Math.min(file.end, end) - start });
    }
    return spans;
  }

  /** Where in the stream a file begins; undefined for an empty one. */
  startOf(position: number): number | undefined {
    return this.#starts.get(position);
  }

  /** Pieces, in order, that have a byte of a file for which `isWanted` holds. */
  *piecesOf(isWanted: (position: number) => boolean): Generator<number> {
    let next = 0;
    for (const { position, offset, end } of this.#files) {
      if (position === undefined || !isWanted(position)) continue;
      const first = Math.max(next, Math.floor(offset / this.pieceLength));
      const last = Math.floor((end - 1) / this.pieceLength);
      for (let piece = first; piece <= last; piece++) yield piece;
      next = Math.max(next, last + 1);
    }
  }

  /** The first file that ends behind that byte. */
  #firstAfter(byte: number): number {
    let low = 0;
    let high = this.#files.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#files[middle]?.end ?? 0) > byte) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** With where each begins; `align`: on a piece of that many bytes. */
function plannedFiles(files: readonly MetainfoFile[], align: number | undefined): PlannedFile[] {
  const planned: PlannedFile[] = [];
  let position = 0;
  let next = 0;
  for (const { sizeBytes, offset = 0, pad } of files) {
    const own = pad ? undefined : position;
    if (!pad) position += 1;
    if (sizeBytes === 0) continue;
    const start = align === undefined ? offset : next;
    planned.push({ position: own, offset: start, end: start + sizeBytes });
    if (align !== undefined) next = Math.ceil((start + sizeBytes) / align) * align;
  }
  return planned.sort((a, b) => a.offset - b.offset);
}
