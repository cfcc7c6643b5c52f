// The folders and files of torrents as downloads need them, and the content under a path. The site, which
// has the tables, implements the tree.

import { decodeFileMap, type FileMap } from '#archive/content/file-map.ts';
import { readFileRange } from '#archive/content/file-reader.ts';
import type { SegmentCache } from '#archive/content/segment-cache.ts';
import { ArchiveError } from '#archive/errors.ts';
import type { SeedFiles } from '#archive/web-seed/seed-files.ts';
import type { ByteRange } from '#archive/web-seed/seed-request.ts';

/** A torrent that may be downloaded. */
export interface ContentTorrent {
  readonly id: number;
  /** As in the info dictionary: the file's or the folder's name. */
  readonly name: string;
  /** When its files were made, as far as anybody knows. Unix milliseconds. */
  readonly createdMs: number;
}

/** A folder or a file in a torrent. */
export interface ContentEntry {
  /** Its place in the torrent's tree; folders stand before what is in them. */
  readonly position: number;
  /** From the torrent's top, names joined by `/`; a folder's ends with one. */
  readonly path: string;
  readonly name: string;
  readonly isFolder: boolean;
  readonly sizeBytes: number;
}

/** The top of a torrent, where its first entries lie. */
export const TOP = { position: -1, path: '' } as const;

export interface ContentTree {
  /** Of a folder, in the order of the tree, after that position; at most `limit`. */
  children(
    of: { readonly torrentId: number; readonly folder: number; readonly after: number },
    limit: number,
  ): Promise<readonly ContentEntry[]>;
  child(
    of: { readonly torrentId: number; readonly folder: number },
    name: string,
  ): Promise<ContentEntry | undefined>;
  /** Everything below the folder with that path, at any depth, after that position. */
  below(
    of: { readonly torrentId: number; readonly path: string; readonly after: number },
    limit: number,
  ): Promise<readonly ContentEntry[]>;
}

/** Bytes under one ETag. */
export interface FileContent {
  readonly bytes: number;
  /** As the header has it, with its quotes. */
  readonly etag: string;
  /** The pieces root of BEP 52 in hex; absent of an empty file. */
  readonly root?: string;
  /** @throws ArchiveError, StoreError */
  read(range: ByteRange, signal: AbortSignal): AsyncGenerator<Uint8Array>;
}

export class ContentFiles {
  readonly #files: SeedFiles;
  readonly #segments: SegmentCache;

  constructor(files: SeedFiles, segments: SegmentCache) {
    this.#files = files;
    this.#segments = segments;
  }

  /** Undefined when the torrent is not kept or has no such file. @throws SqlError */
  async find(torrent: ContentTorrent, path: string): Promise<FileContent | undefined> {
    const names = path.split('/');
    const found =
      (await this.#files.find(torrent.id, [torrent.name, ...names])) ??
      (await this.#files.find(torrent.id, names));
    if (found === undefined) return undefined;
    if (found.kind === 'zeros') return EMPTY;
    const { file } = found;
    return {
      bytes: file.bytes,
      etag: `"${file.mapRef.slice('sha256-'.length)}"`,
      ...(file.root === undefined ? {} : { root: file.root }),
      read: (range, signal) => this.#read(file, range, signal),
    };
  }

  async *#read(
    file: { readonly mapRef: Parameters<SegmentCache['get']>[0]; readonly bytes: number },
    range: ByteRange,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const map: FileMap | undefined = decodeFileMap(
      await this.#segments.get(file.mapRef, { signal }),
    );
    if (map === undefined || map.bytes !== file.bytes) {
      throw new ArchiveError('ARCHIVE_MAP_INVALID', `${file.mapRef} is no map of that file`);
    }
    yield* readFileRange(this.#segments, map, { ...range, signal });
  }
}

/** Pad files are in no tree, so that what has no blobs has no bytes. */
const EMPTY: FileContent = {
  bytes: 0,
  etag: '"empty"',
  async *read() {},
};
