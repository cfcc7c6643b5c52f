// Seed times through the ledger, on SQLite and PostgreSQL: the union over a member's clients, whatever
// the batches are, and what rules read of it.

import assert from 'node:assert/strict';
import test from 'node:test';
import { sql as raw } from 'kysely';
import { audit } from '#accounting/audit/audit.ts';
import { accountingMigrations } from '#accounting/migrations/all.ts';
import { memberHistories } from '#accounting/rules/member-histories.ts';
import { TEST_START_MS, type TestAnnounce } from '#accounting/test-announces.ts';
import { memberDays, memberTotals, torrentTransfer } from '#accounting/totals.ts';
import { decodeTransfer, TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import { SystemClock } from '#base/clock.ts';
import { below, SeededRandom } from '#base/random.ts';
import { SeedTimeModel } from '#sim/seed-time-model.ts';
import { migrate } from '#sql/migrate.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import { forEachDatabase, openMigrated } from '#sql/test-databases.ts';
import { rebuild } from './rebuild.ts';
import { type Bench, benchOver, everything } from './test-ledger-bench.ts';

const clock = new SystemClock();
const MIGRATIONS = [...sqlMigrations, ...accountingMigrations];
const MINUTE = 60;
const DAY = Math.floor(TEST_START_MS / 86_400_000);

forEachDatabase((name, open) => {
  const on = (
    sentence: string,
    body: (bench: Bench) => Promise<void>,
    migrations = MIGRATIONS,
  ): void => {
    test(`${name}: ${sentence}`, async () => {
      const sql = await openMigrated(open, migrations);
      try {
        await body(await benchOver(sql));
      } finally {
        await sql.close();
      }
    });
  };

  on('two clients of a member that seed one torrent seed it once', async (bench) => {
    const say = (peer: string, minute: number, rest: TestAnnounce = {}) =>
      bench.append({ peer, left: 0, at: minute * MINUTE, ...rest });
    const ledger = await bench.open();
    const seconds = async (): Promise<number> => {
      await ledger.applyOnce();
      const totals = await memberTotals(bench.sql, 1);
      const transfer = await torrentTransfer(bench.sql, 1, 1);
      const [day] = await memberDays(bench.sql, 1, { from: DAY, through: DAY });
      assert.equal(transfer?.seedSeconds, totals.seedSeconds);
      assert.equal(day?.seedSeconds, totals.seedSeconds);
      return totals.seedSeconds / MINUTE;
    };
    await say('home', 0, { event: 'started' });
    await say('box', 10, { event: 'started' });
    await say('home', 30);
    assert.equal(await seconds(), 30);
    await say('box', 40);
    assert.equal(await seconds(), 40);
    await say('home', 50, { event: 'stopped' });
    await say('box', 70);
    assert.equal(await seconds(), 70);
    // Another torrent is another seeding.
    await say('home', 40, { torrentId: 2, event: 'started' });
    await say('home', 70, { torrentId: 2 });
    await ledger.applyOnce();
    assert.equal((await memberTotals(bench.sql, 1)).seedSeconds, 100 * MINUTE);
  });

  on('who seeds is decided by each client, not by the one that spoke last', async (bench) => {
    const ledger = await bench.open();
    const at = async (minute: number): Promise<readonly [boolean, number]> => {
      while ((await ledger.applyOnce()) > 0);
      const facts = { name: 'x', sizeBytes: 1, leechers: 1, isExempt: false };
      const torrents = { facts: async () => new Map([[1, facts]]) };
      const nowMs = TEST_START_MS + minute * MINUTE * 1000;
      const members = [{ memberId: 1, joinedMs: 0 }];
      const [history] = await memberHistories({ sql: bench.sql, torrents }, members, nowMs);
      const [one] = history!.torrents;
      return [one!.isSeeding, (one!.lastSeededMs - TEST_START_MS) / 1000 / MINUTE];
    };
    const say = (peer: string, minute: number, rest: TestAnnounce) =>
      bench.append({ peer, at: minute * MINUTE, ...rest });
    await say('home', 0, { event: 'started', left: 0 });
    await say('box', 1, { event: 'started', left: 500 });
    assert.deepEqual(await at(1), [true, 0], 'one downloads, the other seeds on');
    await say('home', 30, { left: 0 });
    await say('box', 31, { left: 400 });
    assert.deepEqual(await at(31), [true, 30]);
    await say('home', 40, { event: 'stopped', left: 0 });
    assert.deepEqual(await at(40), [false, 40], 'a goodbye ends it at once');
    await say('box', 50, { left: 0, event: 'completed' });
    assert.deepEqual(await at(50), [true, 50]);
    await say('home', 55, { event: 'started', left: 0 });
    await say('box', 56, { event: 'stopped', left: 0 });
    assert.deepEqual(await at(100), [true, 56], 'the goodbye of one is not the other’s');
    assert.deepEqual(await at(55 + 60), [false, 56], 'an hour without a word is over');
  });

  on('seed times are the same however records are cut, and as a model says', async (bench) => {
    const random = new SeededRandom(180);
    const model = new SeedTimeModel();
    for (let at = 0; at < 400; at++) {
      const [memberId, torrentId] = [1 + below(random, 2), 1 + below(random, 2)];
      const left = below(random, 4) === 0 ? 10 : 0;
      const event = (['none', 'none', 'none', 'started', 'stopped'] as const)[below(random, 5)]!;
      const peer = 'abc'[below(random, 3)]!;
      await bench.append({ memberId, torrentId, peer, event, left, at: at * 97 });
    }
    const { records } = await bench.log.read(TRANSFERS_TOPIC, { from: 0, recordsMax: 1000 });
    for (const { value } of records) model.add(decodeTransfer(value)!);
    const ledger = await bench.open({ config: { ledgerBatchRecordsMax: 7 } });
    for (let batches = 0; (await ledger.applyOnce()) > 0; batches++) {
      // What it remembers goes now and then, as at a start.
      if (batches % 5 === 0) await ledger.paused(async () => undefined);
    }
    for (const memberId of [1, 2]) {
      for (const torrentId of [1, 2]) {
        const transfer = await torrentTransfer(bench.sql, memberId, torrentId);
        assert.equal(transfer?.seedSeconds, model.seconds(memberId, torrentId));
      }
    }
    assert.deepEqual((await audit({ log: bench.log, sql: bench.sql })).differences, []);
    const counted = await everything(bench.sql);
    await ledger.paused(() => rebuild({ log: bench.log, sql: bench.sql }));
    assert.deepEqual(await everything(bench.sql), counted);
    await bench.sql.transaction((transaction) =>
      raw`update ledger_transfer set seeder = seeder + 1 where torrent_id = 2`.execute(transaction),
    );
    const { differences } = await audit({ log: bench.log, sql: bench.sql });
    assert.equal(differences.length, 2);
    assert.match(differences[0]!, /seeder is \d+ in the ledger and \d+ by the log/);
  });

  on(
    'a ledger of an older version is counted anew, and what it paid is not paid again',
    async (bench) => {
      await bench.append(
        { peer: 'a', left: 0, event: 'started' },
        { peer: 'b', left: 0, event: 'started' },
        { peer: 'a', left: 0, at: 1800 },
        { peer: 'b', left: 0, at: 1800 },
      );
      const zeros =
        'uploaded_bytes downloaded_bytes credited_uploaded_bytes credited_downloaded_bytes' +
        ' records first_seen_ms last_seen_ms completed_ms left_bytes';
      const columns = ['member_id', 'torrent_id', 'seed_seconds', 'client', ...zeros.split(' ')];
      await bench.sql.transaction((transaction) =>
        raw`insert into ledger_transfer (${raw.raw(columns.join())})
          values (1, 1, 3600, '' ${raw.raw(', 0'.repeat(9))})`.execute(transaction),
      );
      await migrate(bench.sql, MIGRATIONS, { clock });
      while ((await (await bench.open()).applyOnce()) > 0);
      assert.equal((await memberTotals(bench.sql, 1)).seedSeconds, 1800);
      assert.deepEqual((await audit({ log: bench.log, sql: bench.sql })).differences, []);
      const { rows } = await raw<object>`select * from bonus_seeding`.execute(bench.sql.read());
      assert.deepEqual(rows, [{ member_id: 1, torrent_id: 1, paid_seconds: 3600 }]);
    },
    MIGRATIONS.filter(({ number }) => number < 180),
  );
});
