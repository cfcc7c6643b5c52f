// The archive joined to the other rooms: what a command needs of it, and its web seed.

import { addFreeBytes } from '#accounting/free-bytes/free-bytes.ts';
import type { ArchiveWorld } from '#archive/archive.ts';
import { isKept } from '#archive/catalogue/kept-torrents.ts';
import { SpareMaps } from '#archive/catalogue/spare-maps.ts';
import { Downloads } from '#archive/downloads/downloads.ts';
import type { SegmentHasher } from '#archive/hash/segment-hasher.ts';
import { Intake, type IntakeWorld } from '#archive/ingest/intake.ts';
import type { PeerAddress } from '#archive/ingest/swarm-download.ts';
import { PieceDoor } from '#archive/pieces/piece-door.ts';
import type { Healer } from '#archive/verify/check-file.ts';
import { SwarmHealer, type SwarmHealerWorld } from '#archive/verify/swarm-healer.ts';
import type { SeedCatalogue } from '#archive/web-seed/seed-files.ts';
import { SeedTraffic } from '#archive/web-seed/seed-traffic.ts';
import { WebSeed } from '#archive/web-seed/web-seed.ts';
import { WebDav } from '#archive/webdav/webdav.ts';
import { bytesEqual } from '#base/bytes.ts';
import type { Clock } from '#base/clock.ts';
import { endInTurns } from '#base/steps.ts';
import type { Config } from '#config/schema.ts';
import { type AddonPlace, loadAddon } from '#net/addon.ts';
import { FileSender } from '#net/file-sender.ts';
import { NodeHttpClient } from '#net/http-client.ts';
import { formatIp } from '#net/ip-address.ts';
import { connectTcp } from '#net/tcp-connect.ts';
import { memberOfSeedToken } from '#site/accounts/seed-token.ts';
import { findTorrentByHash } from '#site/catalogue/find-torrent.ts';
import { torrentFile } from '#site/catalogue/torrent-file.ts';
import { contentTree, davCatalogue } from '#site/downloads/content-tree.ts';
import { davMembers } from '#site/downloads/dav-key.ts';
import type { SwarmPeer, Swarms } from '#site/swarms.ts';
import type { SiteContent } from '#site/world.ts';
import type { Sql } from '#sql/sql.ts';
import { parseInSteps } from '#wire/metainfo.ts';
import { skimTorrent } from '#wire/metainfo-skim.ts';
import { contributionsOf } from './contributions.ts';
import { findFfmpeg } from './ffmpeg.ts';
import type { Rooms } from './rooms.ts';
import type { StoreRoom } from './store-room.ts';

/** Of one swarm, that are looked at for someone to take a wanted torrent from. */
const PEERS_MAX = 200;

export function archiveOf(parts: {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly config: Config;
  readonly hasher: SegmentHasher;
  readonly store: StoreRoom;
  /** Who hold copies; they are asked before the swarms. */
  readonly keepers: Healer;
  /** Undefined offline, where nobody knows who is in them. */
  readonly swarms: Swarms | undefined;
}): ArchiveWorld {
  const { sql, clock, config, hasher, store, swarms, keepers } = parts;
  const world = {
    ...{ sql, clock, hasher, config: config.archive },
    store: async () => (await store.stack()).store,
  };
  const spares = new SpareMaps(sql);
  // Offline nobody else can be asked.
  if (swarms === undefined) return { ...world, healers: [spares] };
  const swarmHealer = new SwarmHealer({ ...world, ...swarmWorld(parts, swarms) });
  return { ...world, healers: [spares, keepers, swarmHealer] };
}

export interface ArchiveDoors {
  readonly seed: WebSeed;
  readonly traffic: SeedTraffic;
  readonly dav: WebDav;
  readonly pieces: PieceDoor;
  /** What pages give to download. */
  readonly content: SiteContent;
  /** Undefined without the addon. */
  readonly sender: FileSender | undefined;
  /** What is being given ends where it is; what was given is written down. */
  close(): Promise<void>;
}

export function openArchiveDoors(rooms: Rooms, addon: AddonPlace): ArchiveDoors {
  const { sql, clock } = rooms;
  const logger = rooms.logger.for('archive');
  const isFree = rooms.config.archive.credit === 'free';
  const traffic = new SeedTraffic({
    ...{ sql, clock, logger },
    ...(isFree ? { takeOff: addFreeBytes } : {}),
  });
  const catalogue = seedCatalogue(sql);
  const asked = {
    ...{ ...rooms.archive, logger, catalogue },
    members: {
      memberOf: (token: string, infoHash: string) => memberOfSeedToken(sql, token, infoHash),
    },
    onSent: (memberId: number, torrentId: number, bytes: number) =>
      traffic.add(memberId, torrentId, bytes),
  };
  const seed = new WebSeed(asked);
  const pieces = new PieceDoor(asked);
  const downloads = new Downloads({
    ...{ ...rooms.archive, logger, catalogue, tree: contentTree(sql) },
  });
  const content: SiteContent = {
    downloads,
    isKept: (torrentId) => isKept(sql, torrentId),
    contributions: contributionsOf(rooms),
    pictures: {
      put: async (bytes) => (await (await rooms.archive.store()).put(bytes)).ref,
      maker: () => findFfmpeg(),
    },
    blob: async (ref) => await (await rooms.archive.store()).get(ref).catch(() => undefined),
    onTaken: (memberId, torrentId, bytes) => traffic.add(memberId, torrentId, bytes),
  };
  const members = davMembers({ sql, onTaken: content.onTaken });
  const dav = new WebDav({ downloads, logger, members, catalogue: davCatalogue(sql) });
  const loaded = loadAddon(addon);
  const sender = 'addon' in loaded ? FileSender.open(loaded.addon) : undefined;
  const close = async (): Promise<void> => {
    sender?.close();
    pieces.close();
    await traffic.flush();
  };
  return { seed, traffic, dav, pieces, content, sender, close };
}

type CatalogueReading = SeedCatalogue & Pick<IntakeWorld, 'metainfo'>;

/** The catalogue as the archive's doors ask it. */
export function seedCatalogue(sql: Sql): CatalogueReading {
  return {
    async torrentByHash(infoHash) {
      const torrent = await findTorrentByHash(sql, infoHash);
      return torrent === undefined || torrent.removedMs !== undefined ? undefined : torrent;
    },
    async metainfo(torrentId) {
      const bytes = await torrentFile(sql, torrentId);
      const parsed = bytes && (await endInTurns(parseInSteps(bytes)));
      return parsed?.ok === true ? parsed.metainfo : undefined;
    },
    async listing(torrentId) {
      const bytes = await torrentFile(sql, torrentId);
      return bytes && (await endInTurns(skimTorrent(bytes)));
    },
  };
}

/** The swarms as the archive asks them: peers are read from the tracker's memory. */
function swarmWorld(
  parts: SwarmParts,
  swarms: Swarms,
): Pick<SwarmHealerWorld, 'sql' | 'clock' | 'peerId' | 'connect' | 'metainfo' | 'peers'> {
  const { sql, clock } = parts;
  const { archivePeerId: peerId } = swarms;
  const isOther = (peer: SwarmPeer): boolean => !bytesEqual(peer.peerId, peerId);
  return {
    ...{ sql, clock, peerId, connect: connectTcp },
    metainfo: (torrentId) => seedCatalogue(sql).metainfo(torrentId),
    peers: (torrentId) =>
      swarms.peersOfTorrent(torrentId, PEERS_MAX).filter(isOther).flatMap(addressesOf),
  };
}

type SwarmParts = Pick<Rooms, 'sql' | 'clock'>;

/** Takes wanted torrents in from their swarms. */
export function openIntake(rooms: Rooms, swarms: Swarms): Intake {
  const logger = rooms.logger.for('archive');
  const http = new NodeHttpClient({ isPublicOnly: !rooms.config.archive.webSourcesPrivate });
  return new Intake({ ...rooms.archive, ...swarmWorld(rooms, swarms), http, logger });
}

/** Only who may have something to give. */
function addressesOf(peer: SwarmPeer): readonly PeerAddress[] {
  const addresses: PeerAddress[] = [];
  for (const [bytes, family] of [
    [peer.ipv4, 4],
    [peer.ipv6, 6],
  ] as const) {
    if (bytes === undefined) continue;
    const end = bytes.length - 2;
    const port = (bytes[end] ?? 0) * 256 + (bytes[end + 1] ?? 0);
    if (port > 0) addresses.push({ address: formatIp(bytes.subarray(0, end), family), port });
  }
  return addresses;
}
