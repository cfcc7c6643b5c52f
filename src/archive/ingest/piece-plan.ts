// Which bytes of which file each v1 piece has: a torrent's files one behind the other, pad files too, cut
// into pieces. Pure.

import { hash } from 'node:crypto';
import { assert } from '#base/assert.ts';
import { bytesEqual } from '#base/bytes.ts';
import type { Metainfo } from '#wire/metainfo.ts';

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

export class PiecePlan {
  readonly pieceLength: number;
  readonly pieceCount: number;
  readonly streamBytes: number;
  /** Bytes of each file that is no pad, by its position. */
  readonly fileBytes: readonly number[];
  readonly #pieces: Uint8Array;
  readonly #files: readonly PlannedFile[];

  /** Undefined for a torrent of v2 only, which has no such pieces. */
  static of(metainfo: Pick<Metainfo, 'files' | 'pieces' | 'pieceLength'>): PiecePlan | undefined {
    return metainfo.pieces === undefined ? undefined : new PiecePlan(metainfo, metainfo.pieces);
  }

  private constructor(metainfo: Pick<Metainfo, 'files' | 'pieceLength'>, pieces: Uint8Array) {
    const files: PlannedFile[] = [];
    const fileBytes: number[] = [];
    for (const { sizeBytes, offset = 0, pad } of metainfo.files) {
      const position = pad ? undefined : fileBytes.length;
      if (!pad) fileBytes.push(sizeBytes);
      if (sizeBytes > 0) files.push({ position, offset, end: offset + sizeBytes });
    }
    this.#files = files.sort((a, b) => a.offset - b.offset);
    this.#pieces = pieces;
    this.fileBytes = fileBytes;
    this.pieceLength = metainfo.pieceLength;
    this.streamBytes = files.at(-1)?.end ?? 0;
    this.pieceCount = Math.ceil(this.streamBytes / metainfo.pieceLength);
    assert(this.pieceCount * 20 === pieces.length, 'a checked torrent has a hash for each piece');
  }

  pieceBytes(piece: number): number {
    return Math.min(this.pieceLength, this.streamBytes - piece * this.pieceLength);
  }

  /** Whether these are the bytes of the piece. */
  isPiece(piece: number, bytes: Uint8Array): boolean {
    const expected = this.#pieces.subarray(piece * 20, piece * 20 + 20);
    return (
      bytes.length === this.pieceBytes(piece) && bytesEqual(hash('sha1', bytes, 'buffer'), expected)
    );
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
    return this.#files.find((file) => file.position === position)?.offset;
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
