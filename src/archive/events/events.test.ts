import assert from 'node:assert/strict';
import test from 'node:test';
import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import { keepTorrent, releaseTorrent } from '#archive/catalogue/kept-torrents.ts';
import { unwantTorrent, wantTorrent } from '#archive/catalogue/wanted-torrents.ts';
import { segmentRef } from '#archive/content/file-map.ts';
import { FileWriter, type WrittenFile } from '#archive/content/file-writer.ts';
import { InPlaceHasher } from '#archive/hash/segment-hasher.ts';
import { archiveMigrations } from '#archive/migrations/all.ts';
import { bytesEqual, toHex, utf8 } from '#base/bytes.ts';
import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import type { Log, ReadRecord } from '#log/log.ts';
import { MemoryLog } from '#sim/memory-log.ts';
import { migrate } from '#sql/migrate.ts';
import type { Sql } from '#sql/sql.ts';
import { forEachDatabase, type OpenTestSql, openTestSqlite } from '#sql/test-databases.ts';
import { MemoryStore } from '#store/memory.ts';
import { BLOB_BYTES_MAX, refOf } from '#store/store.ts';
import { decodeEvent, EVENTS_TOPIC, type EventBody, EventKey, NO_EVENT } from './event.ts';
import { EventChain } from './event-chain.ts';
import { type EventKeys, EventRelay } from './event-relay.ts';
import { EventRoots } from './event-roots.ts';
import type { EventTables } from './event-tables.ts';
import { type ReindexOptions, reindex } from './reindex.ts';

const clock = new SystemClock();
const SEGMENT_BYTES = 256 * 1024;
/** The first is more than a blob. */
const torrentFileOf = (id: number): Uint8Array =>
  id === 1 ? new Uint8Array(BLOB_BYTES_MAX + 5).fill(7) : utf8(`torrent ${id}`);
const secretOf = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);

class TestKeys implements EventKeys {
  #current = new EventKey(secretOf(1));
  #next: EventKey | undefined;

  current(): EventKey {
    return this.#current;
  }

  next(): EventKey | undefined {
    return this.#next;
  }

  makeNext(): EventKey {
    this.#next = new EventKey(secretOf(2));
    return this.#next;
  }

  adoptNext(): void {
    this.#current = this.#next ?? this.#current;
    this.#next = undefined;
  }

  lose(): void {
    this.#current = new EventKey(secretOf(3));
  }
}

class World {
  readonly store = new MemoryStore();
  readonly log = new MemoryLog();
  readonly keys = new TestKeys();
  sql: Sql;
  relay: EventRelay;
  /** Ids of the catalogue of torrents by info hash; made as they are asked for. */
  readonly torrents = new Map<string, number>();

  private constructor(sql: Sql) {
    this.sql = sql;
    this.relay = this.newRelay();
  }

  static async open(open: OpenTestSql): Promise<World> {
    const sql = await open();
    await migrate(sql, archiveMigrations, { clock });
    return new World(sql);
  }

  newRelay(): EventRelay {
    const { sql, log, keys, store } = this;
    return new EventRelay({
      ...{ sql, log, keys, clock, logger: silentLogger, store: async () => store },
      async describe(id) {
        const words = { title: `T${id}`, description: '', category: 'other', tags: ['a'] };
        return { ...words, id, infoHash: hashOf(id), torrentFile: torrentFileOf(id) };
      },
    });
  }

  /** Another, empty database beside the same log and store. */
  async loseDatabase(open: OpenTestSql): Promise<void> {
    await this.sql.close();
    this.sql = await open();
    await migrate(this.sql, archiveMigrations, { clock });
    this.torrents.clear();
    this.relay = this.newRelay();
  }

  async stored(bytes: number, fill: number): Promise<WrittenFile> {
    const world = { store: this.store, hasher: new InPlaceHasher() };
    const writer = new FileWriter(world, { bytes, segmentBytes: SEGMENT_BYTES });
    await writer.write(new Uint8Array(bytes).fill(fill));
    return writer.finish();
  }

  /** Two kept torrents with a file in common, one that was kept, one wanted, one that was. */
  async fill(): Promise<void> {
    const { sql } = this;
    const shared = await this.stored(700_000, 1);
    const files = [shared, await this.stored(0, 0), await this.stored(10, 2)];
    for (const id of [1, 2, 3, 4, 5]) this.torrents.set(hashOf(id), id);
    await keepTorrent(sql, { id: 1, files, nowMs: 5 });
    await keepTorrent(sql, { id: 2, files: [await this.stored(20, 3)], nowMs: 6 });
    await this.relay.flush();
    await wantTorrent(sql, 3, 7);
    await wantTorrent(sql, 4, 8);
    await keepTorrent(sql, { id: 5, files: [shared], nowMs: 9 });
    await unwantTorrent(sql, 4, 10);
    await releaseTorrent(sql, 2, 11);
    await this.relay.flush();
  }

  reindex(options: Partial<ReindexOptions> = {}, log: Pick<Log, 'read'> = this.log) {
    const { sql, store, keys, torrents } = this;
    return reindex(
      {
        ...{ sql, log, store, publicKey: keys.current().publicKey },
        torrentId: async (infoHash) => torrents.get(infoHash),
        async restore({ infoHash, id }, file) {
          assert.ok(bytesEqual(file, torrentFileOf(id)), 'the .torrent file is whole');
          torrents.set(infoHash, id);
          return { id };
        },
      },
      { isCheck: false, skipDamaged: false, onProblem: () => undefined, ...options },
    );
  }

  /** The catalogue, as text; `checked_ms` is what the scrub knows and no part of it. */
  async dump(): Promise<string> {
    const tables = this.sql.read<ArchiveTables & EventTables>();
    const parts = await Promise.all([
      tables
        .selectFrom('archive_entry')
        .innerJoin('archive_torrent', 'archive_torrent.torrent_id', 'archive_entry.torrent_id')
        .leftJoin('archive_file', 'archive_file.id', 'file_id')
        .select(['archive_entry.torrent_id', 'kept_ms', 'position'])
        .select(['root', 'size_bytes', 'map_ref', 'stored_ms'])
        .orderBy('archive_entry.torrent_id')
        .orderBy('position')
        .execute(),
      tables.selectFrom('archive_wanted').selectAll().orderBy('torrent_id').execute(),
      tables.selectFrom('archive_event').selectAll().orderBy('log_offset').execute(),
    ]);
    return JSON.stringify(parts, (_, value) =>
      value instanceof Uint8Array ? toHex(value) : value,
    );
  }

  async events(): Promise<EventBody['kind'][]> {
    const kinds: EventBody['kind'][] = [];
    for await (const { event, problem } of new EventChain(this.log).read()) {
      assert.equal(problem, undefined);
      if (event !== undefined) kinds.push(event.body.kind);
    }
    return kinds;
  }

  async roots(): Promise<ReadonlySet<string>> {
    const { sql, log, store } = this;
    const roots = new EventRoots({ sql, log, store: async () => store });
    const refs = new Set<string>();
    for await (const ref of roots.refs(new AbortController().signal)) refs.add(ref);
    return refs;
  }
}

function hashOf(id: number): string {
  return String(id).padStart(40, '0');
}

/** The log as somebody left it: `change` gives other records in the place of those there are. */
function changed(log: Log, change: (records: readonly ReadRecord[]) => readonly ReadRecord[]) {
  return {
    async read(topic: string, options: Parameters<Log['read']>[1]) {
      const result = await log.read(topic, options);
      return { ...result, records: change(result.records) };
    },
  };
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
  test(`${name}: a lost database is made again from log and blobs, equal to what it was`, async () => {
    const world = await World.open(open);
    try {
      await world.fill();
      const before = await world.dump();
      const same = await world.reindex();
      assert.deepEqual([same.kept, same.wanted, same.differences], [2, 1, 0]);
      await world.loseDatabase(open);
      const made = await world.reindex();
      assert.deepEqual([made.restored, made.differences, made.problems], [3, 3, 0]);
      assert.equal(await world.dump(), before);
      await world.relay.flush();
      const kinds = ['key', 'keep', 'keep', 'want', 'keep', 'delete'];
      assert.deepEqual(await world.events(), kinds);
    } finally {
      await world.sql.close();
    }
  });
});

on('a reindex that was killed halfway is run again to the same end', async (world) => {
  await world.fill();
  const before = await world.dump();
  for (const done of [1, 2]) {
    await world.loseDatabase(openTestSqlite);
    const killed = new AbortController();
    const onTorrent = (at: number): void => (at === done ? killed.abort() : undefined);
    await assert.rejects(world.reindex({ signal: killed.signal, onTorrent }));
    assert.notEqual(await world.dump(), before);
    await world.reindex();
    assert.equal(await world.dump(), before);
  }
});

on(
  'a check says what differs and changes nothing; rows that were changed by hand are put right',
  async (world) => {
    await world.fill();
    const before = await world.dump();
    await world.sql.transaction<ArchiveTables, void>(async (transaction) => {
      await transaction.deleteFrom('archive_entry').where('position', '=', 2).execute();
      await transaction.deleteFrom('archive_wanted').execute();
      await transaction.updateTable('archive_torrent').set({ kept_ms: 1 }).execute();
    });
    const broken = await world.dump();
    assert.equal((await world.reindex({ isCheck: true })).differences, 3);
    assert.equal(await world.dump(), broken);
    assert.equal((await world.reindex()).differences, 3);
    assert.equal(await world.dump(), before);
  },
);

on(
  'an event whose bytes were changed is refused by its offset, and nothing is changed',
  async (world) => {
    await world.fill();
    await world.loseDatabase(openTestSqlite);
    const value = (await world.log.read(EVENTS_TOPIC, { from: 1 })).records[0]?.value;
    assert.ok(value !== undefined);
    for (let at = 0; at < value.length; at += 3) {
      const flipped = value.slice();
      flipped[at] = (flipped[at] ?? 0) ^ 0x10;
      assert.equal(typeof decodeEvent(flipped), 'string', `byte ${at}`);
    }
    const damage = changed(world.log, (records) =>
      records.map((record) =>
        record.offset === 1 ? { ...record, value: value.with(200, 0x20) } : record,
      ),
    );
    const problems: string[] = [];
    const onProblem = (problem: string): number => problems.push(problem);
    await assert.rejects(world.reindex({ onProblem }, damage), { code: 'ARCHIVE_EVENT_INVALID' });
    assert.match(problems[0] ?? '', /^Event 1 is refused: its signature/);
    assert.equal(problems.length, 1);
    assert.equal(await world.dump(), '[[],[],[]]');
    const made = await world.reindex({ skipDamaged: true }, damage);
    assert.deepEqual([made.damagedEvents, made.kept, made.wanted], [1, 1, 1]);
  },
);

on('an event that was taken out, moved or signed by a stranger is found', async (world) => {
  await world.fill();
  const stranger = new EventKey(secretOf(9));
  const { records } = await world.log.read(EVENTS_TOPIC, { from: 0 });
  const last = records.at(-1) as ReadRecord;
  const foreign = stranger.event({ kind: 'key', key: toHex(stranger.publicKey) }, NO_EVENT);
  const unsigned = stranger.event(
    { kind: 'delete', change: '', infoHash: hashOf(1), withdraws: [] },
    NO_EVENT,
  );
  const cases: [readonly ReadRecord[], RegExp][] = [
    [records.filter(({ offset }) => offset !== 2), /Event 3 .* does not follow/],
    [[...records.slice(0, 2), last, ...records.slice(2, -1)], /does not follow/],
    [[...records, { ...last, offset: 9, value: unsigned }], /Event 9 .* not the key in force/],
  ];
  for (const [left, words] of cases) {
    const problems: string[] = [];
    const onProblem = (problem: string): number => problems.push(problem);
    const other = { read: async () => ({ records: left, nextOffset: 0, gaps: [] }) };
    const once = changed(other as unknown as Log, (some) => some);
    await assert.rejects(world.reindex({ onProblem }, onlyOnce(once)), {
      code: 'ARCHIVE_EVENT_INVALID',
    });
    assert.match(problems.join('\n'), words);
  }
  // A log that somebody made from its first event on, with a key of theirs.
  const theirs = [{ ...last, offset: 0, value: foreign }];
  const other = { read: async () => ({ records: theirs, nextOffset: 0, gaps: [] }) };
  await assert.rejects(world.reindex({}, onlyOnce(other as unknown as Log)), {
    code: 'ARCHIVE_EVENT_KEY_UNKNOWN',
  });
});

function onlyOnce(log: Pick<Log, 'read'>): Pick<Log, 'read'> {
  let isRead = false;
  return {
    async read(topic, options) {
      if (isRead) return { records: [], nextOffset: 0, gaps: [] };
      isRead = true;
      return await log.read(topic, options);
    },
  };
}

on('what was appended just before a crash is not told twice', async (world) => {
  await world.fill();
  await wantTorrent(world.sql, 2, 20);
  world.log.afterAppend = () => {
    throw new Error('killed');
  };
  await assert.rejects(world.relay.flush(), /killed/);
  world.log.afterAppend = undefined;
  const told = await world.events();
  await world.newRelay().flush();
  assert.deepEqual(await world.events(), told);
  assert.equal((await world.reindex()).differences, 0);
  // The next one follows the one that was found.
  await unwantTorrent(world.sql, 2, 21);
  await world.newRelay().flush();
  assert.deepEqual(await world.events(), [...told, 'delete']);
});

on(
  'a new key is vouched for by the old one; without the old one nothing is told until it is said',
  async (world) => {
    await world.fill();
    await world.relay.rotateKey(false);
    await wantTorrent(world.sql, 2, 20);
    await world.newRelay().flush();
    assert.deepEqual((await world.events()).slice(-2), ['key', 'want']);
    assert.equal((await world.reindex()).differences, 0);
    world.keys.lose();
    await unwantTorrent(world.sql, 2, 21);
    const relay = world.newRelay();
    await assert.rejects(relay.flush(), { code: 'ARCHIVE_EVENT_KEY_UNKNOWN' });
    await assert.rejects(world.reindex(), { code: 'ARCHIVE_EVENT_KEY_UNKNOWN' });
    await relay.rotateKey(true);
    await relay.flush();
    assert.deepEqual((await world.events()).slice(-2), ['key', 'delete']);
    assert.equal((await world.reindex()).differences, 0);
  },
);

on('a log that was lost is told everything again', async (world) => {
  await world.fill();
  const before = await world.dump();
  const { sql, keys, store } = world;
  const other = new MemoryLog('log-2');
  Object.assign(world, { log: other, keys, store });
  await wantTorrent(sql, 4, 20);
  await unwantTorrent(sql, 4, 21);
  await wantTorrent(sql, 4, 22);
  await world.newRelay().flush();
  assert.equal((await world.events()).includes('keep'), true);
  await world.loseDatabase(openTestSqlite);
  await world.reindex();
  const [entries] = JSON.parse(await world.dump()) as unknown[];
  assert.deepEqual(entries, (JSON.parse(before) as unknown[])[0]);
});

on(
  'garbage collection keeps what the log tells of, also when the database was lost',
  async (world) => {
    await world.fill();
    const dropped = await world.stored(20, 3);
    const small = await world.stored(10, 2);
    assert.ok(small.map !== undefined && dropped.map !== undefined);
    const roots = await world.roots();
    const file = torrentFileOf(1);
    for (const part of [file.subarray(0, BLOB_BYTES_MAX), file.subarray(BLOB_BYTES_MAX)]) {
      assert.ok(roots.has(refOf(part)), 'every part of a .torrent file');
    }
    assert.equal((await world.roots()).has(segmentRef(small.map, 0)), false);
    await world.loseDatabase(openTestSqlite);
    assert.ok((await world.roots()).has(segmentRef(small.map, 0)));
    assert.equal((await world.roots()).has(segmentRef(dropped.map, 0)), false);
  },
);

on('blobs that are gone are damage of the files that come back', async (world) => {
  await world.fill();
  const { map } = await world.stored(700_000, 1);
  assert.ok(map !== undefined);
  await world.store.remove([segmentRef(map, 1)]);
  await world.loseDatabase(openTestSqlite);
  const made = await world.reindex();
  assert.ok(made.missingBlobs > 0);
  const damage = await world.sql.read<ArchiveTables>().selectFrom('archive_damage').selectAll();
  assert.deepEqual(
    (await damage.execute()).map(({ kind }) => kind),
    // Its segments 0 and 1 are the same bytes.
    ['missing', 'missing'],
  );
});

test('an event is these bytes in version 1', () => {
  const key = new EventKey(secretOf(1));
  const value = key.event({ kind: 'key', key: toHex(key.publicKey) }, NO_EVENT);
  assert.equal(toHex(value.subarray(0, 8)), '534b45564e54310a');
  assert.equal(toHex(value.subarray(8, 40)), '00'.repeat(32));
  // RFC 8032: the same secret gives the same key and the same signature everywhere.
  assert.equal(
    toHex(value.subarray(40, 72)),
    '8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c',
  );
  assert.equal(value.subarray(136).length, `{"kind":"key","key":"${'0'.repeat(64)}"}`.length);
  const event = decodeEvent(value);
  assert.ok(typeof event !== 'string');
  assert.deepEqual(event.body, { kind: 'key', key: toHex(key.publicKey) });
});
