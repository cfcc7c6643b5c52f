// A folder of a torrent as a tar while it is read: page after page of its entries, segment after segment
// of their files. Nothing of it is held but a page and two segments. The same folder gives the same bytes
// each time, so that any range of them can be given; what lies before it is counted and not read.

import { createHash } from 'node:crypto';
import { ArchiveError } from '#archive/errors.ts';
import type { ByteRange } from '#archive/web-seed/seed-request.ts';
import {
  type ContentEntry,
  type ContentFiles,
  type ContentTorrent,
  type ContentTree,
  TOP,
} from './content-tree.ts';
import { tarEnd, tarHeader, tarHeaderBytes, tarPadding } from './tar-header.ts';

const ENTRIES_AT_ONCE = 500;
/** Small parts are given together: a folder of tiny files is mostly headers. */
const GATHERED_BYTES_MIN = 64 * 1024;
/** Rows are read for each before the first byte is given. */
const MEASURED_ENTRIES_MAX = 20_000;

export interface TarSource {
  readonly tree: ContentTree;
  readonly files: Pick<ContentFiles, 'find'>;
}

export interface TarRequest {
  readonly torrent: ContentTorrent;
  /** TOP for all of the torrent. */
  readonly folder: Pick<ContentEntry, 'path' | 'position'>;
  /** Levels of folders below it that go with it, 0 for none; all unless given. */
  readonly depth?: number | undefined;
  /** Of the tar's bytes; all of them unless given. */
  readonly range?: ByteRange | undefined;
  readonly signal: AbortSignal;
}

export interface TarMeasure {
  readonly bytes: number;
  /** As the header has it, with its quotes: equal only for equal bytes. */
  readonly etag: string;
}

/**
 * Paths begin with the folder's name, or the torrent's. @throws ArchiveError ARCHIVE_FILE_MISSING for a
 * file that is not kept; StoreError
 */
export function tarOf(source: TarSource, request: TarRequest): AsyncGenerator<Uint8Array> {
  return gathered(partsOf(source, request));
}

/**
 * How large it will be. Undefined of a folder of more than 20,000 files and folders, which begins at once
 * instead. @throws SqlError
 */
export async function measureTar(
  { tree }: { readonly tree: Pick<ContentTree, 'below'> },
  request: TarRequest,
): Promise<TarMeasure | undefined> {
  const { id, createdMs: changedMs } = request.torrent;
  // What a file of a torrent contains never changes, so names and sizes tell all the rest.
  const layout = createHash('sha256').update(`tar ${id} ${changedMs}\n`);
  let bytes = tarEnd().length;
  let entries = 0;
  for await (const { path, sizeBytes } of entriesOf(tree, request)) {
    entries += 1;
    if (entries > MEASURED_ENTRIES_MAX) return undefined;
    layout.update(`${sizeBytes} ${path}\n`);
    const headerBytes = tarHeaderBytes({ path, bytes: sizeBytes, changedMs });
    bytes += headerBytes + sizeBytes + tarPadding(sizeBytes);
  }
  return { bytes, etag: `"${layout.digest('hex')}"` };
}

/** As it lies in the tar. */
interface TarMember {
  readonly path: string;
  /** 0 of a folder. */
  readonly sizeBytes: number;
  /** Where the tree has it. */
  readonly from: string;
}

async function* entriesOf(
  tree: Pick<ContentTree, 'below'>,
  { torrent, folder, depth, signal }: TarRequest,
): AsyncGenerator<TarMember> {
  const top = await topOf(tree, { torrent, folder });
  if (top !== '') yield { path: top, sizeBytes: 0, from: folder.path };
  for (let after = folder.position; ; ) {
    const of = { torrentId: torrent.id, path: folder.path, after };
    const entries = await tree.below(of, ENTRIES_AT_ONCE);
    for (const { path, isFolder, sizeBytes } of entries) {
      signal.throwIfAborted();
      const below = path.slice(folder.path.length);
      if (depth !== undefined && below.split('/').length - 1 > depth) continue;
      yield { path: top + below, sizeBytes: isFolder ? 0 : sizeBytes, from: path };
    }
    const last = entries.at(-1);
    if (last === undefined) return;
    after = last.position;
  }
}

/** Empty for a torrent of one file, which lies in no folder. */
async function topOf(
  tree: Pick<ContentTree, 'below'>,
  { torrent, folder }: Pick<TarRequest, 'torrent' | 'folder'>,
): Promise<string> {
  if (folder.path !== TOP.path) return `${folder.path.slice(0, -1).split('/').at(-1)}/`;
  const first = await tree.below({ torrentId: torrent.id, path: '', after: -1 }, 2);
  const isAlone = first.length === 1 && first[0]?.path === torrent.name;
  return isAlone ? '' : `${torrent.name}/`;
}

async function* partsOf(source: TarSource, request: TarRequest): AsyncGenerator<Uint8Array> {
  const range = request.range ?? { start: 0, end: Number.POSITIVE_INFINITY };
  const changedMs = request.torrent.createdMs;
  let at = 0;
  const within = (part: Uint8Array): Uint8Array => {
    const start = Math.max(0, range.start - at);
    const end = Math.max(start, range.end - at);
    at += part.length;
    return part.subarray(start, end);
  };
  for await (const member of entriesOf(source.tree, request)) {
    if (at >= range.end) return;
    const { path, sizeBytes } = member;
    yield within(tarHeader({ path, bytes: sizeBytes, changedMs }));
    const start = Math.max(0, range.start - at);
    const end = Math.min(sizeBytes, range.end - at);
    if (start < end) yield* contentOf(source, request, { member, part: { start, end } });
    at += sizeBytes;
    yield within(new Uint8Array(tarPadding(sizeBytes)));
  }
  yield within(tarEnd());
}

async function* contentOf(
  { files }: TarSource,
  { torrent, signal }: TarRequest,
  { member, part }: { readonly member: TarMember; readonly part: ByteRange },
): AsyncGenerator<Uint8Array> {
  const content = await files.find(torrent, member.from);
  if (content === undefined || content.bytes !== member.sizeBytes) {
    throw new ArchiveError('ARCHIVE_FILE_MISSING', `No content of "${member.from}"`);
  }
  yield* content.read(part, signal);
}

async function* gathered(parts: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of parts) {
    if (part.length === 0) continue;
    waiting.push(part);
    bytes += part.length;
    if (bytes < GATHERED_BYTES_MIN) continue;
    yield waiting.length === 1 ? part : Buffer.concat(waiting);
    waiting = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(waiting);
}
