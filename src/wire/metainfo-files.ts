// The files of a torrent, from the `files` list of v1 (BEP 3, pad files of BEP 47), from the file
// tree of v2 (BEP 52), and whether both describe the same content in a hybrid one.

import { toHex } from '#base/bytes.ts';
import type { Steps } from '#base/steps.ts';
import type { BencodeDict, BencodeNode } from './bencode.ts';
import { DICT_KEYS_MAX } from './bencode-skim.ts';
import { merkleRoot, pieceHeight, SHA256_BYTES } from './merkle.ts';
import { decodeName, nameProblem, PATH_LIMITS, PathClashes, showName } from './metainfo-path.ts';

export interface MetainfoFile {
  /** Below the torrent's folder; for a torrent of one file it is just the file's name. */
  readonly path: readonly string[];
  readonly sizeBytes: number;
  /** Where it begins in the v1 stream of bytes, pad files counted. Absent in v2-only torrents. */
  readonly offset?: number;
  /** The `pieces root`, 32 bytes. Absent in v1-only torrents and for empty files. */
  readonly rootHash?: Uint8Array;
  /** Zeros that align the next file to a piece (BEP 47); never shown, never kept. */
  readonly pad: boolean;
}

export interface MetainfoLimits {
  readonly filesMax: number;
  readonly sizeBytesMax: number;
}

/** Why a torrent is refused, in words for the person who uploads it. */
export interface Refused {
  readonly refused: string;
}

/** Of a torrent, and of what one is to be made of. */
export const ALL_EMPTY_WORDS = 'All of its files are empty; there is nothing to share.';

/** Of the whole, its info dictionary or that of one file: who gives it on looks at each key. */
export const MANY_KEYS_WORDS = `It has a dictionary of more than ${DICT_KEYS_MAX} keys.`;

export function isRefused(value: object): value is Refused {
  return 'refused' in value;
}

interface FileList {
  readonly files: readonly MetainfoFile[];
  readonly singleFile: boolean;
  /** With pad files. */
  readonly streamBytes: number;
}

const ASCII = /^[\x20-\x7e]*$/;
/** Between two steps. */
const FILES_A_STEP = 500;
/** Of piece layers, between two steps. */
const LAYER_BYTES_A_STEP = 64 * 1024;

/** Reads `length` or `files`. `name` was checked by the caller. */
export function* readFilesV1(
  info: BencodeDict,
  name: string,
  limits: MetainfoLimits,
): Steps<FileList | Refused> {
  const length = info.entries.get('length');
  const list = info.entries.get('files');
  if (length !== undefined && list !== undefined) {
    return { refused: 'It has both a length and a list of files; only one of them may be there.' };
  }
  if (list === undefined) {
    const sizeBytes = readSize(length);
    if (sizeBytes === undefined) return { refused: 'The length of its file is missing or wrong.' };
    if (isLink(info.entries)) return { refused: LINK_WORDS };
    const file: MetainfoFile = { path: [name], sizeBytes, offset: 0, pad: false };
    return { files: [file], singleFile: true, streamBytes: sizeBytes };
  }
  if (list.kind !== 'list' || list.items.length === 0) {
    return { refused: 'Its list of files is empty or not a list.' };
  }
  const clashes = new PathClashes();
  const files: MetainfoFile[] = [];
  let offset = 0;
  let own = 0;
  // A file may have a pad file behind it.
  if (list.items.length > 2 * limits.filesMax) return tooManyFiles(limits);
  for (const item of list.items) {
    const file = readFileV1(item, offset);
    if (isRefused(file)) return file;
    if (!file.pad) own += 1;
    if (own > limits.filesMax) return tooManyFiles(limits);
    offset += file.sizeBytes;
    if (offset > limits.sizeBytesMax) return tooLarge(limits);
    const clash = file.pad ? undefined : clashes.add(file.path);
    if (clash !== undefined) return clashWords(file.path, clash);
    files.push(file);
    if (files.length % FILES_A_STEP === 0) yield;
  }
  return { files, singleFile: false, streamBytes: offset };
}

const TOO_DEEP_WORDS = `A file lies more than ${PATH_LIMITS.depthMax} folders deep.`;
const LINK_WORDS =
  'It contains a symbolic link, which could point out of the folder on a member’s disk.';

function readFileV1(item: BencodeNode, offset: number): MetainfoFile | Refused {
  if (item.kind !== 'dict')
    return { refused: 'An entry of its list of files is not a dictionary.' };
  const { entries } = item;
  if (entries.size > DICT_KEYS_MAX) return { refused: MANY_KEYS_WORDS };
  const sizeBytes = readSize(entries.get('length'));
  if (sizeBytes === undefined) return { refused: 'The length of a file is missing or wrong.' };
  if (isLink(entries)) return { refused: LINK_WORDS };
  const plain = entries.get('path');
  const modern = entries.get('path.utf-8');
  if (plain === undefined) return { refused: 'A file in its list has no path.' };
  const path = readPath(modern ?? plain);
  if (isRefused(path)) return path;
  if (modern !== undefined) {
    // Programs differ in which of the two they follow, so the other one must be harmless as well.
    const other = readPath(plain, { anyEncoding: true });
    if (isRefused(other)) return other;
  }
  return { path: path.names, sizeBytes, offset, pad: hasAttribute(entries, 'p') };
}

function readPath(
  node: BencodeNode,
  options: { readonly anyEncoding?: boolean } = {},
): { readonly names: readonly string[] } | Refused {
  const items = node.kind === 'list' ? node.items : [];
  if (items.length === 0) {
    return { refused: 'The path of a file is empty or not a list of names.' };
  }
  if (items.length > PATH_LIMITS.depthMax) {
    return { refused: TOO_DEEP_WORDS };
  }
  const names: string[] = [];
  for (const item of items) {
    if (item.kind !== 'bytes') return { refused: 'The path of a file has a part that is no name.' };
    const name = options.anyEncoding
      ? Buffer.from(item.value).toString('latin1')
      : decodeName(item.value);
    if (name === undefined) return { refused: 'The name of a file is not valid UTF-8.' };
    const problem = nameProblem(options.anyEncoding ? withoutHighBytes(name) : name);
    if (problem !== undefined) return badName(name, problem);
    names.push(name);
  }
  return checkLength(names) ?? { names };
}

// In an unknown encoding only the ASCII characters mean something for safety.
function withoutHighBytes(name: string): string {
  return name.replace(/[\u0080-\u00ff]/g, 'x');
}

function checkLength(names: readonly string[]): Refused | undefined {
  const bytes = Buffer.byteLength(names.join('/'));
  if (bytes <= PATH_LIMITS.pathBytesMax) return undefined;
  return {
    refused: `The path ${showName(names.join('/'))} is longer than ${PATH_LIMITS.pathBytesMax} bytes.`,
  };
}

/** Reads the `file tree`. Its keys must be in order: the order of files is part of BEP 52. */
export function* readFilesV2(
  info: BencodeDict,
  name: string,
  limits: MetainfoLimits,
): Steps<FileList | Refused> {
  const tree = info.entries.get('file tree');
  if (tree?.kind !== 'dict' || tree.entries.size === 0) {
    return { refused: 'Its file tree is missing or empty.' };
  }
  const walk: TreeWalk = { files: [], clashes: new PathClashes(), limits, sizeBytes: 0 };
  const refused = yield* walkTree(walk, { entries: tree.entries, sorted: tree.sorted }, []);
  if (refused !== undefined) return refused;
  const only = walk.files[0];
  const singleFile = walk.files.length === 1 && only?.path.length === 1 && only.path[0] === name;
  return { files: walk.files, singleFile, streamBytes: walk.sizeBytes };
}

/** Of a node that may be packed: looked into once. */
type TreeFolder = Pick<BencodeDict, 'entries' | 'sorted'>;

interface TreeWalk {
  readonly files: MetainfoFile[];
  readonly clashes: PathClashes;
  readonly limits: MetainfoLimits;
  sizeBytes: number;
}

function* walkTree(
  walk: TreeWalk,
  folder: TreeFolder,
  above: readonly string[],
): Steps<Refused | undefined> {
  if (!folder.sorted) return { refused: 'The names in its file tree are not in order (BEP 52).' };
  if (above.length >= PATH_LIMITS.depthMax) {
    return { refused: TOO_DEEP_WORDS };
  }
  for (const [key, node] of folder.entries) {
    if (key === '') return { refused: 'Its file tree has a file without a name.' };
    if (node.kind !== 'dict') return { refused: 'Its file tree has a part that is no dictionary.' };
    const name = ASCII.test(key) ? key : decodeName(Buffer.from(key, 'latin1'));
    if (name === undefined) return { refused: 'The name of a file is not valid UTF-8.' };
    const problem = nameProblem(name);
    if (problem !== undefined) return badName(name, problem);
    // By `concat`, which makes room for no more than is there.
    const path = above.concat(name);
    const below = { entries: node.entries, sorted: node.sorted };
    const refused = below.entries.has('')
      ? addFileV2(walk, below.entries, path)
      : yield* walkFolder(walk, below, path);
    if (refused !== undefined) return refused;
    if (walk.files.length % FILES_A_STEP === 0) yield;
  }
  return undefined;
}

function* walkFolder(
  walk: TreeWalk,
  folder: TreeFolder,
  path: readonly string[],
): Steps<Refused | undefined> {
  if (folder.entries.size === 0) {
    return { refused: `The folder ${showName(path.join('/'))} in its file tree is empty.` };
  }
  return yield* walkTree(walk, folder, path);
}

function addFileV2(
  walk: TreeWalk,
  entries: BencodeDict['entries'],
  path: readonly string[],
): Refused | undefined {
  const leaf = entries.get('');
  const shown = (): string => showName(path.join('/'));
  if (entries.size > 1) return { refused: `${shown()} is both a file and a folder.` };
  if (leaf?.kind !== 'dict') return { refused: `The entry of ${shown()} is not a dictionary.` };
  const { entries: facts } = leaf;
  if (facts.size > DICT_KEYS_MAX) return { refused: MANY_KEYS_WORDS };
  if (isLink(facts)) return { refused: LINK_WORDS };
  const sizeBytes = readSize(facts.get('length'));
  if (sizeBytes === undefined) return { refused: `The length of ${shown()} is missing or wrong.` };
  const root = facts.get('pieces root');
  const rootBytes = root?.kind === 'bytes' ? root.value : undefined;
  const isRoot = rootBytes?.length === SHA256_BYTES;
  if (sizeBytes > 0 && !isRoot)
    return { refused: `The root hash of ${shown()} is missing or wrong.` };
  if (sizeBytes === 0 && root !== undefined) {
    return { refused: `${shown()} is empty and must not have a root hash.` };
  }
  if (walk.files.length >= walk.limits.filesMax) return tooManyFiles(walk.limits);
  walk.sizeBytes += sizeBytes;
  if (walk.sizeBytes > walk.limits.sizeBytesMax) return tooLarge(walk.limits);
  const tooLong = checkLength(path);
  if (tooLong !== undefined) return tooLong;
  const clash = walk.clashes.add(path);
  if (clash !== undefined) return clashWords(path, clash);
  const pad = hasAttribute(facts, 'p');
  walk.files.push(
    isRoot ? { path, sizeBytes, pad, rootHash: rootBytes } : { path, sizeBytes, pad },
  );
  return undefined;
}

/**
 * Checks that the v1 list of a hybrid torrent is the v2 tree with pad files, so that a v1 and a v2
 * peer exchange the same pieces; returns the list with root hashes added.
 */
export function* mergeHybrid(
  v1: Pick<FileList, 'files' | 'singleFile'>,
  v2: Pick<FileList, 'files' | 'singleFile'>,
  pieceLength: number,
): Steps<readonly MetainfoFile[] | Refused> {
  if (v1.singleFile !== v2.singleFile)
    return hybridWords('one is a single file, the other a folder');
  const merged: MetainfoFile[] = [];
  let next = 0;
  let streamBytes = 0;
  for (const file of v1.files) {
    const start = streamBytes;
    streamBytes += file.sizeBytes;
    if (file.pad) {
      // A pad that is longer than needed would shift what follows by whole pieces.
      if (file.sizeBytes >= pieceLength) return hybridWords('a pad file is a piece long or longer');
      merged.push(file);
      continue;
    }
    const twin = v2.files[next];
    const shown = (): string => showName(file.path.join('/'));
    if (twin === undefined) return hybridWords(`${shown()} is only in the v1 list`);
    next += 1;
    if (twin.path.join('/') !== file.path.join('/')) {
      return hybridWords(`${shown()} stands where ${showName(twin.path.join('/'))} is in v2`);
    }
    if (twin.sizeBytes !== file.sizeBytes) return hybridWords(`${shown()} has two sizes`);
    if (file.sizeBytes > 0 && start % pieceLength !== 0) {
      return hybridWords(`${shown()} does not begin at a piece; a pad file is missing before it`);
    }
    merged.push(twin.rootHash === undefined ? file : { ...file, rootHash: twin.rootHash });
    if (next % FILES_A_STEP === 0) yield;
  }
  const missing = v2.files[next];
  if (missing !== undefined) {
    return hybridWords(`${showName(missing.path.join('/'))} is only in the v2 tree`);
  }
  return merged;
}

function hybridWords(clause: string): Refused {
  return { refused: `Its v1 and its v2 half describe different content: ${clause}.` };
}

/**
 * Checks `piece layers` against the files' roots, and returns them by root in lower-case hex. Views
 * into the input.
 */
export function* readPieceLayers(
  node: BencodeNode | undefined,
  files: readonly MetainfoFile[],
  pieceLength: number,
): Steps<ReadonlyMap<string, Uint8Array> | Refused> {
  const layers = new Map<string, Uint8Array>();
  const given = node?.kind === 'dict' ? node.entries : new Map<string, BencodeNode>();
  if (node !== undefined && node.kind !== 'dict') {
    return { refused: 'Its piece layers are not a dictionary.' };
  }
  let hashedBytes = 0;
  for (const [index, file] of files.entries()) {
    if (hashedBytes >= LAYER_BYTES_A_STEP || index % (10 * FILES_A_STEP) === 0) {
      hashedBytes = 0;
      yield;
    }
    if (file.rootHash === undefined || file.sizeBytes <= pieceLength) continue;
    const root = toHex(file.rootHash);
    const shown = showName(file.path.join('/'));
    const layer = given.get(Buffer.from(file.rootHash).toString('latin1'));
    if (layer?.kind !== 'bytes') return { refused: `The piece hashes of ${shown} are missing.` };
    const expected = Math.ceil(file.sizeBytes / pieceLength) * SHA256_BYTES;
    if (layer.value.length !== expected) {
      return {
        refused: `The piece hashes of ${shown} are ${layer.value.length} bytes, expected ${expected}.`,
      };
    }
    if (layers.has(root)) continue;
    hashedBytes += expected;
    const computed = merkleRoot(layer.value, pieceHeight(pieceLength));
    if (toHex(computed) !== root) {
      return { refused: `The piece hashes of ${shown} do not match its root hash.` };
    }
    layers.set(root, layer.value);
  }
  if (given.size > layers.size) {
    return { refused: 'It has piece hashes that belong to none of its files.' };
  }
  return layers;
}

function readSize(node: BencodeNode | undefined): number | undefined {
  if (node?.kind !== 'integer' || typeof node.value !== 'number') return undefined;
  return node.value >= 0 ? node.value : undefined;
}

function hasAttribute(entries: BencodeDict['entries'], letter: string): boolean {
  const attributes = entries.get('attr');
  return attributes?.kind === 'bytes' && attributes.value.includes(letter.charCodeAt(0));
}

function isLink(entries: BencodeDict['entries']): boolean {
  return hasAttribute(entries, 'l') || entries.has('symlink path');
}

function badName(name: string, problem: string): Refused {
  return { refused: `The name ${showName(name)} cannot be accepted: ${problem}.` };
}

/**
 * Why no torrent could be made of files at these paths, as `readFilesV1` would say once their content was
 * hashed; undefined when one can. Names by themselves are the caller's to check.
 */
export function* problemOfPaths(
  files: readonly Pick<MetainfoFile, 'path'>[],
): Steps<string | undefined> {
  const clashes = new PathClashes();
  for (const [index, { path }] of files.entries()) {
    if (index % FILES_A_STEP === 0) yield;
    if (path.length > PATH_LIMITS.depthMax) return TOO_DEEP_WORDS;
    const tooLong = checkLength(path);
    if (tooLong !== undefined) return tooLong.refused;
    const clash = clashes.add(path);
    if (clash !== undefined) return clashWords(path, clash).refused;
  }
  return undefined;
}

function clashWords(path: readonly string[], other: string): Refused {
  const names = `${showName(path.join('/'))} and ${showName(other)}`;
  return { refused: `${names} would be one file on some members’ disks.` };
}

function tooManyFiles(limits: MetainfoLimits): Refused {
  return { refused: `It has more than ${limits.filesMax} files.` };
}

function tooLarge(limits: MetainfoLimits): Refused {
  return { refused: `Its content is larger than ${limits.sizeBytesMax} bytes.` };
}
