// A web seed (BEP 19): a kept torrent's files by HTTP, for clients that have no peer to ask. What clients
// want of it is in their sources: exact single ranges answered by 206, HEAD, 416, a strong ETag, pad files
// as zeros, CORS for browsers. It knows no socket: cli/ joins it to one.
//
// Every byte was verified before it is given. What cannot be read ends the answer: before its head by 503,
// so that the client asks again later, after it by the end of the connection.

import type { ArchiveWorld } from '#archive/archive.ts';
import { decodeFileMap, type FileMap } from '#archive/content/file-map.ts';
import { readFileRange } from '#archive/content/file-reader.ts';
import { SegmentCache } from '#archive/content/segment-cache.ts';
import { ArchiveError } from '#archive/errors.ts';
import { toHex } from '#base/bytes.ts';
import type { Clock } from '#base/clock.ts';
import { codeOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import { type SeedCatalogue, type SeedFile, SeedFiles } from './seed-files.ts';
import { type ByteRange, parseRange, parseSeedPath } from './seed-request.ts';

const ZEROS = new Uint8Array(64 * 1024);
/** Asked again after this long: what is taken from a member ends their transfers within it. */
const RIGHTS_MS_MAX = 1000;
const RIGHTS_KEPT_MAX = 10_000;
const RETRY_SECONDS = 30;

/** Who may have what, as a web seed asks. */
export interface SeedMembers {
  /**
   * The member whose token for this torrent it is, when they may take anything now; undefined for
   * everybody else.
   */
  memberOf(token: string, infoHash: string): Promise<number | undefined>;
}

export interface WebSeedWorld extends ArchiveWorld {
  readonly catalogue: SeedCatalogue;
  readonly members: SeedMembers;
  readonly logger: Logger;
  /** Told of bytes as they are given. */
  readonly onSent?: (memberId: number, torrentId: number, bytes: number) => void;
}

export interface SeedRequest {
  readonly method: string;
  /** From the first slash on. */
  readonly target: string;
  readonly range?: string | undefined;
  readonly ifRange?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
  readonly signal: AbortSignal;
}

export interface SeedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Exactly as long as `content-length` says, or it throws. */
  readonly body?: AsyncIterable<Uint8Array>;
}

const OPEN_HEADERS = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'content-range, content-length, etag, retry-after',
  // It is members' content on the site's own address: no browser may run it as the site's.
  'content-security-policy': "sandbox; default-src 'none'",
  'x-content-type-options': 'nosniff',
} as const;

interface Granted {
  readonly memberId: number;
  readonly torrentId: number;
  readonly token: string;
  readonly infoHash: string;
}

export class WebSeed {
  readonly #world: WebSeedWorld;
  readonly #files: SeedFiles;
  readonly #segments: SegmentCache;
  readonly #rights: KnownRights;
  readonly #streams = new Map<number, number>();
  #streamsOfAll = 0;

  constructor(world: WebSeedWorld) {
    this.#world = world;
    this.#files = new SeedFiles(world);
    this.#segments = new SegmentCache({
      store: () => world.store(),
      bytesMax: world.config.readCacheBytes,
    });
    this.#rights = new KnownRights(world.members, world.clock);
  }

  /** Never rejects. */
  async answer(request: SeedRequest): Promise<SeedAnswer> {
    if (request.method === 'OPTIONS') return preflight();
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return refusal(405, 'Only GET and HEAD', { allow: 'GET, HEAD, OPTIONS' });
    }
    try {
      return await this.#answerFile(request);
    } catch (error) {
      const code = codeOf(error) ?? 'unknown';
      this.#world.logger.warn('A web seed could not give what was asked for', { code });
      return busy();
    }
  }

  async #answerFile(request: SeedRequest): Promise<SeedAnswer> {
    const path = parseSeedPath(request.target);
    if (path === undefined) return refusal(404, 'There is no such file');
    const { token, infoHash, names } = path;
    const memberId = await this.#rights.memberOf(token, infoHash);
    if (memberId === undefined) return refusal(403, 'This address is not, or no longer, in force');
    const torrent = await this.#world.catalogue.torrentByHash(infoHash);
    const found = torrent && (await this.#files.find(torrent.id, names));
    if (torrent === undefined || found === undefined) return refusal(404, 'There is no such file');
    const granted = { memberId, torrentId: torrent.id, token, infoHash };
    return found.kind === 'zeros'
      ? this.#give(request, granted, zerosOf(found.bytes))
      : this.#give(request, granted, await this.#content(found));
  }

  async #content({ file }: Extract<SeedFile, { kind: 'file' }>): Promise<Content> {
    const map = decodeFileMap(await this.#segments.get(file.mapRef));
    if (map === undefined || map.bytes !== file.bytes) {
      throw new ArchiveError('ARCHIVE_MAP_INVALID', `${file.mapRef} is no map of that file`);
    }
    return fileContent(this.#segments, map);
  }

  async #give(request: SeedRequest, granted: Granted, content: Content): Promise<SeedAnswer> {
    const headers = {
      ...OPEN_HEADERS,
      'accept-ranges': 'bytes',
      'cache-control': 'private, no-transform',
      'content-type': 'application/octet-stream',
      etag: content.etag,
    };
    if (request.ifNoneMatch !== undefined && matches(request.ifNoneMatch, content.etag)) {
      return { status: 304, headers };
    }
    const isStale = request.ifRange !== undefined && request.ifRange !== content.etag;
    const range = isStale ? 'whole' : parseRange(request.range, content.bytes);
    if (range === 'unsatisfiable') {
      const length = { 'content-range': `bytes */${content.bytes}`, 'content-length': '0' };
      return { status: 416, headers: { ...headers, ...length } };
    }
    const span = range === 'whole' ? { start: 0, end: content.bytes } : range;
    const length = { 'content-length': String(span.end - span.start) };
    const whole = `bytes ${span.start}-${span.end - 1}/${content.bytes}`;
    const head =
      range === 'whole'
        ? { status: 200, headers: { ...headers, ...length } }
        : { status: 206, headers: { ...headers, ...length, 'content-range': whole } };
    if (request.method === 'HEAD' || span.start === span.end) return head;
    return await this.#stream(head, granted, content.read(span, request.signal));
  }

  /** The first part is read before the head is told: what cannot be read is still refused in words. */
  async #stream(
    head: Pick<SeedAnswer, 'status' | 'headers'>,
    granted: Granted,
    parts: AsyncGenerator<Uint8Array>,
  ): Promise<SeedAnswer> {
    const { seedStreamsMax, seedStreamsPerMemberMax } = this.#world.config;
    const own = this.#streams.get(granted.memberId) ?? 0;
    if (this.#streamsOfAll >= seedStreamsMax || own >= seedStreamsPerMemberMax) return busy();
    this.#count(granted.memberId, 1);
    let first: IteratorResult<Uint8Array, unknown>;
    try {
      first = await parts.next();
    } catch (error) {
      this.#count(granted.memberId, -1);
      throw error;
    }
    return { ...head, body: this.#body(granted, first, parts) };
  }

  async *#body(
    granted: Granted,
    first: IteratorResult<Uint8Array, unknown>,
    parts: AsyncGenerator<Uint8Array>,
  ): AsyncGenerator<Uint8Array> {
    const { memberId, torrentId, token, infoHash } = granted;
    try {
      for (let part = first; part.done !== true; part = await parts.next()) {
        if ((await this.#rights.memberOf(token, infoHash)) !== memberId) {
          throw new ArchiveError('ARCHIVE_FILE_MISSING', 'The right to it was taken back');
        }
        yield part.value;
        this.#world.onSent?.(memberId, torrentId, part.value.length);
      }
    } finally {
      this.#count(memberId, -1);
      await parts.return(undefined);
    }
  }

  #count(memberId: number, change: 1 | -1): void {
    const own = (this.#streams.get(memberId) ?? 0) + change;
    if (own === 0) this.#streams.delete(memberId);
    else this.#streams.set(memberId, own);
    this.#streamsOfAll += change;
  }
}

/** Bytes under one ETag. */
interface Content {
  readonly bytes: number;
  /** As the header has it, with its quotes. */
  readonly etag: string;
  read(range: ByteRange, signal: AbortSignal): AsyncGenerator<Uint8Array>;
}

function fileContent(segments: SegmentCache, map: FileMap): Content {
  return {
    bytes: map.bytes,
    etag: `"${toHex(map.root)}"`,
    read: (range, signal) => readFileRange(segments, map, { ...range, signal }),
  };
}

/** Pad files, which some clients ask for as for any other, and empty files. */
function zerosOf(bytes: number): Content {
  return {
    bytes,
    etag: `"zeros-${bytes}"`,
    async *read({ start, end }) {
      for (let left = end - start; left > 0; left -= ZEROS.length) {
        yield ZEROS.subarray(0, Math.min(left, ZEROS.length));
      }
    },
  };
}

/** Asks for a right once in a while, not for every part of every answer. */
class KnownRights implements SeedMembers {
  readonly #members: SeedMembers;
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly untilMs: number; readonly memberId?: number }>();

  constructor(members: SeedMembers, clock: Clock) {
    this.#members = members;
    this.#clock = clock;
  }

  async memberOf(token: string, infoHash: string): Promise<number | undefined> {
    const key = `${token} ${infoHash}`;
    const nowMs = this.#clock.monotonicMs();
    const known = this.#known.get(key);
    if (known !== undefined && known.untilMs > nowMs) return known.memberId;
    const memberId = await this.#members.memberOf(token, infoHash);
    if (this.#known.size >= RIGHTS_KEPT_MAX) this.#known.clear();
    const untilMs = nowMs + RIGHTS_MS_MAX;
    this.#known.set(key, memberId === undefined ? { untilMs } : { untilMs, memberId });
    return memberId;
  }
}

function matches(header: string, etag: string): boolean {
  return header.split(',').some((one) => one.trim() === etag || one.trim() === '*');
}

function preflight(): SeedAnswer {
  return {
    status: 204,
    headers: {
      ...OPEN_HEADERS,
      'access-control-allow-methods': 'GET, HEAD',
      'access-control-allow-headers': 'range, if-range, if-none-match, cache-control',
      'access-control-max-age': '86400',
    },
  };
}

function refusal(
  status: number,
  words: string,
  more: Readonly<Record<string, string>> = {},
): SeedAnswer {
  const bytes = Buffer.from(`${words}\n`, 'utf8');
  return {
    status,
    headers: {
      ...OPEN_HEADERS,
      'cache-control': 'no-store',
      'content-type': 'text/plain; charset=utf-8',
      'content-length': String(bytes.length),
      ...more,
    },
    body: (async function* () {
      yield bytes;
    })(),
  };
}

function busy(): SeedAnswer {
  return refusal(503, 'Try again later', { 'retry-after': String(RETRY_SECONDS) });
}
