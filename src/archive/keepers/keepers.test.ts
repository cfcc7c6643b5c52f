import assert from 'node:assert/strict';
import test from 'node:test';
import { keepTorrent, releaseTorrent } from '#archive/catalogue/kept-torrents.ts';
import { archiveConfig } from '#archive/config.ts';
import { segmentRef } from '#archive/content/file-map.ts';
import { FileWriter, type WrittenFile } from '#archive/content/file-writer.ts';
import { InPlaceHasher } from '#archive/hash/segment-hasher.ts';
import { archiveMigrations } from '#archive/migrations/all.ts';
import { checkFile } from '#archive/verify/check-file.ts';
import type { BlobRef } from '#base/ids.ts';
import { silentLogger } from '#base/logger.ts';
import { SeededRandom } from '#base/random.ts';
import { SimClock } from '#sim/clock.ts';
import { SimDisk } from '#sim/disk.ts';
import { migrate } from '#sql/migrate.ts';
import type { Sql } from '#sql/sql.ts';
import { forEachDatabase, type OpenTestSql, openTestSqlite } from '#sql/test-databases.ts';
import { MemoryStore } from '#store/memory.ts';
import type { Copy } from './copies.ts';
import { HeldCopies } from './held-copies.ts';
import { HttpKeeperLink } from './http-link.ts';
import { keeperRound } from './keeper.ts';
import { addKeeper, listKeepers, removeKeeper } from './keeper-book.ts';
import { KeeperDesk } from './keeper-desk.ts';
import { answerKeeper } from './keeper-door.ts';
import type { KeeperTables } from './keeper-tables.ts';
import { placeCopies } from './placement.ts';

const MIB = 1024 * 1024;
const SEGMENT_BYTES = 256 * 1024;
const DAY_MS = 86_400_000;
const signal = new AbortController().signal;

class World {
  readonly clock = new SimClock();
  readonly random = new SeededRandom(1);
  readonly store = new MemoryStore();
  readonly logger = silentLogger;
  readonly config = archiveConfig.parse({ keeperPointsPerGibDay: 1000 });
  /** Thousandths of a point by member. */
  readonly points = new Map<number, number>();
  readonly sql: Sql;
  readonly desk: KeeperDesk;

  private constructor(sql: Sql) {
    this.sql = sql;
    this.desk = new KeeperDesk({
      ...{ sql, clock: this.clock, random: this.random, logger: silentLogger },
      ...{ config: this.config, store: async () => this.store },
      credit: this.credit,
    });
  }

  readonly credit = {
    grant: async (_: unknown, entry: { memberId: number; milliPoints: number }): Promise<void> => {
      const before = this.points.get(entry.memberId) ?? 0;
      this.points.set(entry.memberId, before + entry.milliPoints);
    },
  };

  static async open(open: OpenTestSql): Promise<World> {
    const sql = await open();
    const world = new World(sql);
    await migrate(sql, archiveMigrations, { clock: world.clock });
    return world;
  }

  place() {
    return placeCopies({ ...this.worldOfDesk, desk: this.desk });
  }

  get worldOfDesk() {
    const { sql, clock, random, logger, config, credit } = this;
    return { sql, clock, random, logger, config, credit, store: async () => this.store };
  }

  /** A torrent of one file with three segments and a bit. */
  async keep(id: number): Promise<WrittenFile> {
    const bytes = 800_000;
    const writer = new FileWriter(
      { store: this.store, hasher: new InPlaceHasher() },
      { bytes, segmentBytes: SEGMENT_BYTES },
    );
    const random = new SeededRandom(id);
    for (let at = 0; at < bytes; at += 40_000) await writer.write(random.bytes(40_000));
    const file = await writer.finish();
    await keepTorrent(this.sql, { id, files: [file], nowMs: this.clock.nowMs() });
    return file;
  }

  async keeper(name: string, memberId: number, isSealed = false): Promise<TestKeeper> {
    const token = await addKeeper(this, { name, memberId, bytesMax: 10 * MIB, isSealed });
    assert.ok(token !== undefined);
    return new TestKeeper(this, token);
  }

  async copies(): Promise<Pick<Copy, 'state' | 'keeperId'>[]> {
    const rows = await this.sql
      .read<KeeperTables>()
      .selectFrom('archive_copy')
      .select(['state', 'keeper_id'])
      .orderBy('id')
      .execute();
    return rows.map(({ state, keeper_id: keeperId }) => ({ state, keeperId }));
  }
}

class TestKeeper {
  readonly store = new MemoryStore();
  readonly copies: HeldCopies;
  readonly link: HttpKeeperLink;
  readonly #world: World;

  constructor(world: World, token: string) {
    this.#world = world;
    this.copies = new HeldCopies({ disk: new SimDisk({ random: world.random }), folder: '/held' });
    this.link = new HttpKeeperLink({
      ...{ url: 'http://server/', token },
      async fetch(input, init) {
        const request = new Request(String(input), init);
        const { sql, logger, desk } = world;
        return (
          (await answerKeeper({ sql, logger, desk }, request)) ?? new Response('', { status: 404 })
        );
      },
    });
  }

  round() {
    const { clock, logger } = this.#world;
    const { link, copies, store } = this;
    return keeperRound(
      {
        clock,
        logger,
        link,
        copies,
        bytesMax: 5 * MIB,
        removesBlobs: true,
        store: async () => store,
      },
      0,
      signal,
    );
  }

  async refs(): Promise<BlobRef[]> {
    const refs: BlobRef[] = [];
    for await (const ref of this.copies.refs(signal)) refs.push(ref);
    return refs;
  }
}

/** Closed also when it fails. */
function on(sentence: string, body: (world: World) => Promise<void>): void {
  test(sentence, async () => {
    const world = await World.open(openTestSqlite);
    try {
      await body(world);
    } finally {
      await world.sql.close();
    }
  });
}

forEachDatabase((name, open) => {
  test(`${name}: a keeper fetches what it shall hold, proves it, and is credited by size and time`, async () => {
    const world = await World.open(open);
    try {
      const file = await world.keep(1);
      const keeper = await world.keeper('anna', 7);
      assert.equal((await world.place()).placed, 0);
      await keeper.round();
      assert.deepEqual(await world.place(), { placed: 1, failed: 0, dropped: 0, homeless: 0 });
      assert.equal((await world.place()).placed, 0);
      assert.equal((await keeper.round()).fetched, 1);
      assert.deepEqual((await keeper.refs()).slice(0, 2), [file.mapRef, segmentRef(file.map!, 0)]);
      assert.equal((await keeper.round()).proven, 1);
      assert.equal((await keeper.round()).proven, 0);
      world.clock.advance(2 * DAY_MS);
      assert.equal((await keeper.round()).proven, 1);
      // 800,000 bytes for two days at 1000 points a GiB and day.
      assert.equal(world.points.get(7), Math.floor((800_000 / 2 ** 30) * 2 * 1_000_000));
      const [state] = await listKeepers(world.sql);
      assert.deepEqual([state?.heldBytes, state?.heldCopies], [800_000, 1]);
    } finally {
      await world.sql.close();
    }
  });
});

on(
  'who holds less than he says is found by a proof, loses his credit, and another holds the copy',
  async (world) => {
    await world.keep(1);
    const liar = await world.keeper('liar', 7);
    const honest = await world.keeper('honest', 8);
    await liar.round();
    await world.place();
    await liar.round();
    await liar.round();
    world.clock.advance(2 * DAY_MS);
    await liar.round();
    assert.ok((world.points.get(7) ?? 0) > 0);
    await honest.round();
    // He throws everything away, and answers whatever he is asked with something.
    const copy = (await liar.copies.copies())[0] ?? 0;
    world.clock.advance(2 * DAY_MS);
    assert.equal((await liar.link.work({ bytesMax: 1, waitMs: 0 }, signal)).prove.length, 1);
    assert.ok(
      (await liar.link.blob(copy, 1, signal)) === undefined,
      'nobody is given what he should hold',
    );
    assert.equal(await liar.link.prove(copy, '0'.repeat(64)), false);
    assert.equal(world.points.get(7), 0);
    assert.deepEqual(
      (await world.copies()).map(({ state }) => state),
      ['failed'],
    );
    assert.equal((await world.place()).placed, 1);
    assert.equal((await honest.round()).fetched, 1);
    assert.equal((await honest.round()).proven, 1);
    assert.equal((await liar.round()).fetched, 0);
  },
);

on(
  'whoever is away earns nothing, and fails in the end; the copy is made elsewhere',
  async (world) => {
    await world.keep(1);
    const away = await world.keeper('away', 7);
    await away.round();
    await world.place();
    await away.round();
    await away.round();
    const other = await world.keeper('other', 8);
    world.clock.advance(2 * DAY_MS);
    await other.round();
    assert.equal((await world.place()).failed, 0);
    world.clock.advance(2 * DAY_MS);
    await other.round();
    const placed = await world.place();
    assert.deepEqual([placed.failed, placed.placed], [1, 1]);
    assert.equal((await other.round()).fetched, 1);
    assert.equal(world.points.get(7) ?? 0, 0);
  },
);

on(
  'a keeper that says that it lost a blob fetches it again and keeps its credit',
  async (world) => {
    await world.keep(1);
    const keeper = await world.keeper('anna', 7);
    await keeper.round();
    await world.place();
    await keeper.round();
    world.clock.advance(DAY_MS);
    await keeper.round();
    const earned = world.points.get(7);
    assert.ok((earned ?? 0) > 0);
    await keeper.store.remove(await keeper.refs());
    world.clock.advance(2 * DAY_MS);
    assert.equal((await keeper.round()).proven, 0);
    assert.equal((await world.copies())[0]?.state, 'wanted');
    assert.equal((await keeper.round()).fetched, 1);
    assert.equal((await keeper.round()).proven, 1);
    assert.equal(world.points.get(7), earned);
  },
);

on('who says lost instead of answering is asked for the same bytes again', async (world) => {
  await world.keep(1);
  const keeper = await world.keeper('anna', 7);
  await keeper.round();
  await world.place();
  await keeper.round();
  const challenged = async () => {
    const work = await keeper.link.work({ bytesMax: 2 ** 30, waitMs: 0 }, signal);
    return work.prove;
  };
  const first = await challenged();
  assert.equal(first.length, 1);
  const copy = first[0]?.copy ?? 0;
  await keeper.link.report(copy, 'lost');
  assert.deepEqual(await challenged(), []);
  await keeper.link.report(copy, 'held');
  assert.deepEqual(await challenged(), first);
});

on('a fetch that was cut goes on behind the last blob', async (world) => {
  await world.keep(1);
  const keeper = await world.keeper('anna', 7);
  await keeper.round();
  await world.place();
  const { blob } = keeper.link;
  const asked: number[] = [];
  keeper.link.blob = async (copy, number, stop) => {
    asked.push(number);
    if (asked.length === 3) throw new Error('cut');
    return await blob.call(keeper.link, copy, number, stop);
  };
  await assert.rejects(keeper.round(), /cut/);
  assert.equal((await keeper.round()).fetched, 1);
  assert.deepEqual(asked, [0, 1, 2, 2, 3, 4]);
});

on(
  'sealed copies are other bytes, prove themselves, and heal what was lost here, the map first',
  async (world) => {
    const file = await world.keep(1);
    const keeper = await world.keeper('anna', 7, true);
    await keeper.round();
    await world.place();
    await keeper.round();
    assert.equal((await keeper.round()).proven, 1);
    assert.ok(file.map !== undefined && file.mapRef !== undefined);
    const there = (await world.store.list()).map(({ ref }) => ref);
    for (const ref of await keeper.refs()) assert.equal(there.includes(ref), false);
    await world.store.remove([file.mapRef, segmentRef(file.map, 2)]);
    const fresh = new KeeperDesk(world.worldOfDesk);
    Object.assign(world, { desk: fresh });
    const checking = checkFile(
      { store: world.store, hasher: new InPlaceHasher(), healers: [fresh] },
      { id: 1, bytes: 800_000, mapRef: file.mapRef },
    );
    let isOver = false;
    checking.finally(() => {
      isOver = true;
    });
    while (!isOver) await keeper.round();
    const { damage, healed } = await checking;
    assert.deepEqual([damage, healed], [[], 2]);
  },
);

on(
  'a token that is none, a copy of somebody else and what is no work are refused',
  async (world) => {
    await world.keep(1);
    const anna = await world.keeper('anna', 7);
    const ben = await world.keeper('ben', 8);
    await anna.round();
    await world.place();
    const work = await anna.link.work({ bytesMax: 5 * MIB, waitMs: 0 }, signal);
    const copy = work.fetch[0]?.copy ?? 0;
    assert.ok((await ben.link.blob(copy, 0, signal)) === undefined);
    await ben.link.report(copy, 'held');
    assert.equal((await world.copies())[0]?.state, 'wanted');
    assert.ok((await anna.link.blob(copy, 99, signal)) === undefined);
    assert.equal(await anna.link.prove(copy, '0'.repeat(64)), false);
    await assert.rejects(anna.link.work({ bytesMax: -1, waitMs: 0 }, signal), {
      code: 'ARCHIVE_KEEPER_REFUSED',
    });
    // It was not asked for, so it is not even read.
    await anna.link.give(copy, 1, new Uint8Array(17 * MIB));
    await removeKeeper(world.sql, 'anna');
    await assert.rejects(anna.round(), { code: 'ARCHIVE_KEEPER_REFUSED' });
    assert.equal((await world.copies()).length, 0);
  },
);

on(
  'what is kept no more is let go by its keeper, and nothing that another copy needs',
  async (world) => {
    await world.keep(1);
    await world.keep(2);
    const keeper = await world.keeper('anna', 7);
    await keeper.round();
    await world.place();
    await keeper.round();
    const before = (await keeper.store.list()).length;
    await releaseTorrent(world.sql, 1);
    assert.equal((await world.place()).dropped, 1);
    assert.equal((await keeper.round()).dropped, 1);
    assert.equal((await keeper.store.list()).length, before / 2);
    assert.deepEqual(
      (await keeper.refs()).sort(),
      (await keeper.store.list()).map(({ ref }) => ref),
    );
    assert.equal((await world.copies()).length, 1);
  },
);

on('no keeper is given more than it offers or than it may', async (world) => {
  for (let id = 1; id <= 8; id++) await world.keep(id);
  const keeper = await world.keeper('anna', 7);
  await keeper.round();
  const { placed, homeless } = await world.place();
  // 5 MiB are offered, a file has 800,000 bytes.
  assert.deepEqual([placed, homeless], [6, 2]);
});
