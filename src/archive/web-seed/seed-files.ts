// The files of kept torrents by their path, as a web seed looks them up many times a second: what was read
// of the last torrents asked for stays in memory. Of one of very many files only which file stands where.

import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import { KeptFiles } from '#archive/catalogue/kept-files.ts';
import { countEntries, fileAt, type KeptFile } from '#archive/catalogue/kept-torrents.ts';
import { Slots } from '#base/slots.ts';
import { othersTurn } from '#base/steps.ts';
import type { Sql } from '#sql/sql.ts';
import type { SkimmedTorrent } from '#wire/metainfo-skim.ts';
import { namesAtClients } from './client-names.ts';
import { PathIndex } from './path-index.ts';

const TORRENTS_MAX = 256;
/** Together, of all torrents in memory, those of large torrents counted as a tenth. */
const FILES_MAX = 200_000;
/** A torrent of more is large. */
const FILES_HELD_MAX = 50_000;
const INDEX_SHARE = 10;
/** Put into memory before others have a turn. */
const FILES_A_TURN = 1000;

/** The catalogue as a web seed needs it. Removed torrents are not there. */
export interface SeedCatalogue {
  /** By the v1 hash or the truncated v2 hash, 40 lower-case hex digits. */
  torrentByHash(infoHash: string): Promise<{ readonly id: number } | undefined>;
  /** Its files, pad files too. */
  listing(torrentId: number): Promise<SkimmedTorrent | undefined>;
}

/** What stands under a path: a file of the archive, or that many zeros. */
export type SeedFile =
  | { readonly kind: 'file'; readonly file: KeptFile }
  | { readonly kind: 'zeros'; readonly bytes: number };

interface Torrent {
  readonly keptMs: number;
  /** As `FILES_MAX` counts. */
  readonly weight: number;
  /** By the names of a path, joined by `/`; the torrent's name is the first. */
  find(path: string): Promise<SeedFile | undefined>;
  /** The only file's name, for a client that asks for the torrent itself. */
  readonly only: string | undefined;
}

export class SeedFiles {
  readonly #sql: Sql;
  readonly #catalogue: SeedCatalogue;
  /** The longest unused first. */
  readonly #torrents = new Map<number, Torrent>();
  readonly #underWay = new Map<string, Promise<Torrent | undefined>>();
  readonly #filesHeldMax: number;
  /** A large .torrent is in memory while it is read: one at a time. */
  readonly #large = new Slots(1);
  #files = 0;

  constructor(world: {
    readonly sql: Sql;
    readonly catalogue: SeedCatalogue;
    /** A torrent of more files is asked of the database file by file. */
    readonly filesHeldMax?: number;
  }) {
    this.#sql = world.sql;
    this.#catalogue = world.catalogue;
    this.#filesHeldMax = world.filesHeldMax ?? FILES_HELD_MAX;
  }

  /** Undefined when the torrent is not kept or has no such file. */
  async find(torrentId: number, names: readonly string[]): Promise<SeedFile | undefined> {
    const keptMs = await this.#keptMs(torrentId);
    if (keptMs === undefined) return undefined;
    const torrent = await this.#torrent(torrentId, keptMs);
    const path = names.length === 0 ? torrent?.only : names.join('/');
    if (torrent === undefined || path === undefined) return undefined;
    return await torrent.find(path);
  }

  async #torrent(torrentId: number, keptMs: number): Promise<Torrent | undefined> {
    const known = this.#torrents.get(torrentId);
    const torrent = known?.keptMs === keptMs ? known : await this.#reading(torrentId, keptMs);
    if (torrent === undefined) return undefined;
    const before = this.#torrents.get(torrentId);
    if (before !== undefined) this.#forget(torrentId, before);
    this.#torrents.set(torrentId, torrent);
    this.#files += torrent.weight;
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
    if (this.#torrents.delete(torrentId)) this.#files -= torrent.weight;
  }

  async #read(torrentId: number, keptMs: number): Promise<Torrent | undefined> {
    const isLarge = (await countEntries(this.#sql, torrentId)) > this.#filesHeldMax;
    const read = async (how: typeof held): Promise<Torrent | undefined> => {
      const listing = await this.#catalogue.listing(torrentId);
      if (listing === undefined) return undefined;
      const only = listing.singleFile ? listing.name : undefined;
      return { keptMs, only, ...(await how(this.#sql, torrentId, listing)) };
    };
    return await (isLarge ? this.#large.use(() => read(indexed)) : read(held));
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

type Files = Pick<Torrent, 'find' | 'weight'>;

async function held(sql: Sql, torrentId: number, listing: SkimmedTorrent): Promise<Files> {
  const kept = await KeptFiles.read(sql, torrentId);
  const files = new Map<string, SeedFile>();
  for await (const { path, position, bytes } of placesIn(listing)) {
    const file = position === undefined ? undefined : kept.at(position);
    if (file !== undefined) files.set(path, { kind: 'file', file });
    else if (position === undefined || bytes === 0) files.set(path, { kind: 'zeros', bytes });
  }
  let portable: ReadonlyMap<string, SeedFile | undefined> | undefined;
  return {
    weight: files.size,
    async find(path) {
      const file = files.get(path);
      if (file !== undefined) return file;
      portable ??= portableFiles(files);
      return portable.get(path);
    },
  };
}

/** Of clients that ask for what they call a file on their own disk. */
function portableFiles(
  files: ReadonlyMap<string, SeedFile>,
): ReadonlyMap<string, SeedFile | undefined> {
  const portable = new Map<string, SeedFile | undefined>();
  for (const [path, file] of files) {
    for (const key of new Set(namesAtClients(path))) {
      // Two that fall together there are neither.
      portable.set(key, portable.has(key) ? undefined : file);
    }
  }
  return portable;
}

/** By numbers alone: a position, or of zeros how many they are, below zero and less by one. */
async function indexed(sql: Sql, torrentId: number, listing: SkimmedTorrent): Promise<Files> {
  const index = new PathIndex();
  const portable = new PathIndex();
  for await (const { path, position, bytes } of placesIn(listing)) {
    const value = position === undefined || bytes === 0 ? -1 - bytes : position;
    index.add(path, value);
    for (const key of new Set(namesAtClients(path))) if (key !== path) portable.add(key, value);
  }
  return {
    weight: Math.ceil((index.size + portable.size) / INDEX_SHARE),
    async find(path) {
      const value = index.get(path) ?? portable.get(path);
      if (value === undefined) return undefined;
      if (value < 0) return { kind: 'zeros', bytes: -1 - value };
      const file = await fileAt(sql, torrentId, value);
      return file === undefined ? undefined : { kind: 'file', file };
    },
  };
}

interface Place {
  readonly path: string;
  /** Among the files that are no pads; undefined of a pad. */
  readonly position: number | undefined;
  readonly bytes: number;
}

async function* placesIn({ name, singleFile, files }: SkimmedTorrent): AsyncGenerator<Place> {
  let next = 0;
  let seen = 0;
  for (const { path, sizeBytes: bytes, pad } of files) {
    const position = pad ? undefined : next;
    if (!pad) next += 1;
    yield { path: singleFile ? name : [name, ...path].join('/'), position, bytes };
    seen += 1;
    if (seen % FILES_A_TURN === 0) await othersTurn();
  }
}
