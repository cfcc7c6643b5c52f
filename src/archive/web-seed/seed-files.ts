// The files of kept torrents by their path, as a web seed looks them up many times a second: what was
// parsed of the last torrents asked for stays in memory.

import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import { filesOfTorrent, type KeptFile } from '#archive/catalogue/kept-torrents.ts';
import { othersTurn } from '#base/steps.ts';
import type { Sql } from '#sql/sql.ts';
import type { Metainfo } from '#wire/metainfo.ts';
import { namesAtClients } from './client-names.ts';

const TORRENTS_MAX = 256;
/** Together, of all torrents in memory. */
const FILES_MAX = 200_000;
/** Put into memory before others have a turn. */
const FILES_A_TURN = 5000;

/** The catalogue as a web seed needs it. Removed torrents are not there. */
export interface SeedCatalogue {
  /** By the v1 hash or the truncated v2 hash, 40 lower-case hex digits. */
  torrentByHash(infoHash: string): Promise<{ readonly id: number } | undefined>;
  metainfo(torrentId: number): Promise<Pick<Metainfo, 'name' | 'singleFile' | 'files'> | undefined>;
}

/** What stands under a path: a file of the archive, or that many zeros. */
export type SeedFile =
  | { readonly kind: 'file'; readonly file: KeptFile }
  | { readonly kind: 'zeros'; readonly bytes: number };

interface Torrent {
  readonly keptMs: number;
  readonly files: ReadonlyMap<string, SeedFile>;
  /** The only file's name, for a client that asks for the torrent itself. */
  readonly only: string | undefined;
  /** `files` by `namesAtClients`; made when a path is first asked for that is not among them. */
  portable?: ReadonlyMap<string, SeedFile | undefined>;
}

export class SeedFiles {
  readonly #sql: Sql;
  readonly #catalogue: SeedCatalogue;
  /** The longest unused first. */
  readonly #torrents = new Map<number, Torrent>();
  readonly #underWay = new Map<string, Promise<Torrent | undefined>>();
  #files = 0;

  constructor(world: { readonly sql: Sql; readonly catalogue: SeedCatalogue }) {
    this.#sql = world.sql;
    this.#catalogue = world.catalogue;
  }

  /** Undefined when the torrent is not kept or has no such file. */
  async find(torrentId: number, names: readonly string[]): Promise<SeedFile | undefined> {
    const keptMs = await this.#keptMs(torrentId);
    if (keptMs === undefined) return undefined;
    const torrent = await this.#torrent(torrentId, keptMs);
    const path = names.length === 0 ? torrent?.only : names.join('/');
    if (torrent === undefined || path === undefined) return undefined;
    return torrent.files.get(path) ?? portableFile(torrent, names);
  }

  async #torrent(torrentId: number, keptMs: number): Promise<Torrent | undefined> {
    const known = this.#torrents.get(torrentId);
    const torrent = known?.keptMs === keptMs ? known : await this.#reading(torrentId, keptMs);
    if (torrent === undefined) return undefined;
    const before = this.#torrents.get(torrentId);
    if (before !== undefined) this.#forget(torrentId, before);
    this.#torrents.set(torrentId, torrent);
    this.#files += torrent.files.size;
    for (const [id, oldest] of this.#torrents) {
      if (this.#torrents.size <= TORRENTS_MAX && this.#files <= FILES_MAX) break;
      if (id !== torrentId) this.#forget(id, oldest);
    }
    return torrent;
  }

  /** Many who ask at once wait for one reading. */
  #reading(torrentId: number, keptMs: number): Promise<Torrent | undefined> {
    const key = `${torrentId} ${keptMs}`;
    let reading = this.#underWay.get(key);
    if (reading === undefined) {
      reading = this.#read(torrentId, keptMs).finally(() => this.#underWay.delete(key));
      this.#underWay.set(key, reading);
    }
    return reading;
  }

  #forget(torrentId: number, torrent: Torrent): void {
    if (this.#torrents.delete(torrentId)) this.#files -= torrent.files.size;
  }

  async #read(torrentId: number, keptMs: number): Promise<Torrent | undefined> {
    const metainfo = await this.#catalogue.metainfo(torrentId);
    if (metainfo === undefined) return undefined;
    const kept = await filesOfTorrent(this.#sql, torrentId);
    const files = new Map<string, SeedFile>();
    let position = 0;
    for (const { path, sizeBytes, pad } of metainfo.files) {
      const names = metainfo.singleFile ? [metainfo.name] : [metainfo.name, ...path];
      const file = pad ? undefined : kept[position];
      if (!pad) position += 1;
      const found: SeedFile =
        file === undefined ? { kind: 'zeros', bytes: sizeBytes } : { kind: 'file', file };
      if (pad || sizeBytes === 0 || file !== undefined) files.set(names.join('/'), found);
      if (files.size % FILES_A_TURN === 0) await othersTurn();
    }
    return { keptMs, files, only: metainfo.singleFile ? metainfo.name : undefined };
  }

  async #keptMs(torrentId: number): Promise<number | undefined> {
    const row = await this.#sql
      .read<ArchiveTables>()
      .selectFrom('archive_torrent')
      .select('kept_ms')
      .where('torrent_id', '=', torrentId)
      .executeTakeFirst();
    return row?.kept_ms;
  }
}

/** Of a client that asks for what it calls a file on its own disk. */
function portableFile(torrent: Torrent, names: readonly string[]): SeedFile | undefined {
  if (torrent.portable === undefined) {
    const portable = new Map<string, SeedFile | undefined>();
    for (const [path, file] of torrent.files) {
      for (const key of new Set(namesAtClients(path))) {
        // Two that fall together there are neither.
        portable.set(key, portable.has(key) ? undefined : file);
      }
    }
    torrent.portable = portable;
  }
  return torrent.portable.get(names.join('/'));
}
