import assert from 'node:assert/strict';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import test from 'node:test';
import Protocol from 'bittorrent-protocol';
import { archiveHealth } from '#archive/catalogue/archive-health.ts';
import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import { KeptFiles } from '#archive/catalogue/kept-files.ts';
import { isKept } from '#archive/catalogue/kept-torrents.ts';
import { SpareMaps } from '#archive/catalogue/spare-maps.ts';
import { unwantTorrent, wantedTorrents, wantTorrent } from '#archive/catalogue/wanted-torrents.ts';
import { addWebSources, isWebSource, webSourcesOf } from '#archive/catalogue/web-sources.ts';
import { archiveConfig } from '#archive/config.ts';
import { decodeFileMap, segmentRef } from '#archive/content/file-map.ts';
import { readFileRange } from '#archive/content/file-reader.ts';
import { InPlaceHasher } from '#archive/hash/segment-hasher.ts';
import { archiveMigrations } from '#archive/migrations/all.ts';
import { SeedingPeer } from '#archive/peer/seeding-peer.ts';
import { checkFile } from '#archive/verify/check-file.ts';
import { SwarmHealer } from '#archive/verify/swarm-healer.ts';
import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { SeededRandom } from '#base/random.ts';
import { Registry } from '#metrics/registry.ts';
import { type HttpAnswer, NodeHttpClient } from '#net/http-client.ts';
import { connectTcp } from '#net/tcp-connect.ts';
import { listenTcp } from '#net/tcp-listen.ts';
import { migrate } from '#sql/migrate.ts';
import type { Sql } from '#sql/sql.ts';
import { forEachDatabase, openTestSqlite } from '#sql/test-databases.ts';
import { MemoryStore } from '#store/memory.ts';
import { type Metainfo, parseMetainfo } from '#wire/metainfo.ts';
import { makeMetainfo } from '#wire/metainfo-maker.ts';
import { Intake } from './intake.ts';
import { PiecePlan } from './piece-plan.ts';
import type { PeerAddress } from './swarm-download.ts';
import { WebSource } from './web-source.ts';

const PIECE = 32_768;
const SIZES = [300_000, 0, 17, 700_000] as const;

interface TestTorrent {
  readonly metainfo: Metainfo;
  /** The v1 stream. */
  readonly stream: Uint8Array;
  readonly files: readonly Uint8Array[];
}

async function makeTestTorrent(
  version: 'v1' | 'v2' | 'hybrid',
  seed: number,
): Promise<TestTorrent> {
  const random = new SeededRandom(seed);
  const files = SIZES.map((bytes) => {
    const parts = Array.from({ length: Math.ceil(bytes / 50_000) }, () => random.bytes(50_000));
    return new Uint8Array(Buffer.concat(parts).subarray(0, bytes));
  });
  const made = await makeMetainfo({
    ...{ version, name: 'set', singleFile: false, pieceLength: PIECE },
    files: files.map((content, at) => ({
      path: [`${at}.bin`],
      sizeBytes: content.length,
      async *read() {
        yield content;
      },
    })),
  });
  assert.ok(made.ok);
  const parsed = parseMetainfo(made.bytes);
  assert.ok(parsed.ok);
  const { metainfo } = parsed;
  const plan = new PiecePlan(metainfo);
  const stream = new Uint8Array(plan.pieceCount * PIECE);
  for (const [position, content] of files.entries()) {
    stream.set(content, plan.startOf(position) ?? 0);
  }
  return { metainfo, stream, files };
}

/** A peer that has some pieces, tells the truth or not, and may fall silent. */
class TestSeeder {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Blocks that were asked for, by piece. */
  readonly asked = new Map<number, number>();

  private constructor(torrent: TestTorrent, has: (piece: number) => boolean, answers: Answers) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      const wire = new Protocol();
      socket.pipe(wire as unknown as Socket).pipe(socket);
      wire.on('error', () => undefined);
      wire.on('handshake', (infoHash) => {
        wire.handshake(infoHash, Buffer.from('-XX0001-abcdefghijkl'));
        const count = torrent.stream.length / PIECE;
        const bits = new Uint8Array(Math.ceil(count / 8));
        for (let piece = 0; piece < count; piece++) {
          if (has(piece)) bits[piece >> 3] = (bits[piece >> 3] ?? 0) | (0x80 >> (piece & 7));
        }
        wire.bitfield(bits);
        wire.unchoke();
      });
      let told = 0;
      wire.on('request', (piece, offset, length, respond) => {
        this.asked.set(piece, (this.asked.get(piece) ?? 0) + 1);
        const start = piece * PIECE + offset;
        const block = torrent.stream.slice(start, start + length);
        if (answers === 'lies') block.fill(0xee);
        told += 1;
        if (answers === 'goes away' && told > 5) socket.destroy();
        else respond(null, block);
      });
    });
  }

  static async listen(torrent: TestTorrent, has: (piece: number) => boolean, answers: Answers) {
    const seeder = new TestSeeder(torrent, has, answers);
    await new Promise<void>((resolve) => seeder.#server.listen(0, '127.0.0.1', resolve));
    return seeder;
  }

  get address(): PeerAddress {
    return { address: '127.0.0.1', port: (this.#server.address() as AddressInfo).port };
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

type Answers = 'truth' | 'lies' | 'goes away';

interface Taken {
  readonly sql: Sql;
  readonly store: MemoryStore;
  /** Runs until `isOver` holds, then stops in order. */
  run(peers: () => readonly PeerAddress[], isOver: () => Promise<boolean>): Promise<void>;
}

async function withIntake(
  sql: Sql,
  torrent: { readonly metainfo: Metainfo | undefined },
  run: (taken: Taken) => Promise<void>,
) {
  try {
    const clock = new SystemClock();
    await migrate(sql, archiveMigrations, { clock });
    const store = new MemoryStore();
    await run({
      ...{ sql, store },
      async run(peers, isOver) {
        const stop = new AbortController();
        const intake = new Intake({
          ...{ sql, clock, store: async () => store, hasher: new InPlaceHasher(), healers: [] },
          ...{
            peerId: new SeededRandom(1).bytes(20),
            logger: silentLogger,
            connect: connectTcp,
            http: new NodeHttpClient(),
            peers,
          },
          config: archiveConfig.parse({ segmentBytes: 262_144 }),
          metainfo: async () => torrent.metainfo,
        });
        const running = intake.run(stop.signal);
        const untilMs = clock.monotonicMs() + 90_000;
        while (!(await isOver()) && clock.monotonicMs() < untilMs) {
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        stop.abort();
        await running;
      },
    });
  } finally {
    await sql.close();
  }
}

async function contentOf(taken: Taken): Promise<Uint8Array[]> {
  const contents: Uint8Array[] = [];
  for (const file of [...(await KeptFiles.read(taken.sql, 3))]) {
    const map = file && decodeFileMap(await taken.store.get(file.mapRef));
    const parts: Uint8Array[] = [];
    if (map !== undefined) {
      const range = { start: 0, end: map.bytes };
      for await (const part of readFileRange(taken.store, map, range)) parts.push(part);
    }
    contents.push(new Uint8Array(Buffer.concat(parts)));
  }
  return contents;
}

forEachDatabase((name, open) => {
  test(`${name}: a wanted torrent is taken from peers who each have a part, and is kept then`, async () => {
    for (const version of ['v1', 'hybrid', 'v2'] as const) {
      const torrent = await makeTestTorrent(version, 1);
      await withIntake(await open(), torrent, async (taken) => {
        const { sql } = taken;
        const odd = await TestSeeder.listen(torrent, (piece) => piece % 2 === 1, 'truth');
        const even = await TestSeeder.listen(torrent, (piece) => piece % 2 === 0, 'truth');
        assert.equal(await wantTorrent(sql, 3, 5), true);
        assert.equal(await wantTorrent(sql, 3, 5), false);
        await taken.run(
          () => [odd.address, even.address],
          () => isKept(sql, 3),
        );
        assert.deepEqual(await contentOf(taken), torrent.files);
        assert.equal((await wantedTorrents(sql, 10)).length, 0);
        assert.equal(await wantTorrent(sql, 3, 5), false);
        assert.equal((await archiveHealth(sql)).files, 3);
        await Promise.all([odd.close(), even.close()]);
      });
    }
  });
});

test('who lies is asked for nothing more, who goes is made up for by others', async () => {
  const torrent = await makeTestTorrent('v1', 2);
  await withIntake(await openTestSqlite(), torrent, async (taken) => {
    const liar = await TestSeeder.listen(torrent, () => true, 'lies');
    const fickle = await TestSeeder.listen(torrent, () => true, 'goes away');
    await wantTorrent(taken.sql, 3, 5);
    let honest: TestSeeder | undefined;
    await taken.run(
      () => [liar.address, fickle.address, ...(honest === undefined ? [] : [honest.address])],
      async () => {
        // Comes when the others have shown what they are.
        if (honest === undefined && liar.asked.size > 0 && fickle.asked.size > 0) {
          honest = await TestSeeder.listen(torrent, () => true, 'truth');
        }
        return await isKept(taken.sql, 3);
      },
    );
    assert.deepEqual(await contentOf(taken), torrent.files);
    await Promise.all([liar.close(), fickle.close(), honest?.close()]);
  });
});

test('what was interrupted goes on with the file it was at', async () => {
  const torrent = await makeTestTorrent('v1', 3);
  await withIntake(await openTestSqlite(), torrent, async (taken) => {
    const { sql } = taken;
    const half = await TestSeeder.listen(torrent, (piece) => piece < 14, 'truth');
    await wantTorrent(sql, 3, 5);
    await taken.run(
      () => [half.address],
      async () => half.asked.size === 14 && (await archiveFiles(sql)) === 2,
    );
    assert.equal(await isKept(sql, 3), false);
    const whole = await TestSeeder.listen(torrent, () => true, 'truth');
    await taken.run(
      () => [whole.address],
      () => isKept(sql, 3),
    );
    assert.deepEqual(await contentOf(taken), torrent.files);
    // The first file ends in piece 9, the third in it too.
    assert.equal(Math.min(...whole.asked.keys()), 9);
    await Promise.all([half.close(), whole.close()]);
  });
});

test('a segment that was lost is healed from the swarm, and a file whose map was', async () => {
  const torrent = await makeTestTorrent('v1', 5);
  await withIntake(await openTestSqlite(), torrent, async (taken) => {
    const { sql, store } = taken;
    const seeder = await TestSeeder.listen(torrent, () => true, 'truth');
    await wantTorrent(sql, 3, 5);
    await taken.run(
      () => [seeder.address],
      () => isKept(sql, 3),
    );
    seeder.asked.clear();
    const last = [...(await KeptFiles.read(sql, 3))][3];
    assert.ok(last !== undefined);
    const map = decodeFileMap(await store.get(last.mapRef));
    assert.ok(map !== undefined);
    await store.remove([segmentRef(map, 1)]);
    const healer = new SwarmHealer({
      ...{
        sql,
        clock: new SystemClock(),
        peerId: new SeededRandom(2).bytes(20),
        connect: connectTcp,
      },
      ...{ store: async () => store, hasher: new InPlaceHasher() },
      config: archiveConfig.parse({ segmentBytes: 262_144 }),
      metainfo: async () => torrent.metainfo,
      peers: () => [seeder.address],
    });
    const world = { store, hasher: new InPlaceHasher() };
    const alone = await checkFile({ ...world, healers: [] }, last);
    assert.deepEqual(alone.damage, [{ segment: 1, kind: 'missing' }]);
    const healed = await checkFile({ ...world, healers: [healer] }, last);
    assert.deepEqual([healed.damage, healed.healed], [[], 1]);
    assert.deepEqual(await contentOf(taken), torrent.files);
    // 256 KiB that begin within a piece touch nine pieces of 32 KiB.
    assert.equal(seeder.asked.size, 9);
    // The map too, and the catalogue's copy of it: the file is taken anew, which makes the same map.
    await store.remove([last.mapRef, segmentRef(map, 0)]);
    await sql.transaction<ArchiveTables, unknown>((transaction) =>
      transaction.deleteFrom('archive_map').where('file_id', '=', last.id).execute(),
    );
    const remade = await checkFile({ ...world, healers: [new SpareMaps(sql), healer] }, last);
    assert.deepEqual([remade.damage, remade.healed], [[], 1]);
    assert.deepEqual([...(await KeptFiles.read(sql, 3))][3], last);
    assert.deepEqual(await contentOf(taken), torrent.files);
    await seeder.close();
  });
});

test('what can never be taken says so, and what is not wanted any more is let go', async () => {
  const torrent = await makeTestTorrent('v1', 4);
  await withIntake(await openTestSqlite(), { ...torrent, metainfo: undefined }, async (taken) => {
    const { sql } = taken;
    await wantTorrent(sql, 3, 5);
    await taken.run(
      () => [],
      async () => (await wantedTorrents(sql, 10)).length === 0,
    );
    assert.equal(await isKept(sql, 3), false);
    assert.equal(await unwantTorrent(sql, 3), true);
    assert.equal(await unwantTorrent(sql, 3), false);
  });
});

test('a web seed of somebody else gives what no peer has, and one that lies is asked no more', async () => {
  for (const version of ['v1', 'v2', 'hybrid'] as const) {
    const torrent = await makeTestTorrent(version, 6);
    await withIntake(await openTestSqlite(), torrent, async (taken) => {
      const { sql } = taken;
      const asked: string[] = [];
      const serve = (lies: boolean): HttpServer =>
        createHttpServer((request, response) => {
          asked.push(`${lies ? 'liar' : 'honest'} ${request.url}`);
          const at = /^\/some%20where\/set\/(\d)\.bin$/.exec(request.url ?? '')?.[1];
          const content = torrent.files[Number(at)];
          const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
          if (content === undefined || from === undefined)
            return void response.writeHead(404).end();
          const body = Buffer.from(content.slice(Number(from), Number(to) + 1));
          if (lies) body.fill(0xee);
          const range = `bytes ${from}-${to}/${content.length}`;
          response.writeHead(206, { 'content-range': range, 'content-length': body.length });
          response.end(body);
        });
      const servers = [serve(true), serve(false)];
      const urls: string[] = [];
      for (const server of servers) {
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
        urls.push(`http://127.0.0.1:${(server.address() as AddressInfo).port}/some where`);
      }
      await wantTorrent(sql, 3, 5);
      await addWebSources(sql, 3, urls);
      await taken.run(
        () => [],
        () => isKept(sql, 3),
      );
      assert.deepEqual(await contentOf(taken), torrent.files, version);
      assert.ok(asked.filter((line) => line.startsWith('liar')).length <= 8);
      assert.deepEqual(await webSourcesOf(sql, 3), []);
      for (const server of servers) server.closeAllConnections();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    });
  }
});

test('who cannot be dialled dials the archive, and is taken from like any other', async () => {
  const torrent = await makeTestTorrent('v2', 8);
  const sql = await openTestSqlite();
  const clock = new SystemClock();
  const stop = new AbortController();
  await migrate(sql, archiveMigrations, { clock });
  const store = new MemoryStore();
  const parts = {
    ...{ sql, clock, hasher: new InPlaceHasher(), logger: silentLogger },
    ...{ peerId: new SeededRandom(1).bytes(20), random: new SeededRandom(2) },
    config: archiveConfig.parse({ segmentBytes: 262_144 }),
    metainfo: async () => torrent.metainfo,
  };
  const intake = new Intake({
    ...{ ...parts, store: async () => store, healers: [], connect: connectTcp },
    ...{ http: new NodeHttpClient(), peers: () => [] },
  });
  const v2 = torrent.metainfo.infoHashV2Truncated ?? new Uint8Array(0);
  const peer = await SeedingPeer.listen({
    ...{ ...parts, metrics: new Registry(), segments: store, listen: listenTcp, intake },
    ...{ announceMs: 60_000 },
    catalogue: { ...parts, hashesOf: async () => new Map([[3, { v2 }]]) },
    swarms: () => ({ join: () => true, leave: () => undefined, hasAddress: () => true }),
  });
  await wantTorrent(sql, 3, 5);
  const running = [intake.run(stop.signal), peer.run(stop.signal)];
  const untilMs = clock.monotonicMs() + 90_000;
  const sockets: Socket[] = [];
  while (!(await isKept(sql, 3)) && clock.monotonicMs() < untilMs) {
    // As a client would, it comes again when it was turned away.
    if (sockets.every((socket) => socket.destroyed)) {
      const socket = connect({ host: '127.0.0.1', port: peer.port });
      sockets.push(socket);
      const wire = new Protocol();
      socket.on('error', () => undefined);
      wire.on('error', () => undefined);
      socket.pipe(wire as unknown as Socket).pipe(socket);
      wire.handshake(Buffer.from(v2).toString('hex'), Buffer.from('-XX0001-abcdefghijkl'));
      wire.on('handshake', () => {
        wire.bitfield(new Uint8Array(torrent.stream.length / PIECE / 8 + 1).fill(0xff));
        wire.unchoke();
      });
      wire.on('request', (piece, offset, length, respond) => {
        const start = piece * PIECE + offset;
        respond(null, torrent.stream.slice(start, start + length));
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.equal(await isKept(sql, 3), true);
  stop.abort();
  for (const socket of sockets) socket.destroy();
  await Promise.all(running);
  await sql.close();
});

test('a web seed that gives other lengths, other ranges or nothing is no source', async () => {
  const torrent = await makeTestTorrent('v1', 7);
  const plan = new PiecePlan(torrent.metainfo);
  const answers: Partial<HttpAnswer>[] = [
    { status: 200, body: new Uint8Array(PIECE) },
    {
      status: 206,
      headers: { 'content-range': 'bytes 1-32768/300000' },
      body: new Uint8Array(PIECE),
    },
    { status: 206, headers: { 'content-range': 'bytes 0-32767/300000' }, body: new Uint8Array(9) },
    { status: 302, headers: { location: 'http://169.254.169.254/' } },
  ];
  for (const answer of answers) {
    const send = async (): Promise<HttpAnswer> => ({
      ...{ status: 200, headers: {}, body: new Uint8Array(0), ...answer },
    });
    const source = new WebSource({ send, close: () => undefined }, 'http://a/', {
      ...torrent.metainfo,
      plan,
    });
    assert.equal(await source.piece(0, new AbortController().signal), undefined);
  }
  for (const url of ['ftp://a/', 'http://u:p@a/', 'http://a/?q', 'http://a/#f', '/x', 'x']) {
    assert.equal(isWebSource(url), false, url);
  }
  assert.equal(isWebSource('https://seeds.example.org/a b/'), true);
});

async function archiveFiles(sql: Sql): Promise<number> {
  const rows = await sql
    .read<{ archive_file: { id: number } }>()
    .selectFrom('archive_file')
    .select('id')
    .execute();
  return rows.length;
}
