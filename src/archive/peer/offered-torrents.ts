// The torrents for which the archive is a peer: those that it keeps, which it gives, and those that it is
// taking in. They are found by their hashes, also by what an encrypted connection shows of one, and
// told to their swarms as long as they are offered.

import { createHash } from 'node:crypto';
import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import { assert } from '#base/assert.ts';
import { fromHex, toHex } from '#base/bytes.ts';
import type { Clock } from '#base/clock.ts';
import type { Sql } from '#sql/sql.ts';

/** 20 bytes each: v1, the truncated one of v2, or both of a hybrid torrent. */
export interface OfferedHashes {
  readonly v1?: Uint8Array;
  readonly v2?: Uint8Array;
}

/** The catalogue as it is asked here. */
export interface PeerCatalogue {
  /** Of those torrents that were not removed, by id. At most 500 are asked for at once. */
  hashesOf(torrentIds: readonly number[]): Promise<ReadonlyMap<number, OfferedHashes>>;
}

/** The swarms, in which the archive is nobody's client: nothing it does is counted for anyone. */
export interface PeerSwarms {
  /**
   * The archive is in the swarm from now on, for as long as peers stay that do not announce again. False
   * when the trackers do not know the torrent.
   */
  join(offer: Offer): boolean;
  leave(offer: Offer): void;
  /** Whether somebody in that torrent's swarm announced from this address. */
  hasAddress(torrentId: number, address: string): boolean;
}

export interface Offer {
  readonly torrentId: number;
  readonly hashes: OfferedHashes;
  /** Taken in, not given. */
  readonly isWanted: boolean;
  /** Some of it is known to be missing or damaged: it is given, but is not all there. */
  readonly isDamaged: boolean;
}

interface Offered extends Offer {
  isDamaged: boolean;
  joinAtMs: number;
}

export interface OfferedTorrentsWorld {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly catalogue: PeerCatalogue;
  readonly swarms: PeerSwarms;
  /** Torrents that are being taken in now. */
  readonly taking: () => readonly number[];
  /** How often a swarm is told again. */
  readonly announceMs: number;
}

const IDS_AT_ONCE = 500;

export class OfferedTorrents {
  readonly #world: OfferedTorrentsWorld;
  readonly #offers = new Map<number, Offered>();
  /** By info hash in hex. */
  readonly #byHash = new Map<string, Offered>();
  /** Info hash in hex by what an encrypted connection says instead. */
  readonly #obfuscated = new Map<string, string>();

  constructor(world: OfferedTorrentsWorld) {
    this.#world = world;
  }

  /** By one of its hashes, 40 lower-case hex digits. */
  find(infoHash: string): Offer | undefined {
    return this.#byHash.get(infoHash);
  }

  /** The info hash that is meant, in hex; `hash` is SHA-1 of `req2` and it, in hex. */
  findObfuscated(hash: string): string | undefined {
    return this.#obfuscated.get(hash);
  }

  /** Whether it is still offered as it was. */
  has({ torrentId, isWanted }: Pick<Offer, 'torrentId' | 'isWanted'>): boolean {
    return this.#offers.get(torrentId)?.isWanted === isWanted;
  }

  /** Looks at what is kept and wanted now, and tells the swarms. @throws SqlError */
  async refresh(): Promise<void> {
    const kept = new Set(await this.#keptIds());
    const wanted = new Set(this.#world.taking().filter((id) => !kept.has(id)));
    for (const offer of [...this.#offers.values()]) {
      const isSame = offer.isWanted ? wanted.has(offer.torrentId) : kept.has(offer.torrentId);
      if (!isSame) this.#withdraw(offer);
    }
    const fresh = [...kept, ...wanted].filter((id) => !this.#offers.has(id));
    for (let at = 0; at < fresh.length; at += IDS_AT_ONCE) {
      const hashes = await this.#world.catalogue.hashesOf(fresh.slice(at, at + IDS_AT_ONCE));
      for (const [torrentId, own] of hashes) this.#offer(torrentId, own, wanted.has(torrentId));
    }
    this.#noteDamage(await this.#damagedIds());
    this.#join();
  }

  /** Leaves all swarms. */
  close(): void {
    for (const offer of [...this.#offers.values()]) this.#withdraw(offer);
  }

  async #keptIds(): Promise<readonly number[]> {
    const rows = await this.#world.sql
      .read<ArchiveTables>()
      .selectFrom('archive_torrent')
      .select('torrent_id')
      .execute();
    return rows.map((row) => row.torrent_id);
  }

  async #damagedIds(): Promise<ReadonlySet<number>> {
    const tables = this.#world.sql.read<ArchiveTables>();
    const rows = await tables
      .selectFrom('archive_entry')
      .select('torrent_id')
      .distinct()
      .where('file_id', 'in', tables.selectFrom('archive_damage').select('file_id').distinct())
      .execute();
    return new Set(rows.map((row) => row.torrent_id));
  }

  /** Where that has changed the swarm is told at once. */
  #noteDamage(damaged: ReadonlySet<number>): void {
    for (const offer of this.#offers.values()) {
      const isDamaged = !offer.isWanted && damaged.has(offer.torrentId);
      if (offer.isDamaged === isDamaged) continue;
      offer.isDamaged = isDamaged;
      offer.joinAtMs = Number.NEGATIVE_INFINITY;
    }
  }

  #offer(torrentId: number, hashes: OfferedHashes, isWanted: boolean): void {
    const joinAtMs = Number.NEGATIVE_INFINITY;
    const offer: Offered = { torrentId, hashes, isWanted, isDamaged: false, joinAtMs };
    this.#offers.set(torrentId, offer);
    for (const hash of hexesOf(offer)) {
      this.#byHash.set(hash, offer);
      this.#obfuscated.set(obfuscated(hash), hash);
    }
  }

  #withdraw(offer: Offered): void {
    this.#offers.delete(offer.torrentId);
    for (const hash of hexesOf(offer)) {
      this.#byHash.delete(hash);
      this.#obfuscated.delete(obfuscated(hash));
    }
    this.#world.swarms.leave(offer);
  }

  #join(): void {
    const { clock, swarms, announceMs } = this.#world;
    const nowMs = clock.monotonicMs();
    for (const offer of this.#offers.values()) {
      if (offer.joinAtMs > nowMs) continue;
      // A torrent that the trackers do not know yet is told of with the next look.
      if (swarms.join(offer)) offer.joinAtMs = nowMs + announceMs;
    }
  }
}

function hexesOf({ hashes }: Offer): readonly string[] {
  return [hashes.v1, hashes.v2].filter((hash) => hash !== undefined).map(toHex);
}

function obfuscated(infoHash: string): string {
  const bytes = fromHex(infoHash);
  assert(bytes !== undefined, 'a hash was written as hex here');
  return createHash('sha1').update('req2').update(bytes).digest('hex');
}
