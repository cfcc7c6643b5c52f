// A .torrent file, read and checked: v1 (BEP 3), v2 (BEP 52) and hybrid, with tiers (BEP 12), web
// seeds (BEP 19), the private flag (BEP 27) and pad files (BEP 47). What comes out of here is safe
// to hand to members: its paths stay in their folder on every system, its hashes are complete and,
// for v2, proven against the roots. A refusal is a sentence for the person who uploads.

import { createHash } from 'node:crypto';
import { endOfSteps, type Steps } from '#base/steps.ts';
import { type BencodeDict, type BencodeNode, decodeInSteps, TORRENT_LIMITS } from './bencode.ts';
import { DICT_KEYS_MAX } from './bencode-skim.ts';
import { BLOCK_BYTES } from './merkle.ts';
import {
  ALL_EMPTY_WORDS,
  isRefused,
  MANY_KEYS_WORDS,
  type MetainfoFile,
  type MetainfoLimits,
  mergeHybrid,
  type Refused,
  readFilesV1,
  readFilesV2,
  readPieceLayers,
} from './metainfo-files.ts';
import { decodeName, nameProblem, showName } from './metainfo-path.ts';

export interface Metainfo {
  readonly version: 'v1' | 'v2' | 'hybrid';
  /** The file's or the folder's name. */
  readonly name: string;
  readonly singleFile: boolean;
  /** 20 bytes, SHA-1 of the info dictionary. Absent in v2-only torrents. */
  readonly infoHashV1?: Uint8Array;
  /** 32 bytes, SHA-256 of the info dictionary. Absent in v1-only torrents. */
  readonly infoHashV2?: Uint8Array;
  /** The first 20 bytes of `infoHashV2`: what is announced (BEP 52). */
  readonly infoHashV2Truncated?: Uint8Array;
  /** Bytes in a piece. */
  readonly pieceLength: number;
  readonly private: boolean;
  readonly source?: string;
  /** Of the content, pad files not counted. */
  readonly sizeBytes: number;
  /** In the torrent's order, pad files included. */
  readonly files: readonly MetainfoFile[];
  /** The v1 piece hashes, 20 bytes each. A view into the input. */
  readonly pieces?: Uint8Array;
  /** The v2 piece hashes, 32 bytes each, by root in lower-case hex; files of more than a piece. */
  readonly pieceLayers?: ReadonlyMap<string, Uint8Array>;
  readonly comment?: string;
  readonly createdBy?: string;
  /** Unix seconds, as the file claims. */
  readonly creationDate?: number;
  /** Tiers of `announce-list`, or the one of `announce`. */
  readonly announceTiers: readonly (readonly string[])[];
  readonly webSeeds: readonly string[];
  /** Where the info dictionary stands in the input: `start` to before `end`. */
  readonly infoSpan: { readonly start: number; readonly end: number };
}

export type MetainfoResult =
  | { readonly ok: true; readonly metainfo: Metainfo }
  | { readonly ok: false; readonly reason: string };

/** Of a .torrent file. */
export const METAINFO_BYTES_MAX = TORRENT_LIMITS.bytesMax;
/** Pad files not counted. A file takes 60 to 250 bytes of it, and half a KB of memory while it is read. */
export const METAINFO_LIMITS: MetainfoLimits & { readonly pieceLengthMax: number } = {
  filesMax: 1_000_000,
  sizeBytesMax: 2 ** 50,
  pieceLengthMax: 256 * 1024 * 1024,
};

const TEXT_BYTES_MAX = 64 * 1024;
const URLS_MAX = 100;

/** Reads and checks a whole .torrent file of at most 256 MiB. Never throws. */
export function parseMetainfo(bytes: Uint8Array): MetainfoResult {
  return endOfSteps(parseInSteps(bytes));
}

/** The same by steps of a few milliseconds: one of a million files takes seconds. */
export function* parseInSteps(bytes: Uint8Array): Steps<MetainfoResult> {
  const decoded = yield* decodeInSteps(bytes, TORRENT_LIMITS);
  if (!decoded.ok) return refuse(`This is not a torrent file: ${decoded.reason}.`);
  if (decoded.node.kind !== 'dict') return refuse('This is not a torrent file: no dictionary.');
  const root = decoded.node;
  const info = root.entries.get('info');
  if (info?.kind !== 'dict')
    return refuse('This is not a torrent file: it has no info dictionary.');
  if (Math.max(root.entries.size, info.entries.size) > DICT_KEYS_MAX) {
    return refuse(MANY_KEYS_WORDS);
  }
  const parsed = yield* readInfo(root, info);
  if (isRefused(parsed)) return refuse(parsed.refused);
  const infoBytes = bytes.subarray(info.start, info.end);
  const metainfo: Metainfo = {
    ...parsed,
    ...hashes(parsed.version, infoBytes),
    ...optionalText('comment', root),
    ...optionalText('createdBy', root, 'created by'),
    ...creationDate(root),
    announceTiers: announceTiers(root),
    webSeeds: webSeeds(root),
    infoSpan: { start: info.start, end: info.end },
  };
  return { ok: true, metainfo };
}

function refuse(reason: string): MetainfoResult {
  return { ok: false, reason };
}

type InfoPart = Pick<
  Metainfo,
  | 'version'
  | 'name'
  | 'singleFile'
  | 'pieceLength'
  | 'private'
  | 'source'
  | 'sizeBytes'
  | 'files'
  | 'pieces'
  | 'pieceLayers'
>;

function* readInfo(root: BencodeDict, info: BencodeDict): Steps<InfoPart | Refused> {
  const version = readVersion(info);
  if (typeof version !== 'string') return version;
  const name = readTorrentName(info);
  if (typeof name !== 'string') return name;
  const pieceLength = readPieceLength(info, version);
  if (typeof pieceLength !== 'number') return pieceLength;
  const content = yield* readContent(root, info, { version, name, pieceLength });
  if (isRefused(content)) return content;
  let sizeBytes = 0;
  for (const file of content.files) if (!file.pad) sizeBytes += file.sizeBytes;
  if (sizeBytes === 0) return { refused: ALL_EMPTY_WORDS };
  const flag = info.entries.get('private');
  const isPrivate = flag?.kind === 'integer' && flag.value === 1;
  const source = optionalText('source', info);
  return { version, name, pieceLength, private: isPrivate, sizeBytes, ...source, ...content };
}

function readVersion(info: BencodeDict): Metainfo['version'] | Refused {
  const meta = info.entries.get('meta version');
  const hasV1 = info.entries.has('pieces');
  if (meta === undefined) {
    if (hasV1) return 'v1';
    return { refused: 'It has neither v1 pieces nor a v2 file tree.' };
  }
  if (meta.kind !== 'integer' || meta.value !== 2) {
    return { refused: 'It is of a version of BitTorrent that is not known here; v1 and v2 are.' };
  }
  return hasV1 ? 'hybrid' : 'v2';
}

function readTorrentName(info: BencodeDict): string | Refused {
  const plain = info.entries.get('name');
  const node = info.entries.get('name.utf-8') ?? plain;
  if (node?.kind !== 'bytes' || plain?.kind !== 'bytes') return { refused: 'It has no name.' };
  const name = decodeName(node.value);
  if (name === undefined) return { refused: 'Its name is not valid UTF-8.' };
  // Programs differ in which of the two they follow, so both must be harmless.
  const other = Buffer.from(plain.value)
    .toString('latin1')
    .replace(/[\u0080-\u00ff]/g, 'x');
  const problem = nameProblem(name) ?? nameProblem(other);
  if (problem === undefined) return name;
  return { refused: `Its name ${showName(name)} cannot be accepted: ${problem}.` };
}

function readPieceLength(info: BencodeDict, version: Metainfo['version']): number | Refused {
  const node = info.entries.get('piece length');
  const value = node?.kind === 'integer' ? Number(node.value) : Number.NaN;
  if (!(value >= BLOCK_BYTES && value <= METAINFO_LIMITS.pieceLengthMax)) {
    return { refused: 'Its piece size is missing or not between 16 KiB and 256 MiB.' };
  }
  if (version !== 'v1' && !Number.isInteger(Math.log2(value))) {
    return { refused: `Its piece size of ${value} bytes is not a power of two (BEP 52).` };
  }
  return value;
}

interface Head {
  readonly version: Metainfo['version'];
  readonly name: string;
  readonly pieceLength: number;
}

type Content = Pick<Metainfo, 'files' | 'singleFile' | 'pieces' | 'pieceLayers'>;

function* readContent(root: BencodeDict, info: BencodeDict, head: Head): Steps<Content | Refused> {
  const { version, name, pieceLength } = head;
  if (version === 'v1') return yield* readV1(info, name, pieceLength);
  const v2 = yield* readFilesV2(info, name, METAINFO_LIMITS);
  if (isRefused(v2)) return v2;
  const layers = root.entries.get('piece layers');
  const pieceLayers = yield* readPieceLayers(layers, v2.files, pieceLength);
  if (isRefused(pieceLayers)) return pieceLayers;
  if (version === 'v2') return { files: v2.files, singleFile: v2.singleFile, pieceLayers };
  const v1 = yield* readV1(info, name, pieceLength);
  if (isRefused(v1)) return v1;
  const files = yield* mergeHybrid(v1, v2, pieceLength);
  if (isRefused(files)) return files;
  return { ...v1, files, pieceLayers };
}

function* readV1(info: BencodeDict, name: string, pieceLength: number): Steps<Content | Refused> {
  const list = yield* readFilesV1(info, name, METAINFO_LIMITS);
  if (isRefused(list)) return list;
  const pieces = info.entries.get('pieces');
  const expected = Math.ceil(list.streamBytes / pieceLength) * 20;
  if (pieces?.kind !== 'bytes') return { refused: 'Its piece hashes are missing.' };
  if (pieces.value.length !== expected) {
    return {
      refused: `Its piece hashes are ${pieces.value.length} bytes, expected ${expected} for its size.`,
    };
  }
  return { files: list.files, singleFile: list.singleFile, pieces: pieces.value };
}

function hashes(
  version: Metainfo['version'],
  info: Uint8Array,
): Pick<Metainfo, 'infoHashV1' | 'infoHashV2' | 'infoHashV2Truncated'> {
  const v1 = (): Uint8Array => new Uint8Array(createHash('sha1').update(info).digest());
  if (version === 'v1') return { infoHashV1: v1() };
  const infoHashV2 = new Uint8Array(createHash('sha256').update(info).digest());
  const v2 = { infoHashV2, infoHashV2Truncated: infoHashV2.slice(0, 20) };
  return version === 'v2' ? v2 : { infoHashV1: v1(), ...v2 };
}

type TextField = 'comment' | 'createdBy' | 'source';

/** Text that is only shown: absent when it is no string; bytes that are no UTF-8 are replaced. */
function optionalText<Field extends TextField>(
  field: Field,
  dict: BencodeDict,
  key: string = field,
): { readonly [name in Field]?: string } {
  const node = dict.entries.get(key);
  if (node?.kind !== 'bytes' || node.value.length > TEXT_BYTES_MAX) return {};
  return { [field]: Buffer.from(node.value).toString('utf8') } as { [name in Field]: string };
}

function creationDate(root: BencodeDict): { readonly creationDate?: number } {
  const node = root.entries.get('creation date');
  if (node?.kind !== 'integer' || typeof node.value !== 'number' || node.value < 0) return {};
  return { creationDate: node.value };
}

function announceTiers(root: BencodeDict): string[][] {
  const tiers: string[][] = [];
  const list = root.entries.get('announce-list');
  let room = URLS_MAX;
  if (list?.kind === 'list') {
    for (const tier of list.items) {
      if (tier.kind !== 'list') continue;
      const urls = tier.items.map(asUrl).filter((url) => url !== undefined);
      if (urls.length > 0 && room > 0) tiers.push(urls.slice(0, room));
      room -= urls.length;
    }
  }
  if (tiers.length > 0) return tiers;
  const only = asUrl(root.entries.get('announce'));
  return only === undefined ? [] : [[only]];
}

function webSeeds(root: BencodeDict): string[] {
  const node = root.entries.get('url-list');
  const items = node?.kind === 'list' ? node.items.slice(0, URLS_MAX) : [node];
  return items.map(asUrl).filter((url) => url !== undefined);
}

function asUrl(node: BencodeNode | undefined): string | undefined {
  if (node?.kind !== 'bytes' || node.value.length === 0 || node.value.length > 2048) {
    return undefined;
  }
  return Buffer.from(node.value).toString('utf8');
}
