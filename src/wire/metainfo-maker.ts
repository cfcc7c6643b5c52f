// Makes a .torrent file from content that streams by: v1 (BEP 3), v2 (BEP 52) or hybrid with pad
// files (BEP 47). Files are read once, one after the other; memory holds hashes only.

import { createHash } from 'node:crypto';
import { assert } from '#base/assert.ts';
import { type BencodeInput, encodeBencode } from './bencode.ts';
import { BLOCK_BYTES, MerkleHasher } from './merkle.ts';
import { decodeName, nameProblem } from './metainfo-path.ts';

export interface ContentFile {
  /** Below the torrent's folder. Ignored for a torrent of one file, which is named `name`. */
  readonly path: readonly string[];
  /** Must be what `read` gives. */
  readonly sizeBytes: number;
  read(pieceLength: number): AsyncIterable<Uint8Array>;
  /** Of who hashes the file while it is read: asked after its last byte. Else it is hashed here. */
  tree?(): Promise<FileTree>;
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
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly reason: string };

const PIECES_AIM = 1500;
const PIECE_BYTES_MAX = 16 * 1024 * 1024;

/** A power of two of 16 KiB to 16 MiB that gives about 750 to 1,500 pieces where it can. */
export function choosePieceLength(sizeBytes: number): number {
  let length = BLOCK_BYTES;
  while (length < PIECE_BYTES_MAX && sizeBytes / length > PIECES_AIM) length *= 2;
  return length;
}

/**
 * Reads every file once. Refuses unsafe names, and content whose size is not the stated one (a file
 * that changed meanwhile). Errors of `read` are thrown through.
 */
export async function makeMetainfo(request: MetainfoRequest): Promise<MadeMetainfo> {
  const problem = requestProblem(request);
  if (problem !== undefined) return { ok: false, reason: problem };
  const files = request.files.toSorted((a, b) => comparePaths(a.path, b.path));
  const total = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const pieceLength = request.pieceLength ?? choosePieceLength(total);
  const builder = new InfoBuilder(request, pieceLength);
  for (const [index, file] of files.entries()) {
    const before = builder.begin(file);
    for await (const chunk of file.read(pieceLength)) builder.update(chunk);
    const read = builder.end(before, await file.tree?.());
    if (read !== file.sizeBytes) {
      const shown = file.path.join('/');
      return { ok: false, reason: `"${shown}" changed its size while it was read.` };
    }
    if (index < files.length - 1) builder.align();
  }
  return { ok: true, bytes: encodeBencode(builder.finish()) };
}

function requestProblem(request: MetainfoRequest): string | undefined {
  if (request.files.length === 0) return 'There are no files to make a torrent of.';
  if (request.singleFile && request.files.length !== 1) return 'A single file was expected.';
  const names = [request.name, ...(request.singleFile ? [] : request.files.flatMap((f) => f.path))];
  for (const name of names) {
    const problem = nameProblem(name);
    if (problem !== undefined) return `The name "${name}" cannot be used: ${problem}.`;
    if (decodeName(Buffer.from(name, 'utf8')) !== name) return `The name "${name}" is not Unicode.`;
  }
  return undefined;
}

/** BEP 52: folder by folder, names in byte order. */
function comparePaths(a: readonly string[], b: readonly string[]): number {
  for (let depth = 0; depth < Math.min(a.length, b.length); depth++) {
    const order = Buffer.compare(Buffer.from(a[depth] ?? ''), Buffer.from(b[depth] ?? ''));
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

interface Tree extends Map<string, BencodeInput | Tree> {}

class InfoBuilder {
  readonly #request: MetainfoRequest;
  readonly #pieceLength: number;
  readonly #hasV1: boolean;
  readonly #hasV2: boolean;
  readonly #list: BencodeInput[] = [];
  readonly #tree: Tree = new Map();
  readonly #layers = new Map<string, BencodeInput>();
  readonly #pieces: Uint8Array[] = [];
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

  /** Returns the bytes of the file. `tree`: when it was not hashed here. */
  end(startBytes: number, tree: FileTree | undefined): number {
    const length = this.#streamBytes - startBytes;
    this.#list.push({ length, path: this.#path });
    if (!this.#hasV2) return length;
    const { root, layer } = tree ?? this.#merkle?.finish() ?? {};
    const leaf = { length, ...(root === undefined ? {} : { 'pieces root': root }) };
    this.#placeInTree(new Map([['', leaf]]));
    if (root !== undefined && layer !== undefined) {
      this.#layers.set(Buffer.from(root).toString('latin1'), layer);
    }
    return length;
  }

  /** Hybrid only: a pad file, so that the next file begins at a piece. */
  align(): void {
    const over = this.#streamBytes % this.#pieceLength;
    if (this.#request.version !== 'hybrid' || over === 0) return;
    const length = this.#pieceLength - over;
    this.#list.push({ attr: 'p', length, path: ['.pad', String(length)] });
    const zeros = new Uint8Array(Math.min(length, 64 * 1024));
    for (let left = length; left > 0; left -= zeros.length) {
      this.#hashPieces(zeros.subarray(0, Math.min(left, zeros.length)));
    }
  }

  finish(): Map<string, BencodeInput> {
    if (this.#pieceBytes > 0) this.#endPiece();
    const request = this.#request;
    const info = new Map<string, BencodeInput>();
    info.set('name', request.name);
    info.set('piece length', this.#pieceLength);
    if (request.private === true) info.set('private', 1);
    if (request.source !== undefined) info.set('source', request.source);
    if (this.#hasV1) {
      info.set('pieces', Buffer.concat(this.#pieces));
      if (request.singleFile) info.set('length', this.#streamBytes);
      else info.set('files', this.#list);
    }
    if (this.#hasV2) {
      info.set('meta version', 2);
      info.set('file tree', this.#tree);
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

  #placeInTree(file: Tree): void {
    let folder = this.#tree;
    for (const name of this.#path.slice(0, -1)) {
      const key = Buffer.from(name, 'utf8').toString('latin1');
      const below = folder.get(key) ?? new Map();
      assert(below instanceof Map, 'a folder of the tree is a map');
      folder.set(key, below);
      folder = below;
    }
    const last = this.#path.at(-1) ?? '';
    folder.set(Buffer.from(last, 'utf8').toString('latin1'), file);
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
