// The archive's peer joined to the other rooms: its port, its place in the swarms, and the intake, to
// which clients come that cannot be dialled.

import { SegmentCache } from '#archive/content/segment-cache.ts';
import type { Intake } from '#archive/ingest/intake.ts';
import type { OfferedHashes } from '#archive/peer/offered-torrents.ts';
import { SeedingPeer } from '#archive/peer/seeding-peer.ts';
import type { Stop } from '#base/stop.ts';
import type { Registry } from '#metrics/registry.ts';
import { listenTcp } from '#net/tcp-listen.ts';
import type { CatalogueTables } from '#site/catalogue/catalogue-tables.ts';
import type { Sql } from '#sql/sql.ts';
import type { Swarm } from '#swarm/swarm.ts';
import { openIntake, seedCatalogue } from './archive-parts.ts';
import { ArchiveSwarms } from './archive-swarms.ts';
import type { Rooms } from './rooms.ts';
import { swarmsOf } from './site-parts.ts';

const INFO_HASH_BYTES = 20;
/** A peer stays in its swarm for three of these without a word. */
const ANNOUNCES_PER_AGE = 3;

interface PeerParts {
  readonly rooms: Rooms;
  readonly swarm: Swarm;
  readonly peerId: Uint8Array;
  readonly metrics: Registry;
}

/** The intake, and the peer unless it is turned off, run until `stop`. @throws NetError NET_BIND_FAILED */
export async function startArchivePeer(parts: PeerParts, stop: Stop): Promise<void> {
  const { rooms, swarm, peerId } = parts;
  const intake = openIntake(rooms, swarmsOf(swarm, peerId));
  if (rooms.config.archive.peerConnectionsMax > 0) {
    const peer = await openPeer(parts, intake);
    stop.own('archive peer', peer.run(stop.signal));
  }
  stop.own('intake', intake.run(stop.signal));
}

function openPeer(parts: PeerParts, intake: Intake): Promise<SeedingPeer> {
  const { rooms, swarm, peerId, metrics } = parts;
  const { sql, clock, random, archive } = rooms;
  const config = rooms.config.archive;
  const told = config.peerPublicAddresses;
  const addresses = told.length > 0 ? told : config.peerAddresses;
  return SeedingPeer.listen({
    ...{
      sql,
      clock,
      random,
      config,
      peerId,
      metrics,
      intake,
      hasher: archive.hasher,
      listen: listenTcp,
    },
    logger: rooms.logger.for('archive'),
    segments: new SegmentCache({ store: () => archive.store(), bytesMax: config.readCacheBytes }),
    catalogue: {
      hashesOf: (torrentIds) => hashesOf(sql, torrentIds),
      metainfo: (torrentId) => seedCatalogue(sql).metainfo(torrentId),
    },
    swarms: (port) => new ArchiveSwarms({ swarm, peerId, addresses, port }),
    announceMs: rooms.config.swarm.peerAgeMsMax / ANNOUNCES_PER_AGE,
  });
}

async function hashesOf(
  sql: Sql,
  torrentIds: readonly number[],
): Promise<ReadonlyMap<number, OfferedHashes>> {
  const rows = await sql
    .read<CatalogueTables>()
    .selectFrom('torrent')
    .select(['id', 'info_hash_v1', 'info_hash_v2'])
    .where('id', 'in', torrentIds)
    .where('removed_ms', 'is', null)
    .execute();
  return new Map(
    rows.map(({ id, info_hash_v1: v1, info_hash_v2: v2 }) => [
      id,
      {
        ...(v1 === null ? {} : { v1 }),
        ...(v2 === null ? {} : { v2: v2.subarray(0, INFO_HASH_BYTES) }),
      },
    ]),
  );
}
