// A web seed (BEP 19): a kept torrent's files by HTTP, for clients that have no peer to ask. What clients
// want of it is in their sources: exact single ranges answered by 206, HEAD, 416, a strong ETag, pad files
// as zeros, CORS for browsers. It knows no socket: cli/ joins it to one.
//
// Every byte was verified before it is given: as it is read, or, where who asks can send it from the pack
// it lies in, within `archive.seedVerifiedMs` before (docs/decisions/0018). What cannot be read ends the
// answer: before its head by 503, so that the client asks again later, after it by the end of the
// connection.

import type { ArchiveWorld } from '#archive/archive.ts';
import { LentPart, type RangePart } from '#archive/content/lent-range.ts';
import { ArchiveError } from '#archive/errors.ts';
import { codeOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import { rangeAnswer } from './range-answer.ts';
import { type SeedContent, SeedContents, zerosOf } from './seed-content.ts';
import { type SeedCatalogue, type SeedFile, SeedFiles } from './seed-files.ts';
import { parseSeedPath, type SeedPath } from './seed-request.ts';
import { ShortMemory } from './short-memory.ts';

/** Asked again after this long: what is taken from a member ends their transfers within it. */
const RIGHTS_MS_MAX = 1000;
const KNOWN = { msMax: RIGHTS_MS_MAX, keptMax: 10_000 };
const RETRY_SECONDS = 30;
/** Who takes a part slower than this, or for longer, gives the place to somebody else. */
const BYTES_PER_MS_MIN = 16;
const PART_MS_MIN = 60_000;

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
  readonly ifMatch?: string | undefined;
  readonly signal: AbortSignal;
  /** Whether who asks can send a part of a file of this machine; else every part is bytes. */
  readonly lends?: boolean;
}

export interface SeedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /**
   * Exactly as long as `content-length` says, or it throws. A part that is lent is good until the next
   * one is asked for, and says then how much of it was sent.
   */
  readonly body?: AsyncIterable<RangePart>;
  /** Aborts when the right to the answer is taken back, also in the middle of a part. */
  readonly ended?: AbortSignal;
}

const OPEN_HEADERS = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'content-range, content-length, etag, retry-after',
  // It is members' content on the site's own address: no browser may run it as the site's.
  'content-security-policy': "sandbox; default-src 'none'",
  'x-content-type-options': 'nosniff',
} as const;

interface Place {
  readonly torrentId: number;
  readonly found: SeedFile;
}

/** An answer under way. */
interface Stream {
  readonly first: IteratorResult<RangePart, unknown>;
  readonly parts: AsyncGenerator<RangePart>;
  readonly ended: AbortController;
}

interface Granted {
  readonly memberId: number;
  readonly torrentId: number;
  readonly token: string;
  readonly infoHash: string;
}

export class WebSeed {
  readonly #world: WebSeedWorld;
  readonly #files: SeedFiles;
  readonly #contents: SeedContents;
  readonly #rights: ShortMemory<number | undefined>;
  readonly #places: ShortMemory<Place | undefined>;
  readonly #streams = new Map<number, number>();
  #streamsOfAll = 0;

  constructor(world: WebSeedWorld) {
    this.#world = world;
    this.#files = new SeedFiles(world);
    this.#contents = new SeedContents({
      store: () => world.store(),
      hasher: world.hasher,
      cacheBytesMax: world.config.readCacheBytes,
      verifiedMsMax: world.config.seedVerifiedMs,
    });
    this.#rights = new ShortMemory(world.clock, KNOWN);
    this.#places = new ShortMemory(world.clock, KNOWN);
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
    const memberId = await this.#memberOf(path);
    if (memberId === undefined) return refusal(403, 'This address is not, or no longer, in force');
    const place = await this.#places.get([infoHash, ...names].join('/'), () => this.#find(path));
    if (place === undefined) return refusal(404, 'There is no such file');
    const { torrentId, found } = place;
    const content =
      found.kind === 'zeros' ? zerosOf(found.bytes) : await this.#contents.ofFile(found.file);
    return await this.#give(request, { memberId, torrentId, token, infoHash }, content);
  }

  #memberOf({ token, infoHash }: Pick<SeedPath, 'token' | 'infoHash'>) {
    return this.#rights.get(`${token} ${infoHash}`, () =>
      this.#world.members.memberOf(token, infoHash),
    );
  }

  async #find({ infoHash, names }: SeedPath): Promise<Place | undefined> {
    const torrent = await this.#world.catalogue.torrentByHash(infoHash);
    if (torrent === undefined) return undefined;
    const found = await this.#files.find(torrent.id, names);
    return found && { torrentId: torrent.id, found };
  }

  async #give(request: SeedRequest, granted: Granted, content: SeedContent): Promise<SeedAnswer> {
    const { method, range, ifRange, ifNoneMatch, ifMatch } = request;
    const asked = { isHead: method === 'HEAD', range, ifRange, ifNoneMatch, ifMatch };
    const { span, ...head } = rangeAnswer(asked, content, {
      ...OPEN_HEADERS,
      'cache-control': 'private, no-transform',
      'content-type': 'application/octet-stream',
    });
    if (span === undefined) return head;
    const { signal, lends = false } = request;
    return await this.#stream(head, granted, content.read(span, { signal, lends }));
  }

  /** The first part is read before the head is told: what cannot be read is still refused in words. */
  async #stream(
    head: Pick<SeedAnswer, 'status' | 'headers'>,
    granted: Granted,
    parts: AsyncGenerator<RangePart>,
  ): Promise<SeedAnswer> {
    const { seedStreamsMax, seedStreamsPerMemberMax } = this.#world.config;
    const own = this.#streams.get(granted.memberId) ?? 0;
    if (this.#streamsOfAll >= seedStreamsMax || own >= seedStreamsPerMemberMax) return busy();
    this.#count(granted.memberId, 1);
    let first: IteratorResult<RangePart, unknown>;
    try {
      first = await parts.next();
    } catch (error) {
      this.#count(granted.memberId, -1);
      throw error;
    }
    const ended = new AbortController();
    return { ...head, body: this.#body(granted, { first, parts, ended }), ended: ended.signal };
  }

  async *#body(granted: Granted, stream: Stream): AsyncGenerator<RangePart> {
    const { memberId, torrentId } = granted;
    const watch = this.#watch(granted, stream.ended);
    let part: RangePart | undefined;
    let idle: { cancel(): void } | undefined;
    const sent = (bytes: number): void => this.#world.onSent?.(memberId, torrentId, bytes);
    try {
      for (let at = stream.first; at.done !== true; at = await stream.parts.next()) {
        part = at.value;
        if ((await this.#memberOf(granted)) !== memberId) {
          throw new ArchiveError('ARCHIVE_FILE_MISSING', 'The right to it was taken back');
        }
        idle?.cancel();
        idle = this.#idle(part instanceof LentPart ? part.bytes : part.length, stream.ended);
        yield part;
        if (part instanceof Uint8Array) sent(part.length);
        else letGo(part, sent);
        part = undefined;
      }
    } finally {
      watch.cancel();
      idle?.cancel();
      // Cut off in the middle of it: what went out of it counts.
      if (part instanceof LentPart) letGo(part, sent);
      this.#count(memberId, -1);
      await stream.parts.return(undefined);
    }
  }

  #idle(bytes: number, ended: AbortController): { cancel(): void } {
    const ms = Math.max(PART_MS_MIN, bytes / BYTES_PER_MS_MIN);
    return this.#world.clock.after(ms, () => ended.abort());
  }

  /** A part may take a slow client minutes: looks at the right meanwhile. */
  #watch(granted: Granted, ended: AbortController): { cancel(): void } {
    const { clock, logger } = this.#world;
    const look = async (): Promise<void> => {
      try {
        if ((await this.#memberOf(granted)) !== granted.memberId) ended.abort();
      } catch (error) {
        logger.warn('The right to an answer of the web seed could not be looked up', {
          code: codeOf(error) ?? 'unknown',
        });
      }
      if (!isOver && !ended.signal.aborted) timer = clock.after(RIGHTS_MS_MAX, () => void look());
    };
    let isOver = false;
    let timer = clock.after(RIGHTS_MS_MAX, () => void look());
    return {
      cancel(): void {
        isOver = true;
        timer.cancel();
      },
    };
  }

  #count(memberId: number, change: 1 | -1): void {
    const own = (this.#streams.get(memberId) ?? 0) + change;
    if (own === 0) this.#streams.delete(memberId);
    else this.#streams.set(memberId, own);
    this.#streamsOfAll += change;
  }
}

function letGo(part: LentPart, sent: (bytes: number) => void): void {
  part.release();
  sent(part.sentBytes);
}

function preflight(): SeedAnswer {
  return {
    status: 204,
    headers: {
      ...OPEN_HEADERS,
      'access-control-allow-methods': 'GET, HEAD',
      'access-control-allow-headers': 'range, if-range, if-match, if-none-match, cache-control',
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
