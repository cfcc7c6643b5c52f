// A folder of a torrent as a tar while it is read: page after page of its entries, segment after segment
// of their files. Nothing of it is held but a page and two segments.

import { ArchiveError } from '#archive/errors.ts';
import {
  type ContentEntry,
  type ContentFiles,
  type ContentTorrent,
  type ContentTree,
  TOP,
} from './content-tree.ts';
import { tarEnd, tarHeader, tarPadding } from './tar-header.ts';

const ENTRIES_AT_ONCE = 500;
/** Small parts are given together: a folder of tiny files is mostly headers. */
const GATHERED_BYTES_MIN = 64 * 1024;

export interface TarSource {
  readonly tree: ContentTree;
  readonly files: Pick<ContentFiles, 'find'>;
}

export interface TarRequest {
  readonly torrent: ContentTorrent;
  /** TOP for all of the torrent. */
  readonly folder: Pick<ContentEntry, 'path' | 'position'>;
  readonly signal: AbortSignal;
}

/**
 * Paths begin with the folder's name, or the torrent's. @throws ArchiveError ARCHIVE_FILE_MISSING for a
 * file that is not kept; StoreError
 */
export function tarOf(source: TarSource, request: TarRequest): AsyncGenerator<Uint8Array> {
  return gathered(partsOf(source, request));
}

async function* partsOf(source: TarSource, request: TarRequest): AsyncGenerator<Uint8Array> {
  const { torrent, folder, signal } = request;
  const { createdMs: changedMs } = torrent;
  const top = await topOf(source, request);
  if (top !== '') yield tarHeader({ path: top, bytes: 0, changedMs });
  for (let after = folder.position; ; ) {
    const of = { torrentId: torrent.id, path: folder.path, after };
    const entries = await source.tree.below(of, ENTRIES_AT_ONCE);
    for (const entry of entries) {
      signal.throwIfAborted();
      const path = top + entry.path.slice(folder.path.length);
      if (entry.isFolder) yield tarHeader({ path, bytes: 0, changedMs });
      else yield* fileOf(source, request, { entry, path });
    }
    const last = entries.at(-1);
    if (last === undefined) break;
    after = last.position;
  }
  yield tarEnd();
}

/** Empty for a torrent of one file, which lies in no folder. */
async function topOf(source: TarSource, { torrent, folder }: TarRequest): Promise<string> {
  if (folder.path !== TOP.path) return `${folder.path.slice(0, -1).split('/').at(-1)}/`;
  const first = await source.tree.below({ torrentId: torrent.id, path: '', after: -1 }, 2);
  const isAlone = first.length === 1 && first[0]?.path === torrent.name;
  return isAlone ? '' : `${torrent.name}/`;
}

async function* fileOf(
  { files }: TarSource,
  { torrent, signal }: TarRequest,
  { entry, path }: { readonly entry: ContentEntry; readonly path: string },
): AsyncGenerator<Uint8Array> {
  const content = await files.find(torrent, entry.path);
  if (content === undefined || content.bytes !== entry.sizeBytes) {
    throw new ArchiveError('ARCHIVE_FILE_MISSING', `No content of "${entry.path}"`);
  }
  const { bytes } = content;
  yield tarHeader({ path, bytes, changedMs: torrent.createdMs });
  yield* content.read({ start: 0, end: bytes }, signal);
  const padding = tarPadding(bytes);
  if (padding > 0) yield new Uint8Array(padding);
}

async function* gathered(parts: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of parts) {
    waiting.push(part);
    bytes += part.length;
    if (bytes < GATHERED_BYTES_MIN) continue;
    yield waiting.length === 1 ? part : Buffer.concat(waiting);
    waiting = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(waiting);
}
