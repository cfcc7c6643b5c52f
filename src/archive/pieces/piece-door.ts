// The door to maps and piece streams: who asks, for which file, and whether there is room. The map is one
// answer by HTTP; a stream goes on in piece-stream.ts. It knows no socket: cli/ joins it to one.

import type { ArchiveWorld } from '#archive/archive.ts';
import type { KeptFile } from '#archive/catalogue/kept-torrents.ts';
import { decodeFileMap, type FileMap } from '#archive/content/file-map.ts';
import { SegmentCache } from '#archive/content/segment-cache.ts';
import { ArchiveError } from '#archive/errors.ts';
import { ShortMemory } from '#archive/web-seed/short-memory.ts';
import type { SeedMembers } from '#archive/web-seed/web-seed.ts';
import { fromHex } from '#base/bytes.ts';
import { codeOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import type { MessageStream } from '#store/upload/message-stream.ts';
import type { Metainfo } from '#wire/metainfo.ts';
import { fileOfTorrent, fileViewJson, holesOf } from './file-view.ts';
import { parsePieceRequest } from './piece-request.ts';
import { PieceStream } from './piece-stream.ts';

/** Asked again after this long: what is taken from a member ends their streams within it. */
const RIGHTS_MS_MAX = 1000;
const RIGHTS_KEPT_MAX = 10_000;

export interface PieceDoorWorld extends ArchiveWorld {
  readonly catalogue: {
    torrentByHash(infoHash: string): Promise<{ readonly id: number } | undefined>;
    metainfo(torrentId: number): Promise<Pick<Metainfo, 'pieceLength' | 'pieceLayers'> | undefined>;
  };
  readonly members: SeedMembers;
  readonly logger: Logger;
  /** Told of bytes as they are given. */
  readonly onSent?: (memberId: number, torrentId: number, bytes: number) => void;
}

/** A file that somebody may have. */
export interface GrantedFile {
  readonly memberId: number;
  readonly torrentId: number;
  readonly file: KeptFile;
  readonly map: FileMap;
  readonly metainfo: Pick<Metainfo, 'pieceLength' | 'pieceLayers'>;
  /** Whether the right still stands, as it was a second ago at most. */
  mayStay(): Promise<boolean>;
}

/** 401: who asks is not known, or not any more; 404: there is no such file; 503: not now. */
export type PieceRefusal = 401 | 404 | 503;

export class PieceDoor {
  readonly #world: PieceDoorWorld;
  readonly #segments: SegmentCache;
  readonly #rights: ShortMemory<number | undefined>;
  readonly #streams = new Map<PieceStream, number>();

  constructor(world: PieceDoorWorld) {
    const { clock, config } = world;
    this.#world = world;
    this.#segments = new SegmentCache({
      store: () => world.store(),
      bytesMax: config.readCacheBytes,
    });
    this.#rights = new ShortMemory(clock, { msMax: RIGHTS_MS_MAX, keptMax: RIGHTS_KEPT_MAX });
  }

  /** The map as parts of a JSON text. Never rejects before its first part is asked for. */
  async map(
    target: string,
    authorization: string | undefined,
  ): Promise<Iterable<string> | PieceRefusal> {
    return await this.#orBusy(async () => {
      const granted = await this.#grant('map', target, authorization);
      return typeof granted === 'number' ? granted : await this.#view(granted);
    });
  }

  /** Whether `take` may be called, before a handshake is answered. Never rejects. */
  async open(
    target: string,
    authorization: string | undefined,
  ): Promise<GrantedFile | PieceRefusal> {
    return await this.#orBusy(async () => {
      const granted = await this.#grant('stream', target, authorization);
      if (typeof granted === 'number') return granted;
      const { seedStreamsMax, seedStreamsPerMemberMax } = this.#world.config;
      const own = [...this.#streams.values()].filter((id) => id === granted.memberId).length;
      const isFull = this.#streams.size >= seedStreamsMax || own >= seedStreamsPerMemberMax;
      return isFull ? 503 : granted;
    });
  }

  /** Serves the connection until it ends. */
  take(granted: GrantedFile, messages: MessageStream): void {
    const { memberId, torrentId } = granted;
    const { clock, onSent } = this.#world;
    const stream = new PieceStream({
      ...{ clock, granted, messages, segments: this.#segments },
      view: () => this.#view(granted),
      onSent: (bytes) => onSent?.(memberId, torrentId, bytes),
      onClosed: () => this.#streams.delete(stream),
    });
    this.#streams.set(stream, memberId);
    stream.start();
  }

  /** Ends every stream. */
  close(): void {
    for (const stream of this.#streams.keys()) stream.close();
  }

  async #orBusy<T>(ask: () => Promise<T>): Promise<T | 503> {
    try {
      return await ask();
    } catch (error) {
      const code = codeOf(error) ?? 'unknown';
      this.#world.logger.warn('A map could not be given', { code });
      return 503;
    }
  }

  async #view({ file, map, metainfo }: GrantedFile): Promise<Iterable<string>> {
    return fileViewJson(map, metainfo, await holesOf(this.#world.sql, file.id, map));
  }

  async #grant(
    what: 'map' | 'stream',
    target: string,
    authorization: string | undefined,
  ): Promise<GrantedFile | PieceRefusal> {
    const { sql, catalogue } = this.#world;
    const request = parsePieceRequest(target, authorization);
    if (request?.what !== what) return 404;
    const { key, root } = request;
    if (key === undefined) return 401;
    const memberOf = (): Promise<number | undefined> =>
      this.#rights.get(`${key.token} ${key.infoHash}`, () =>
        this.#world.members.memberOf(key.token, key.infoHash),
      );
    const memberId = await memberOf();
    if (memberId === undefined) return 401;
    const torrent = await catalogue.torrentByHash(key.infoHash);
    const file = torrent && (await fileOfTorrent(sql, torrent.id, fromHex(root) as Uint8Array));
    const metainfo = torrent && (await catalogue.metainfo(torrent.id));
    if (torrent === undefined || file === undefined || metainfo === undefined) return 404;
    const map = decodeFileMap(await this.#segments.get(file.mapRef));
    if (map === undefined || map.bytes !== file.bytes) {
      throw new ArchiveError('ARCHIVE_MAP_INVALID', `${file.mapRef} is no map of that file`);
    }
    const mayStay = async (): Promise<boolean> => (await memberOf()) === memberId;
    return { memberId, torrentId: torrent.id, file, map, metainfo, mayStay };
  }
}
