// WebDAV, for reading only (RFC 4918, class 1 without what changes anything): the kept torrents as folders
// of one place, so that file managers, rclone and davfs2 open them like a disk. It knows no socket: cli/
// joins it to one.
//
//   /dav/                        a folder for each kept torrent, `<title> [<8 digits of its hash>]`
//   /dav/<torrent>/<path>        its files
//
// Whoever comes says who they are by name and key (HTTP Basic). A folder is told page by page while it is
// read, so a million entries cost what a page does; `depth: infinity` is refused.

import type { ContentEntry, ContentTorrent, ContentTree } from '#archive/downloads/content-tree.ts';
import { TOP } from '#archive/downloads/content-tree.ts';
import type { DownloadAnswer, Downloads } from '#archive/downloads/downloads.ts';
import type { Grant } from '#archive/downloads/granted-body.ts';
import { codeOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import {
  type AskedProperties,
  type DavResource,
  DEPTH_ERROR,
  davResponse,
  MULTISTATUS_END,
  MULTISTATUS_START,
  parsePropfind,
} from './propfind.ts';

export const DAV_PREFIX = '/dav/';
export const DAV_BODY_BYTES_MAX = 64 * 1024;

const TARGET_CHARS_MAX = 8192;
const ENTRIES_AT_ONCE = 500;
const METHODS = 'OPTIONS, GET, HEAD, PROPFIND';
const XML = { 'content-type': 'application/xml; charset=utf-8' };

/** A torrent as a folder of the root. */
export interface DavTorrent extends ContentTorrent {
  /** Of the folder; no two have the same. */
  readonly folder: string;
}

export interface DavCatalogue {
  /** Kept torrents that are not removed, by id, after that one; at most `limit`. */
  keptTorrents(after: number, limit: number): Promise<readonly DavTorrent[]>;
  keptTorrent(folder: string): Promise<DavTorrent | undefined>;
}

export interface DavMembers {
  /** The right of the member with that name and key; undefined for everybody else. */
  grantOf(name: string, key: string): Promise<DavRight | undefined>;
}

export interface DavRight {
  grantFor(torrentId: number): Grant;
}

export interface WebDavWorld {
  readonly downloads: Pick<Downloads, 'file' | 'content' | 'tree'>;
  readonly catalogue: DavCatalogue;
  readonly members: DavMembers;
  readonly logger: Logger;
}

export interface DavRequest {
  readonly method: string;
  /** From the first slash on. */
  readonly target: string;
  readonly header: (name: string) => string | undefined;
  /** Undefined when it is longer than DAV_BODY_BYTES_MAX, or breaks off. Called at most once. */
  readonly body: () => Promise<string | undefined>;
}

/** What a path leads to. */
type Place =
  | { readonly kind: 'root' }
  | { readonly kind: 'folder'; readonly torrent: DavTorrent; readonly folder: Folder }
  | { readonly kind: 'file'; readonly torrent: DavTorrent; readonly entry: ContentEntry };

type Folder = Pick<ContentEntry, 'path' | 'position'>;

export class WebDav {
  readonly #world: WebDavWorld;
  readonly #tree: ContentTree;

  constructor(world: WebDavWorld) {
    this.#world = world;
    this.#tree = world.downloads.tree;
  }

  /** Never rejects. */
  async answer(request: DavRequest): Promise<DownloadAnswer> {
    try {
      return await this.#answer(request);
    } catch (error) {
      this.#world.logger.warn('WebDAV could not answer', { code: codeOf(error) ?? 'unknown' });
      return plain(503, 'Try again later', { 'retry-after': '10' });
    }
  }

  async #answer(request: DavRequest): Promise<DownloadAnswer> {
    const { method } = request;
    if (method === 'OPTIONS') {
      return { status: 200, headers: { ...ALLOWED, dav: '1', 'content-length': '0' } };
    }
    const right = await this.#rightOf(request.header('authorization') ?? '');
    if (right === undefined) return unknownMember();
    if (!['GET', 'HEAD', 'PROPFIND'].includes(method)) {
      // What was sent with it is not read: the connection ends with the answer.
      return plain(405, 'This place is for reading only', { ...ALLOWED, connection: 'close' });
    }
    const names = namesOf(request.target);
    const place = names && (await this.#place(names));
    if (place === undefined) return plain(404, 'There is nothing here');
    if (method === 'PROPFIND') return await this.#propfind(request, place);
    if (place.kind !== 'file') {
      return plain(
        method === 'HEAD' ? 200 : 405,
        'A folder: PROPFIND tells what is in it',
        ALLOWED,
      );
    }
    const { torrent, entry } = place;
    const answer = await this.#world.downloads.file(
      {
        isHead: method === 'HEAD',
        range: request.header('range'),
        ifRange: request.header('if-range'),
        ifNoneMatch: request.header('if-none-match'),
        ifMatch: request.header('if-match'),
      },
      { torrent, path: entry.path, grant: right.grantFor(torrent.id) },
    );
    if (answer === undefined) return plain(404, 'There is nothing here');
    if (answer.words !== undefined) {
      const retryAfter = answer.headers['retry-after'] ?? '';
      return plain(answer.status, answer.words, { 'retry-after': retryAfter });
    }
    const changed = new Date(torrent.createdMs).toUTCString();
    return { ...answer, headers: { ...answer.headers, 'last-modified': changed } };
  }

  async #rightOf(authorization: string): Promise<DavRight | undefined> {
    const encoded = /^Basic +([A-Za-z0-9+/=]{1,1000})$/i.exec(authorization)?.[1];
    if (encoded === undefined) return undefined;
    const pair = Buffer.from(encoded, 'base64').toString('utf8');
    const at = pair.indexOf(':');
    return at === -1
      ? undefined
      : await this.#world.members.grantOf(pair.slice(0, at), pair.slice(at + 1));
  }

  async #place(names: readonly string[]): Promise<Place | undefined> {
    const [first, ...rest] = names;
    if (first === undefined) return { kind: 'root' };
    const torrent = await asWritten(first, (name) => this.#world.catalogue.keptTorrent(name));
    if (torrent === undefined) return undefined;
    let folder: Folder = TOP;
    for (const [at, name] of rest.entries()) {
      const within = { torrentId: torrent.id, folder: folder.position };
      const entry = await asWritten(name, (written) => this.#tree.child(within, written));
      if (entry === undefined) return undefined;
      if (!entry.isFolder) {
        return at === rest.length - 1 ? { kind: 'file', torrent, entry } : undefined;
      }
      folder = entry;
    }
    return { kind: 'folder', torrent, folder };
  }

  async #propfind(request: DavRequest, place: Place): Promise<DownloadAnswer> {
    const depth = (request.header('depth') ?? 'infinity').trim().toLowerCase();
    const body = await request.body();
    if (body === undefined) return plain(413, 'That is more than a PROPFIND asks');
    const asked = parsePropfind(body);
    if (asked === undefined) return plain(400, 'That is no PROPFIND');
    if (depth === 'infinity' && place.kind !== 'file') return xml(403, DEPTH_ERROR);
    if (!['0', '1', 'infinity'].includes(depth)) return plain(400, 'Depth is 0 or 1');
    const hasChildren = depth === '1' && place.kind !== 'file';
    const self = await this.#selfOf(place);
    return {
      status: 207,
      headers: { ...XML, 'cache-control': 'no-store' },
      body: this.#told(self, hasChildren ? place : undefined, asked),
    };
  }

  /** The answer while it is read: a page of entries at a time. */
  async *#told(
    self: DavResource,
    place: Place | undefined,
    asked: AskedProperties,
  ): AsyncGenerator<Uint8Array, undefined> {
    yield Buffer.from(MULTISTATUS_START + davResponse(self, asked), 'utf8');
    for await (const page of place === undefined ? [] : this.#pagesOf(place, self.href)) {
      const told = page.map((resource) => davResponse(resource, asked));
      yield Buffer.from(told.join(''), 'utf8');
    }
    yield Buffer.from(MULTISTATUS_END, 'utf8');
    return undefined;
  }

  async *#pagesOf(place: Place, href: string): AsyncGenerator<readonly DavResource[]> {
    for (let after = -1; ; ) {
      if (place.kind === 'root') {
        const page = await this.#world.catalogue.keptTorrents(after, ENTRIES_AT_ONCE);
        yield page.map(torrentResource);
        if (page.length < ENTRIES_AT_ONCE) return;
        after = page.at(-1)?.id ?? after;
        continue;
      }
      if (place.kind === 'file') return;
      const { torrent, folder } = place;
      const of = { torrentId: torrent.id, folder: folder.position, after };
      const page = await this.#tree.children(of, ENTRIES_AT_ONCE);
      const resources: DavResource[] = [];
      for (const entry of page) resources.push(await this.#entryResource(torrent, entry, href));
      yield resources;
      if (page.length < ENTRIES_AT_ONCE) return;
      after = page.at(-1)?.position ?? after;
    }
  }

  async #selfOf(place: Place): Promise<DavResource> {
    if (place.kind === 'root') {
      const empty = { bytes: 0, etag: undefined, changedMs: 0 };
      return { href: DAV_PREFIX, name: 'archive', isFolder: true, ...empty };
    }
    const { torrent } = place;
    const self = torrentResource(torrent);
    const path = place.kind === 'file' ? place.entry.path : place.folder.path;
    if (path === TOP.path) return self;
    const above = self.href + escapePath(path.replace(/[^/]+\/?$/, ''));
    const entry =
      place.kind === 'file'
        ? place.entry
        : { ...place.folder, isFolder: true, sizeBytes: 0, name: lastName(path) };
    return await this.#entryResource(torrent, entry, above);
  }

  /** `above` is the address of its folder. */
  async #entryResource(
    torrent: DavTorrent,
    entry: ContentEntry,
    above: string,
  ): Promise<DavResource> {
    const { name, isFolder, sizeBytes: bytes } = entry;
    const content = isFolder ? undefined : await this.#world.downloads.content(torrent, entry.path);
    return {
      href: `${above}${escapePath(name)}${isFolder ? '/' : ''}`,
      ...{ name, isFolder, bytes: isFolder ? 0 : bytes },
      ...{ etag: content?.etag, changedMs: torrent.createdMs },
    };
  }
}

const ALLOWED = { allow: METHODS, 'ms-author-via': 'DAV' } as const;

function torrentResource(torrent: DavTorrent): DavResource {
  const href = `${DAV_PREFIX}${escapePath(torrent.folder)}/`;
  const { folder: name, createdMs: changedMs } = torrent;
  return { href, name, isFolder: true, bytes: 0, etag: undefined, changedMs };
}

function lastName(path: string): string {
  return path.slice(0, -1).split('/').at(-1) ?? '';
}

/** macOS asks with letters and their marks apart, whatever it was told: then the name in one piece is it. */
async function asWritten<Found>(
  name: string,
  find: (name: string) => Promise<Found | undefined>,
): Promise<Found | undefined> {
  const found = await find(name);
  const composed = name.normalize('NFC');
  return found !== undefined || composed === name ? found : await find(composed);
}

/** Each name as a part of a path; slashes stay. */
function escapePath(path: string): string {
  return path
    .split('/')
    .map((name) => encodeURIComponent(name.toWellFormed()).replaceAll("'", '%27'))
    .join('/');
}

/** Undefined when it is none of ours. */
function namesOf(target: string): readonly string[] | undefined {
  if (target.length > TARGET_CHARS_MAX) return undefined;
  const path = target.split(/[?#]/, 1)[0] ?? '';
  // The prefix without its slash is the root too, as clients ask that take it from an address.
  const below = `${path}/`.startsWith(DAV_PREFIX) ? path.slice(DAV_PREFIX.length) : undefined;
  const names: string[] = [];
  for (const name of below?.split('/') ?? []) {
    try {
      if (name !== '') names.push(decodeURIComponent(name));
    } catch {
      return undefined;
    }
  }
  return below === undefined ? undefined : names;
}

function unknownMember(): DownloadAnswer {
  return plain(401, 'Your name on the site and your key for WebDAV are wanted', {
    'www-authenticate': 'Basic realm="Swarmkeep archive", charset="UTF-8"',
  });
}

function plain(
  status: number,
  words: string,
  more: Readonly<Record<string, string>> = {},
): DownloadAnswer {
  return text(status, `${words}\n`, { 'content-type': 'text/plain; charset=utf-8', ...more });
}

function xml(status: number, words: string): DownloadAnswer {
  return text(status, words, XML);
}

function text(
  status: number,
  words: string,
  headers: Readonly<Record<string, string>>,
): DownloadAnswer {
  const bytes = Buffer.from(words, 'utf8');
  return {
    status,
    headers: {
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'content-length': String(bytes.length),
      ...headers,
    },
    body: (async function* (): AsyncGenerator<Uint8Array, undefined> {
      yield bytes;
      return undefined;
    })(),
  };
}
