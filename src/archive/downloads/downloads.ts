// Downloads of what the archive keeps, by who has a right to it: a file in any range, a folder as a tar.
// Who has it (a member, a share, WebDAV) is theirs to say who call it. As with the web seed every byte was
// verified before it is given; what cannot be read is 503 before the head, and the end of the connection
// after it.

import type { ArchiveWorld } from '#archive/archive.ts';
import { SegmentCache } from '#archive/content/segment-cache.ts';
import { type RangeRequest, rangeAnswer } from '#archive/web-seed/range-answer.ts';
import { type SeedCatalogue, SeedFiles } from '#archive/web-seed/seed-files.ts';
import type { ByteRange } from '#archive/web-seed/seed-request.ts';
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
import { measureTar, tarOf } from './tar-stream.ts';

/** Beside that of the web seed: these are read in order, so that little of it is enough. */
const CACHE_BYTES_MAX = 32 * 1024 * 1024;
const RETRY_SECONDS = 10;
const BUSY_WORDS = 'Too many downloads run at once. Try again when one of them is done.';
const UNREADABLE_WORDS =
  'The archive cannot read this now: a part of it is damaged or missing, and is given when it is healed.';
const TAR_TYPE = 'application/x-tar';
/** What is asked of the database alone is short. */
const NEVER = new AbortController().signal;
/** It is members' content on the site's own address: no browser may run it as the site's. */
export const CONTENT_POLICY = "sandbox; default-src 'none'";
/** Says by which root of BEP 52 a file's bytes can be proven, in hex; an empty file has none. */
export const ROOT_HEADER = 'swarmkeep-root';

export interface DownloadsWorld extends ArchiveWorld {
  readonly catalogue: SeedCatalogue;
  readonly tree: ContentTree;
  readonly logger: Logger;
}

export interface DownloadAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Why nothing is given, for a person. */
  readonly words?: string;
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
    request: RangeRequest,
    of: { readonly torrent: ContentTorrent; readonly path: string; readonly grant: Grant },
  ): Promise<DownloadAnswer | undefined> {
    return await this.#orBusy(async () => {
      const content = await this.#files.find(of.torrent, of.path);
      return content && (await this.#give(request, content, of.grant));
    });
  }

  /** A folder, or all of a torrent at TOP, as a tar whose paths begin with its name. */
  async tar(
    request: RangeRequest,
    of: {
      readonly torrent: ContentTorrent;
      readonly folder: Pick<ContentEntry, 'path' | 'position'>;
      /** Levels of folders below it, 0 for none; all unless given. */
      readonly depth?: number | undefined;
      readonly grant: Grant;
    },
  ): Promise<DownloadAnswer> {
    const source = { tree: this.tree, files: this.#files };
    const read = (range: ByteRange | undefined, signal: AbortSignal): AsyncGenerator<Uint8Array> =>
      tarOf(source, { ...of, range, signal });
    return await this.#orBusy(async () => {
      const measure = await measureTar(source, { ...of, signal: NEVER });
      if (measure !== undefined) {
        return await this.#give(request, { ...measure, type: TAR_TYPE, read }, of.grant);
      }
      const headers = { ...COMMON, 'content-type': TAR_TYPE, 'accept-ranges': 'none' };
      const head = { status: 200, headers };
      if (request.isHead) return head;
      return await this.#stream(head, of.grant, (signal) => read(undefined, signal));
    });
  }

  async #give(
    request: RangeRequest,
    content: FileContent & { readonly type?: string },
    grant: Grant,
  ): Promise<DownloadAnswer> {
    const { root, type = COMMON['content-type'] } = content;
    const proof = root === undefined ? {} : { [ROOT_HEADER]: root };
    const others = { ...COMMON, ...proof, 'content-type': type };
    const { span, ...head } = rangeAnswer(request, content, others);
    if (span === undefined) return head;
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
      return this.#refuse(BUSY_WORDS, 'too many downloads at once');
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
      return this.#refuse(UNREADABLE_WORDS, codeOf(error) ?? 'unknown');
    }
  }

  #refuse(words: string, why: string): DownloadAnswer {
    this.#world.logger.warn('A download could not be given', { why });
    return { status: 503, headers: { ...COMMON, 'retry-after': String(RETRY_SECONDS) }, words };
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
  'content-security-policy': CONTENT_POLICY,
  'x-content-type-options': 'nosniff',
} as const;
