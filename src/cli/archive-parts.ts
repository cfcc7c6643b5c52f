// The archive joined to the other rooms: what a command needs of it, and its web seed.

import type { ArchiveWorld } from '#archive/archive.ts';
import type { SegmentHasher } from '#archive/hash/segment-hasher.ts';
import type { SeedCatalogue } from '#archive/web-seed/seed-files.ts';
import { SeedTraffic } from '#archive/web-seed/seed-traffic.ts';
import { WebSeed } from '#archive/web-seed/web-seed.ts';
import type { Clock } from '#base/clock.ts';
import type { Config } from '#config/schema.ts';
import { memberOfSeedToken } from '#site/accounts/seed-token.ts';
import { findTorrentByHash } from '#site/catalogue/find-torrent.ts';
import { torrentFile } from '#site/catalogue/torrent-file.ts';
import type { Sql } from '#sql/sql.ts';
import { parseMetainfo } from '#wire/metainfo.ts';
import type { Rooms } from './rooms.ts';
import type { StoreRoom } from './store-room.ts';

export function archiveOf(parts: {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly config: Config;
  readonly hasher: SegmentHasher;
  readonly store: StoreRoom;
}): ArchiveWorld {
  const { sql, clock, config, hasher, store } = parts;
  return {
    ...{ sql, clock, hasher, config: config.archive },
    store: async () => (await store.stack()).store,
  };
}

export interface ArchiveDoors {
  readonly seed: WebSeed;
  readonly traffic: SeedTraffic;
}

export function openArchiveDoors(rooms: Rooms): ArchiveDoors {
  const { sql, clock } = rooms;
  const logger = rooms.logger.for('archive');
  const traffic = new SeedTraffic({ sql, clock, logger });
  const seed = new WebSeed({
    ...rooms.archive,
    logger,
    catalogue: seedCatalogue(sql),
    members: { memberOf: (token, infoHash) => memberOfSeedToken(sql, token, infoHash) },
    onSent: (memberId, torrentId, bytes) => traffic.add(memberId, torrentId, bytes),
  });
  return { seed, traffic };
}

function seedCatalogue(sql: Sql): SeedCatalogue {
  return {
    async torrentByHash(infoHash) {
      const torrent = await findTorrentByHash(sql, infoHash);
      return torrent === undefined || torrent.removedMs !== undefined ? undefined : torrent;
    },
    async metainfo(torrentId) {
      const bytes = await torrentFile(sql, torrentId);
      const parsed = bytes === undefined ? undefined : parseMetainfo(bytes);
      return parsed?.ok === true ? parsed.metainfo : undefined;
    },
  };
}
