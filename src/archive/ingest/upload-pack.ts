// A folder of files as one upload of a browser, so that a thousand files are one thing that is resumed, and
// not a thousand. This file owns the format. Integers are little endian.
//
//   0   8  "SKUPLD1\n"
//   8   4  bytes of the list, at most 16 MiB
//   12  …  the list, JSON in UTF-8: [["folder/a.txt", 1234], …], paths with `/` and the bytes of each file
//   …      the files, one after the other in the order of the list
//
// A pack is accepted when its list is as said and the files take up all that follows it. Names are judged
// by who makes the torrent.

import type { FileRange } from '#archive/content/file-reader.ts';
import { METAINFO_LIMITS } from '#wire/metainfo.ts';
import type { ContentFile } from '#wire/metainfo-maker.ts';

const MAGIC = 'SKUPLD1\n';
const HEAD_BYTES = 12;
const LIST_BYTES_MAX = 16 * 1024 * 1024;
const PATH_CHARS_MAX = 4096;

export interface PackSource {
  readonly bytes: number;
  read(range: FileRange): AsyncIterable<Uint8Array>;
}

export interface UploadedContent {
  /** Of the folder that all files lie in, or of the only file; undefined for several without a folder. */
  readonly name: string | undefined;
  readonly singleFile: boolean;
  readonly files: readonly ContentFile[];
}

/** A sentence for who sent it when it is no pack. @throws what `read` throws */
export async function readUploadPack(source: PackSource): Promise<UploadedContent | string> {
  const head = await bytesOf(source, { start: 0, end: Math.min(HEAD_BYTES, source.bytes) });
  const isPack = head.length === HEAD_BYTES && head.toString('latin1', 0, 8) === MAGIC;
  if (!isPack) return 'What came is no upload of this page.';
  const listEnd = HEAD_BYTES + head.readUInt32LE(8);
  if (listEnd - HEAD_BYTES > LIST_BYTES_MAX || listEnd > source.bytes) {
    return 'The list of files is too long or not complete.';
  }
  const list = listOf(
    (await bytesOf(source, { start: HEAD_BYTES, end: listEnd })).toString('utf8'),
  );
  if (typeof list === 'string') return list;
  let at = listEnd;
  const files: ContentFile[] = [];
  for (const { path, bytes } of list) {
    const start = at;
    at += bytes;
    const end = at;
    files.push({ path, sizeBytes: bytes, read: () => source.read({ start, end }) });
  }
  if (at !== source.bytes) return 'The upload has not the bytes that its list says.';
  return contentOf(files);
}

/** Files that lie in one folder are a torrent of that name; one that lies in none is itself. */
export function contentOf(files: readonly ContentFile[]): UploadedContent {
  const [first] = files;
  const top = first?.path[0];
  if (files.length === 1 && first?.path.length === 1) {
    return { name: top, singleFile: true, files };
  }
  const isFolder = files.every(({ path }) => path.length > 1 && path[0] === top);
  if (!isFolder) return { name: undefined, singleFile: false, files };
  const below = files.map((file) => ({ ...file, path: file.path.slice(1) }));
  return { name: top, singleFile: false, files: below };
}

interface Listed {
  readonly path: readonly string[];
  readonly bytes: number;
}

function listOf(text: string): readonly Listed[] | string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    parsed = undefined;
  }
  if (!Array.isArray(parsed) || parsed.length === 0) return 'There are no files in it.';
  if (parsed.length > METAINFO_LIMITS.filesMax) {
    return `There are more than ${METAINFO_LIMITS.filesMax} files in it.`;
  }
  const listed: Listed[] = [];
  for (const entry of parsed as unknown[]) {
    const [path, bytes] = Array.isArray(entry) ? (entry as unknown[]) : [];
    const isPath = typeof path === 'string' && path.length <= PATH_CHARS_MAX;
    const isSize = typeof bytes === 'number' && Number.isSafeInteger(bytes) && bytes >= 0;
    if (!isPath || !isSize) return 'The list of files is not as it should be.';
    listed.push({ path: path.split('/'), bytes });
  }
  return listed;
}

async function bytesOf(source: PackSource, range: FileRange): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of source.read(range)) parts.push(part);
  return Buffer.concat(parts);
}
