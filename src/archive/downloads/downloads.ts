// Downloads of what the archive keeps, by who has a right to it: a file in any range, a folder as a tar.
// Who has it (a member, a share, WebDAV) is theirs to say who call it. As with the web seed every byte was
// verified before it is given; what cannot be read is 503 before the head, and the end of the connection
// after it.

import type { ArchiveWorld } from '#archive/archive.ts';
import { SegmentCache } from '#archive/content/segment-cache.ts';
import { type SeedCatalogue, SeedFiles } from '#archive/web-seed/seed-files.ts';
import { parseRange } from '#archive/web-seed/seed-request.ts';
import { codeOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import {
  type ContentEntry,
  ContentFiles,
  type ContentTorrent,
  type ContentTree,
  type FileContent,
} from './content-tree.ts';
import { type Grant, GrantedBody } from './granted-body.ts';
import { tarOf } from './tar-stream.ts';

/** Beside that of the web seed: these are read in order, so that little of it is enough. */
const CACHE_BYTES_MAX = 32 * 1024 * 1024;
const RETRY_SECONDS = 10;

export interface DownloadsWorld extends ArchiveWorld {
  readonly catalogue: SeedCatalogue;
  readonly tree: ContentTree;
  readonly logger: Logger;
}

export interface DownloadRequest {
  readonly isHead: boolean;
  readonly range?: string | undefined;
  readonly ifRange?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
}

export interface DownloadAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Whoever has it reads it to its end or calls its `return`. */
  readonly body?: AsyncIterableIterator<Uint8Array>;
  /** Aborted when the right to it ended: whoever sends it ends the connection then. */
  readonly ended?: AbortSignal;
}

export class Downloads {
  readonly tree: ContentTree;
  readonly #world: DownloadsWorld;
  readonly #files: ContentFiles;
  readonly #streams = new Map<string, number>();
  #streamsOfAll = 0;

  constructor(world: DownloadsWorld) {
    this.#world = world;
    this.tree = world.tree;
    const segments = new SegmentCache({
      store: () => world.store(),
      bytesMax: Math.min(CACHE_BYTES_MAX, world.config.readCacheBytes),
    });
    this.#files = new ContentFiles(new SeedFiles(world), segments);
  }

  /** Undefined when the torrent is not kept or has no such file. */
  content(torrent: ContentTorrent, path: string): Promise<FileContent | undefined> {
    return this.#files.find(torrent, path);
  }

  /** One file. Undefined when there is none. Never rejects for what cannot be read. */
  async file(
    request: DownloadRequest,
    of: { readonly torrent: ContentTorrent; readonly path: string; readonly grant: Grant },
  ): Promise<DownloadAnswer | undefined> {
    return await this.#orBusy(async () => {
      const content = await this.#files.find(of.torrent, of.path);
      return content && (await this.#give(request, content, of.grant));
    });
  }

  /** A folder, or all of a torrent at TOP, as a tar whose paths begin with its name. */
  async tar(
    request: DownloadRequest,
    of: {
      readonly torrent: ContentTorrent;
      readonly folder: Pick<ContentEntry, 'path' | 'position'>;
      readonly grant: Grant;
    },
  ): Promise<DownloadAnswer> {
    const head = {
      status: 200,
      headers: { ...COMMON, 'content-type': 'application/x-tar', 'accept-ranges': 'none' },
    };
    if (request.isHead) return head;
    const read = (signal: AbortSignal): AsyncGenerator<Uint8Array> =>
      tarOf({ tree: this.tree, files: this.#files }, { ...of, signal });
    return (await this.#orBusy(() => this.#stream(head, of.grant, read))) ?? this.#busy('');
  }

  async #give(
    request: DownloadRequest,
    content: FileContent,
    grant: Grant,
  ): Promise<DownloadAnswer> {
    const { etag, bytes } = content;
    const headers = { ...COMMON, 'accept-ranges': 'bytes', etag };
    if (request.ifNoneMatch?.split(',').some((one) => isTag(one.trim(), etag)) === true) {
      return { status: 304, headers };
    }
    const isStale = request.ifRange !== undefined && request.ifRange !== etag;
    const range = isStale ? 'whole' : parseRange(request.range, bytes);
    if (range === 'unsatisfiable') {
      const length = { 'content-range': `bytes */${bytes}`, 'content-length': '0' };
      return { status: 416, headers: { ...headers, ...length } };
    }
    const span = range === 'whole' ? { start: 0, end: bytes } : range;
    const part =
      range === 'whole' ? {} : { 'content-range': `bytes ${span.start}-${span.end - 1}/${bytes}` };
    const length = { 'content-length': String(span.end - span.start) };
    const status = range === 'whole' ? 200 : 206;
    const head = { status, headers: { ...headers, ...length, ...part } };
    if (request.isHead || span.start === span.end) return head;
    return await this.#stream(head, grant, (signal) => content.read(span, signal));
  }

  async #stream(
    head: Pick<DownloadAnswer, 'status' | 'headers'>,
    grant: Grant,
    read: (signal: AbortSignal) => AsyncGenerator<Uint8Array>,
  ): Promise<DownloadAnswer> {
    const { downloadsMax, downloadsPerHolderMax } = this.#world.config;
    const own = this.#streams.get(grant.holder) ?? 0;
    if (this.#streamsOfAll >= downloadsMax || own >= downloadsPerHolderMax) {
      return this.#busy('too many downloads at once');
    }
    this.#count(grant.holder, 1);
    const ended = new AbortController();
    const body = await GrantedBody.open({
      ...{ clock: this.#world.clock, grant, ended, parts: read(ended.signal) },
      onClose: () => this.#count(grant.holder, -1),
    });
    return { ...head, body, ended: ended.signal };
  }

  async #orBusy<Answer extends DownloadAnswer | undefined>(
    answer: () => Promise<Answer>,
  ): Promise<Answer | DownloadAnswer> {
    try {
      return await answer();
    } catch (error) {
      return this.#busy(codeOf(error) ?? 'unknown');
    }
  }

  #busy(why: string): DownloadAnswer {
    this.#world.logger.warn('A download could not be given', { why });
    return {
      status: 503,
      headers: { ...COMMON, 'retry-after': String(RETRY_SECONDS), 'content-length': '0' },
    };
  }

  #count(holder: string, change: 1 | -1): void {
    const own = (this.#streams.get(holder) ?? 0) + change;
    if (own === 0) this.#streams.delete(holder);
    else this.#streams.set(holder, own);
    this.#streamsOfAll += change;
  }
}

const COMMON = {
  'cache-control': 'private, no-transform',
  'content-type': 'application/octet-stream',
  // It is members' content on the site's own address: no browser may run it as the site's.
  'content-security-policy': "sandbox; default-src 'none'",
  'x-content-type-options': 'nosniff',
} as const;

function isTag(one: string, etag: string): boolean {
  return one === '*' || one.replace(/^W\//, '') === etag;
}
