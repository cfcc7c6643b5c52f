// A seeding peer over content that is really kept, and clients that take it by TCP, for tests.

import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import Protocol from 'bittorrent-protocol';
import { type Damage, saveChecks } from '#archive/catalogue/archive-health.ts';
import { fileAt, keepTorrent, releaseTorrent } from '#archive/catalogue/kept-torrents.ts';
import { archiveConfig } from '#archive/config.ts';
import { InPlaceHasher } from '#archive/hash/segment-hasher.ts';
import { putContent } from '#archive/ingest/put-content.ts';
import { archiveMigrations } from '#archive/migrations/all.ts';
import { toHex } from '#base/bytes.ts';
import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { SeededRandom } from '#base/random.ts';
import { Registry } from '#metrics/registry.ts';
import { listenTcp } from '#net/tcp-listen.ts';
import { migrate } from '#sql/migrate.ts';
import { openTestSqlite } from '#sql/test-databases.ts';
import { MemoryStore } from '#store/memory.ts';
import { type Metainfo, parseMetainfo } from '#wire/metainfo.ts';
import type { Offer } from './offered-torrents.ts';
import type { PeerWire } from './peer-wire.ts';
import { SeedingPeer } from './seeding-peer.ts';

export const TORRENT_ID = 3;
const WAIT_MS_MAX = 60_000;

export interface TestPeer {
  readonly peer: SeedingPeer;
  readonly store: MemoryStore;
  readonly metainfo: Metainfo;
  /** Those with bytes or none, pad files left out. */
  readonly files: readonly Uint8Array[];
  /** As a client names it. */
  readonly infoHash: string;
  /** Who is in the swarm: what it was told last. */
  readonly joined: Map<number, Offer>;
  readonly adopted: PeerWire[];
  /** What a check of the torrent's first file found. */
  found(damage: readonly Damage[]): Promise<void>;
  release(): Promise<void>;
}

export interface TestPeerOptions {
  readonly version?: 'v1' | 'v2' | 'hybrid';
  readonly sizes?: readonly number[];
  readonly pieceLength?: number;
  readonly config?: Readonly<Record<string, unknown>>;
  /** Offered as being taken in, instead of kept. */
  readonly isWanted?: boolean;
  /** Whether somebody announced from 127.0.0.1; they did unless given. */
  readonly isAnnounced?: boolean;
}

export async function withPeer(
  options: TestPeerOptions,
  run: (test: TestPeer) => Promise<void>,
): Promise<void> {
  const sql = await openTestSqlite();
  const clock = new SystemClock();
  const stop = new AbortController();
  try {
    await migrate(sql, archiveMigrations, { clock });
    const store = new MemoryStore();
    const hasher = new InPlaceHasher();
    const config = archiveConfig.parse({ segmentBytes: 262_144, ...options.config });
    const files = contentOf(options.sizes ?? [300_000, 0, 17, 700_000]);
    const put = await putContent(
      { store, hasher, config },
      {
        ...{ version: options.version ?? 'v1', name: 'set', singleFile: false },
        pieceLength: options.pieceLength ?? 32_768,
        files: files.map((content, at) => ({
          ...{ path: [`${at}.bin`], sizeBytes: content.length },
          async *read() {
            yield content;
          },
        })),
      },
    );
    assert.ok(put.ok);
    const parsed = parseMetainfo(put.bytes);
    assert.ok(parsed.ok);
    const { metainfo } = parsed;
    const { isWanted = false } = options;
    if (!isWanted) await keepTorrent(sql, { id: TORRENT_ID, files: put.files, nowMs: 1 });
    const joined = new Map<number, Offer>();
    const adopted: PeerWire[] = [];
    const { infoHashV1: v1, infoHashV2Truncated: v2 } = metainfo;
    const hashes = { ...(v1 === undefined ? {} : { v1 }), ...(v2 === undefined ? {} : { v2 }) };
    const peer = await SeedingPeer.listen({
      ...{ sql, clock, config, hasher, logger: silentLogger, metrics: new Registry() },
      random: new SeededRandom(9),
      ...{ peerId: Buffer.from('-SK0100-abcdefghijkl'), segments: store, listen: listenTcp },
      ...{ announceMs: 60_000 },
      catalogue: {
        hashesOf: async () => new Map([[TORRENT_ID, hashes]]),
        metainfo: async () => metainfo,
      },
      swarms: () => ({
        join: (offer) => joined.set(offer.torrentId, offer) !== undefined,
        leave: (offer) => void joined.delete(offer.torrentId),
        hasAddress: () => options.isAnnounced ?? true,
      }),
      intake: {
        taking: () => (isWanted ? [TORRENT_ID] : []),
        adopt: (_torrentId, wire) => adopted.push(wire) > 0,
      },
    });
    const running = peer.run(stop.signal);
    await until('it is offered', () => joined.size > 0);
    const infoHash = toHex(v1 ?? v2 ?? new Uint8Array(0));
    const release = async (): Promise<void> => {
      await releaseTorrent(sql, TORRENT_ID);
    };
    const found = async (damage: readonly Damage[]): Promise<void> => {
      const file = await fileAt(sql, TORRENT_ID, 0);
      await saveChecks(sql, [{ fileId: file?.id ?? -1, damage }], 2);
    };
    await run({ peer, store, metainfo, files, infoHash, joined, adopted, found, release });
    stop.abort();
    await running;
  } finally {
    stop.abort();
    await sql.close();
  }
}

function contentOf(sizes: readonly number[]): Uint8Array[] {
  const random = new SeededRandom(sizes.length);
  return sizes.map((bytes) => {
    const parts = Array.from({ length: Math.ceil(bytes / 50_000) }, () => random.bytes(50_000));
    return new Uint8Array(Buffer.concat(parts).subarray(0, bytes));
  });
}

export async function until(what: string, holds: () => boolean): Promise<void> {
  const endMs = performance.now() + WAIT_MS_MAX;
  while (!holds()) {
    assert.ok(performance.now() < endMs, `waited for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A client as the package makes it. */
export interface TestClient {
  readonly wire: InstanceType<typeof Protocol>;
  readonly socket: Socket;
  /** The archive has answered its handshake. */
  readonly isShaken: () => boolean;
  /** The answer to a request for a block; undefined when it is refused. */
  block(piece: number, offset: number, length: number): Promise<Uint8Array | undefined>;
}

export interface TestClientOptions {
  readonly fast?: boolean;
  readonly isEncrypted?: boolean;
  readonly peerId?: string;
  /** Instead of the torrent's. */
  readonly infoHash?: string;
}

/** Connected, and its handshake sent. */
export function dialPeer(test: TestPeer, options: TestClientOptions = {}): TestClient {
  const { fast = true, isEncrypted = false, peerId = '-XX0001-000000000001' } = options;
  const infoHash = options.infoHash ?? test.infoHash;
  const socket = connect({ host: '127.0.0.1', port: test.peer.port });
  const wire = isEncrypted ? new Protocol('tcpOutgoing', 2) : new Protocol();
  socket.on('error', () => undefined);
  wire.on('error', () => undefined);
  socket.pipe(wire as unknown as Socket).pipe(socket);
  const shake = (): void => wire.handshake(infoHash, Buffer.from(peerId), { fast });
  if (isEncrypted) {
    wire.on('crypto-handshake', shake);
    wire.startEncryption(infoHash);
  } else shake();
  let isShaken = false;
  wire.on('handshake', () => {
    isShaken = true;
  });
  const block = (piece: number, offset: number, length: number): Promise<Uint8Array | undefined> =>
    new Promise((resolve) => {
      wire.request(piece, offset, length, (error, bytes) =>
        resolve(error === null ? new Uint8Array(bytes ?? []) : undefined),
      );
    });
  return { wire, socket, block, isShaken: () => isShaken };
}
