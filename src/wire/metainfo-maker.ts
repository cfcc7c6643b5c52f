// Makes a .torrent file from content that streams by: v1 (BEP 3), v2 (BEP 52) or hybrid with pad
// files (BEP 47). Files are read once, one after the other; memory holds hashes and the .torrent file only.

import { createHash } from 'node:crypto';
import { assert } from '#base/assert.ts';
import { endInTurns, othersTurn, type Steps, sortInSteps } from '#base/steps.ts';
import { type BencodeInput, encodeInSteps, type RawBencode } from './bencode-encoder.ts';
import { FileListWriter, FileTreeWriter } from './file-tree.ts';
import { BLOCK_BYTES, MerkleHasher } from './merkle.ts';
import { ALL_EMPTY_WORDS, problemOfPaths } from './metainfo-files.ts';
import { decodeName, nameProblem, showName } from './metainfo-path.ts';

export interface ContentFile {
  /** Below the torrent's folder. Ignored for a torrent of one file, which is named `name`. */
  readonly path: readonly string[];
  /** Must be what `read` gives. */
  readonly sizeBytes: number;
  read(pieceLength: number): AsyncIterable<Uint8Array>;
  /** As `read`, into memory of the caller's, where there is such a way. */
  open?(): Promise<ContentReader>;
  /**
   * As `read`, of who does something with the bytes himself and gives them to nobody else: tells how many
   * they are. For torrents of which nothing but trees is hashed.
   */
  take?(pieceLength: number): Promise<number>;
  /**
   * Of who hashes the file while it is read: asked when all files were read. Else it is hashed here.
   */
  tree?(): Promise<FileTree>;
}

export interface ContentReader {
  /** Of a file of this machine: what the system knows it by, until `close`. */
  readonly own?: { readonly descriptor: number } | undefined;
  /** Returns how many bytes; 0 only at the end. */
  read(into: Uint8Array, position: number): Promise<number>;
  close(): Promise<void>;
}

/** Of BEP 52: `root` is absent for an empty file, `layer` for one of a piece or less. */
export interface FileTree {
  readonly root?: Uint8Array | undefined;
  readonly layer?: Uint8Array | undefined;
}

export interface MetainfoRequest {
  readonly version: 'v1' | 'v2' | 'hybrid';
  readonly name: string;
  /** True: exactly one file, which is not put into a folder. */
  readonly singleFile: boolean;
  /** Any order; they are put into the order of BEP 52. Names must be safe (`nameProblem`). */
  readonly files: readonly ContentFile[];
  /** Default: `choosePieceLength`. A power of two, at least 16 KiB. */
  readonly pieceLength?: number;
  readonly private?: boolean;
  readonly source?: string;
  readonly comment?: string;
  readonly createdBy?: string;
  /** Unix seconds. */
  readonly creationDate?: number;
  readonly announceTiers?: readonly (readonly string[])[];
  readonly webSeeds?: readonly string[];
}

export type MadeMetainfo =
  | {
      readonly ok: true;
      readonly bytes: Uint8Array;
      /** Those of the request, in the torrent's order. */
      readonly files: readonly ContentFile[];
    }
  | { readonly ok: false; readonly reason: string };

/** Looked at, or written, before others have a turn. */
const FILES_A_TURN = 500;
const ZEROS = new Uint8Array(64 * 1024);
const PIECES_AIM = 1500;
const PIECE_BYTES_MAX = 16 * 1024 * 1024;

/** A power of two of 16 KiB to 16 MiB that gives about 750 to 1,500 pieces where it can. */
export function choosePieceLength(sizeBytes: number): number {
  let length = BLOCK_BYTES;
  while (length < PIECE_BYTES_MAX && sizeBytes / length > PIECES_AIM) length *= 2;
  return length;
}

/**
 * Reads every file once. Refuses unsafe names and what could not be read again as a torrent before it reads
 * anything, and content whose size is not the stated one (a file that changed meanwhile). Errors of `read`
 * are thrown through.
 */
export async function makeMetainfo(request: MetainfoRequest): Promise<MadeMetainfo> {
  const problem = await endInTurns(requestProblem(request));
  if (problem !== undefined) return { ok: false, reason: problem };
  const files = await endInTurns(
    sortInSteps(request.files, (a, b) => comparePaths(a.path, b.path)),
  );
  const total = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const pieceLength = request.pieceLength ?? choosePieceLength(total);
  const builder = new InfoBuilder(request, pieceLength);
  for (const [index, file] of files.entries()) {
    const before = builder.begin(file);
    if (request.version === 'v2' && file.take !== undefined && file.tree !== undefined) {
      builder.skip(await file.take(pieceLength));
    } else {
      for await (const chunk of file.read(pieceLength)) builder.update(chunk);
    }
    const read = builder.end(before);
    if (read !== file.sizeBytes) {
      const shown = file.path.join('/');
      return { ok: false, reason: `"${shown}" changed its size while it was read.` };
    }
    if (index < files.length - 1) builder.align();
  }
  const bytes = await endInTurns(encodeInSteps(await builder.finish(files)));
  return { ok: true, bytes, files };
}

const PROBLEMS_TOLD_MAX = 20;

function* requestProblem(request: MetainfoRequest): Steps<string | undefined> {
  const { name, files, singleFile } = request;
  if (files.length === 0) return 'There are no files to make a torrent of.';
  if (singleFile && files.length !== 1) return 'A single file was expected.';
  if (files.every((file) => file.sizeBytes === 0)) return ALL_EMPTY_WORDS;
  const problems = new Map<string, string>();
  const look = (one: string): void => {
    const words = problemOfName(one);
    if (words !== undefined) problems.set(one, words);
  };
  look(name);
  // Most files share their folder with the one before.
  let before: readonly string[] = [];
  for (const [index, { path }] of (singleFile ? [] : files).entries()) {
    for (const [depth, one] of path.entries()) if (one !== before[depth]) look(one);
    before = path;
    if (index % FILES_A_TURN === 0) yield;
  }
  // As many as one reads: they are mended in one go.
  const told = [...problems.values()].slice(0, PROBLEMS_TOLD_MAX);
  const rest = problems.size - told.length;
  if (rest > 0) told.push(`${rest} more names cannot be used.`);
  if (told.length > 0) return told.join(' ');
  return yield* problemOfPaths(singleFile ? [] : files);
}

function problemOfName(name: string): string | undefined {
  const problem = nameProblem(name);
  if (problem !== undefined) return `The name ${showName(name)} cannot be used: ${problem}.`;
  const isUnicode = decodeName(Buffer.from(name, 'utf8')) === name;
  return isUnicode ? undefined : `The name ${showName(name)} is not Unicode.`;
}

/** BEP 52: folder by folder, names in byte order. */
function comparePaths(a: readonly string[], b: readonly string[]): number {
  for (let depth = 0; depth < Math.min(a.length, b.length); depth++) {
    const [one = '', other = ''] = [a[depth], b[depth]];
    // Most files share their folder with the next.
    if (one === other) continue;
    return compareBytes(one, other);
  }
  return a.length - b.length;
}

/** As the bytes of UTF-8 compare: strings do as well, but where a character has two halves. */
function compareBytes(one: string, other: string): number {
  if (HALVES.test(one) || HALVES.test(other)) {
    return Buffer.compare(Buffer.from(one), Buffer.from(other));
  }
  return one < other ? -1 : 1;
}

const HALVES = /[\ud800-\udfff]/;

class InfoBuilder {
  readonly #request: MetainfoRequest;
  readonly #pieceLength: number;
  readonly #hasV1: boolean;
  readonly #hasV2: boolean;
  readonly #list = new FileListWriter();
  readonly #layers = new Map<string, BencodeInput>();
  readonly #pieces: Uint8Array[] = [];
  /** Of files that are hashed here, in their order. */
  readonly #trees: FileTree[] = [];
  #piece = createHash('sha1');
  #pieceBytes = 0;
  #streamBytes = 0;
  #merkle: MerkleHasher | undefined;
  #path: readonly string[] = [];

  constructor(request: MetainfoRequest, pieceLength: number) {
    const isPower = Number.isInteger(Math.log2(pieceLength)) && pieceLength >= BLOCK_BYTES;
    assert(isPower, 'the piece length is a power of two, at least 16 KiB');
    this.#request = request;
    this.#pieceLength = pieceLength;
    this.#hasV1 = request.version !== 'v2';
    this.#hasV2 = request.version !== 'v1';
  }

  /** Returns the position in the stream, for `end`. */
  begin(file: ContentFile): number {
    this.#path = this.#request.singleFile ? [this.#request.name] : file.path;
    const hashesHere = this.#hasV2 && file.tree === undefined;
    this.#merkle = hashesHere ? new MerkleHasher(this.#pieceLength) : undefined;
    return this.#streamBytes;
  }

  update(bytes: Uint8Array): void {
    this.#merkle?.update(bytes);
    this.#hashPieces(bytes);
  }

  /** Bytes that somebody else has hashed. */
  skip(bytes: number): void {
    assert(!this.#hasV1, 'the pieces of v1 are hashed here');
    this.#streamBytes += bytes;
  }

  /** Returns the bytes of the file. */
  end(startBytes: number): number {
    const length = this.#streamBytes - startBytes;
    if (this.#hasV1) this.#list.add({ path: this.#path, length });
    if (this.#merkle !== undefined) this.#trees.push(this.#merkle.finish());
    return length;
  }

  /** Hybrid only: a pad file, so that the next file begins at a piece. */
  align(): void {
    const over = this.#streamBytes % this.#pieceLength;
    if (this.#request.version !== 'hybrid' || over === 0) return;
    const length = this.#pieceLength - over;
    this.#list.add({ length, path: ['.pad', String(length)] }, true);
    for (let left = length; left > 0; left -= ZEROS.length) {
      this.#hashPieces(ZEROS.subarray(0, Math.min(left, ZEROS.length)));
    }
  }

  /** `files`: those that were read, in their order. */
  async finish(files: readonly ContentFile[]): Promise<Map<string, BencodeInput>> {
    if (this.#pieceBytes > 0) this.#endPiece();
    const tree = this.#hasV2 ? await this.#fileTree(files) : undefined;
    const request = this.#request;
    const info = new Map<string, BencodeInput>();
    info.set('name', request.name);
    info.set('piece length', this.#pieceLength);
    if (request.private === true) info.set('private', 1);
    if (request.source !== undefined) info.set('source', request.source);
    if (this.#hasV1) {
      info.set('pieces', Buffer.concat(this.#pieces));
      if (request.singleFile) info.set('length', this.#streamBytes);
      else info.set('files', this.#list.finish());
    }
    if (tree !== undefined) {
      info.set('meta version', 2);
      info.set('file tree', tree);
    }
    return this.#root(info);
  }

  #root(info: BencodeInput): Map<string, BencodeInput> {
    const request = this.#request;
    const root = new Map<string, BencodeInput>([['info', info]]);
    const tiers = request.announceTiers ?? [];
    const first = tiers[0]?.[0];
    if (first !== undefined) root.set('announce', first);
    if (tiers.flat().length > 1) root.set('announce-list', tiers);
    if (request.webSeeds !== undefined) root.set('url-list', request.webSeeds);
    if (request.comment !== undefined) root.set('comment', request.comment);
    if (request.createdBy !== undefined) root.set('created by', request.createdBy);
    if (request.creationDate !== undefined) root.set('creation date', request.creationDate);
    if (this.#hasV2) root.set('piece layers', this.#layers);
    return root;
  }

  async #fileTree(files: readonly ContentFile[]): Promise<RawBencode> {
    const { singleFile, name } = this.#request;
    const writer = new FileTreeWriter();
    let hashedHere = 0;
    for (const [index, file] of files.entries()) {
      const isHashedHere = file.tree === undefined;
      const tree = isHashedHere ? this.#trees[hashedHere] : await file.tree?.();
      if (isHashedHere) hashedHere += 1;
      const { root, layer } = tree ?? {};
      writer.add(singleFile ? [name] : file.path, file.sizeBytes, root);
      if (root !== undefined && layer !== undefined) {
        this.#layers.set(Buffer.from(root).toString('latin1'), layer);
      }
      if (index % FILES_A_TURN === 0) await othersTurn();
    }
    return writer.finish();
  }

  #hashPieces(bytes: Uint8Array): void {
    this.#streamBytes += bytes.length;
    if (!this.#hasV1) return;
    for (let at = 0; at < bytes.length; ) {
      const take = Math.min(this.#pieceLength - this.#pieceBytes, bytes.length - at);
      this.#piece.update(bytes.subarray(at, at + take));
      this.#pieceBytes += take;
      at += take;
      if (this.#pieceBytes === this.#pieceLength) this.#endPiece();
    }
  }

  #endPiece(): void {
    this.#pieces.push(this.#piece.digest());
    this.#piece = createHash('sha1');
    this.#pieceBytes = 0;
  }
}
