import assert from 'node:assert/strict';
import test from 'node:test';
import { sql as raw } from 'kysely';
import { audit } from '#accounting/audit/audit.ts';
import { accountingMigrations } from '#accounting/migrations/all.ts';
import {
  completedCounts,
  memberDays,
  memberTotals,
  memberTransfers,
  torrentTransfer,
} from '#accounting/totals.ts';
import { TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import { SystemClock } from '#base/clock.ts';
import { type LogLine, memoryLogger } from '#base/logger.ts';
import { below, SeededRandom } from '#base/random.ts';
import { MemoryLog } from '#sim/memory-log.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import type { Sql } from '#sql/sql.ts';
import { forEachDatabase, openMigrated } from '#sql/test-databases.ts';
import { Ledger } from './ledger.ts';
import { rebuild } from './rebuild.ts';
import { appendMany, type Bench, benchOver, everything, worldOf } from './test-ledger-bench.ts';

const clock = new SystemClock();

forEachDatabase((name, open) => {
  const on = (sentence: string, body: (bench: Bench) => Promise<void>): void => {
    test(`${name}: ${sentence}`, async () => {
      const sql = await openMigrated(open, [...sqlMigrations, ...accountingMigrations]);
      try {
        await body(await benchOver(sql));
      } finally {
        await sql.close();
      }
    });
  };

  on('totals are what the records say, real and credited apart', async ({ sql, ...bench }) => {
    await bench.append(
      { event: 'started', left: 500 },
      { uploaded: 10, downloaded: 300, left: 200, at: 60, downloadCreditPercent: 50 },
      {
        uploaded: 100,
        downloaded: 500,
        left: 0,
        at: 120,
        event: 'completed',
        uploadCreditPercent: 200,
      },
      { uploaded: 700, downloaded: 500, left: 0, at: 1920 },
      { memberId: 2, peer: 'b', event: 'started', uploaded: 5000 },
      { torrentId: 2, uploaded: 3, at: 1 },
    );
    const ledger = await bench.open();
    assert.equal(await ledger.applyOnce(), 6);
    assert.equal(ledger.lag, 0);
    assert.deepEqual(await memberTotals(sql, 1), {
      uploadedBytes: 700,
      downloadedBytes: 500,
      creditedUploadedBytes: 10 + 180 + 600,
      creditedDownloadedBytes: 150 + 200,
      freeBytes: 0,
      seedSeconds: 1800,
      completed: 1,
      lastSeenMs: Date.UTC(2026, 0, 1) + 1_920_000,
    });
    assert.deepEqual(await torrentTransfer(sql, 1, 1), {
      torrentId: 1,
      uploadedBytes: 700,
      downloadedBytes: 500,
      creditedUploadedBytes: 790,
      creditedDownloadedBytes: 350,
      seedSeconds: 1800,
      firstSeenMs: Date.UTC(2026, 0, 1),
      lastSeenMs: Date.UTC(2026, 0, 1) + 1_920_000,
      completedMs: Date.UTC(2026, 0, 1) + 120_000,
      leftBytes: 0,
      client: '-TR4050-',
    });
    assert.equal((await memberTotals(sql, 2)).uploadedBytes, 0);
    assert.equal((await memberTotals(sql, 99)).uploadedBytes, 0);
    const page = await memberTransfers(sql, 1, { limit: 1 });
    assert.deepEqual(
      page.map((row) => row.torrentId),
      [1],
    );
    const rest = await memberTransfers(sql, 1, { limit: 10, after: 1 });
    assert.deepEqual(
      rest.map((row) => row.torrentId),
      [2],
    );
  });

  on(
    'an announce proves at most an hour of seeding, and none before started',
    async ({ sql, ...bench }) => {
      await bench.append({ left: 0 }, { left: 0, at: 600 }, { left: 0, at: 1_000_000 });
      // The time before a `started` was spent elsewhere.
      await bench.append({ left: 0, at: 1_000_500, event: 'started' });
      await (await bench.open()).applyOnce();
      assert.equal((await memberTotals(sql, 1)).seedSeconds, 600 + 3600);
    },
  );

  on(
    'a day has what was moved and how long was seeded until midnight',
    async ({ sql, ...bench }) => {
      const midnight = 86_400;
      await bench.append(
        { event: 'started', left: 500, at: midnight - 900 },
        { downloaded: 500, left: 0, event: 'completed', at: midnight - 600 },
        { uploaded: 70, downloaded: 500, left: 0, at: midnight - 1 },
        { uploaded: 90, downloaded: 500, left: 0, at: midnight + 60, uploadCreditPercent: 200 },
      );
      await (await bench.open()).applyOnce();
      const first = Math.floor(Date.UTC(2026, 0, 1) / 86_400_000);
      const [before, after] = await memberDays(sql, 1, { from: first, through: first + 1 });
      assert.deepEqual(before, {
        day: first,
        uploadedBytes: 70,
        downloadedBytes: 500,
        creditedUploadedBytes: 70,
        creditedDownloadedBytes: 500,
        seedSeconds: 599,
        leechSeconds: 300,
      });
      assert.deepEqual([after?.creditedUploadedBytes, after?.seedSeconds], [40, 61]);
      assert.deepEqual(await memberDays(sql, 2, { from: first, through: first + 1 }), []);
    },
  );

  on(
    'a torrent is completed once for each member, and each time by nobody in particular',
    async ({ sql, ...bench }) => {
      const heard: [number, number][] = [];
      const ledger = await bench.open();
      ledger.onCompleted((torrentId, completed) => heard.push([torrentId, completed]));
      const complete = async (memberId: number, peer: string): Promise<void> => {
        await bench.append({ memberId, peer }, { memberId, peer, left: 0, event: 'completed' });
        await ledger.applyOnce();
      };
      await complete(1, 'a');
      await complete(1, 'b');
      await complete(2, 'c');
      await complete(0, 'd');
      await complete(0, 'e');
      assert.deepEqual(heard.at(-1), [1, 4]);
      assert.deepEqual([...(await completedCounts(sql))], [[1, 4]]);
      assert.equal((await memberTotals(sql, 1)).completed, 1);
    },
  );

  on('totals stay at 2^53-1 when clients claim more', async ({ sql, ...bench }) => {
    const most = Number.MAX_SAFE_INTEGER;
    const ledger = await bench.open();
    for (const peer of ['a', 'b', 'c']) {
      await bench.append({ peer }, { peer, uploaded: most, at: 1 });
      if (peer !== 'b') await ledger.applyOnce();
    }
    assert.equal((await memberTotals(sql, 1)).uploadedBytes, most);
    assert.deepEqual((await audit({ log: bench.log, sql })).differences, []);
  });

  on('a crash anywhere, and every record counts once', async ({ sql, ...bench }) => {
    for (let at = 0; at < 20; at++) await bench.append({ uploaded: at * 10, at });
    const config = { ledgerBatchRecordsMax: 3 };
    const random = new SeededRandom(7);
    for (let applied = 1; applied > 0; ) {
      // Each round a new ledger, as after a crash; some lose the answer of their commit.
      const failing = failingSql(sql, below(random, 3) === 0);
      const ledger = await Ledger.open({ ...worldOf(bench.log, config), sql: failing });
      applied = await ledger.applyOnce().catch(() => 1);
    }
    assert.equal((await memberTotals(sql, 1)).uploadedBytes, 190);
    assert.deepEqual((await audit({ log: bench.log, sql })).differences, []);
  });

  on('the same ledger goes on after a commit whose answer was lost', async ({ sql, ...bench }) => {
    const world = { ...worldOf(bench.log), sql: failingSql(sql, true) };
    await bench.append({}, { uploaded: 50, at: 1 });
    const ledger = await Ledger.open(world);
    await assert.rejects(ledger.applyOnce());
    assert.equal(await ledger.applyOnce(), 0);
    assert.equal((await memberTotals(sql, 1)).uploadedBytes, 50);
  });

  on('of two ledgers only one counts a record', async ({ sql, ...bench }) => {
    await bench.append({}, { uploaded: 50, at: 1 });
    const ledgers = [await bench.open(), await bench.open(), await bench.open()];
    await Promise.allSettled(ledgers.map((ledger) => ledger.applyOnce()));
    assert.equal((await memberTotals(sql, 1)).uploadedBytes, 50);
  });

  on(
    'a position of another log, another epoch or beyond the end stops the ledger',
    async (bench) => {
      await bench.append({}, { uploaded: 1, at: 1 }, { uploaded: 2, at: 2 });
      await (await bench.open()).applyOnce();
      await assert.rejects(bench.open({ log: new MemoryLog('other') }), {
        code: 'LEDGER_LOG_CHANGED',
      });
      bench.log.epoch = 2;
      await assert.rejects(bench.open(), { code: 'LEDGER_EPOCH_CHANGED' });
      bench.log.epoch = 1;
      bench.log.cut(TRANSFERS_TOPIC, 2);
      await assert.rejects(bench.open(), { code: 'LEDGER_BEYOND_END' });
    },
  );

  on('records that are none, and gaps, are said and count nothing', async ({ sql, ...bench }) => {
    await bench.append({}, { uploaded: 10, at: 1 });
    await bench.log.append(TRANSFERS_TOPIC, [{ value: new Uint8Array(7) }]);
    await bench.append({ uploaded: 30, at: 2 });
    const lines: LogLine[] = [];
    const ledger = await Ledger.open({ ...worldOf(bench.log), sql, logger: memoryLogger(lines) });
    assert.equal(await ledger.applyOnce(), 4);
    assert.equal((await memberTotals(sql, 1)).uploadedBytes, 30);
    assert.equal(lines.filter((line) => line.level === 'error').length, 1);
    const { differences } = await audit({ log: bench.log, sql });
    assert.deepEqual(differences, ['offset 2: it is no transfer record']);
  });

  on('run() counts what comes, and ends when told to', async ({ sql, ...bench }) => {
    const ledger = await bench.open({ config: { ledgerIntervalMs: 5 } });
    const stop = new AbortController();
    const running = ledger.run(stop.signal);
    await bench.append({}, { uploaded: 50, at: 1 });
    const untilMs = clock.monotonicMs() + 30_000;
    while (ledger.position() < 2 && clock.monotonicMs() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    stop.abort();
    await running;
    assert.equal((await memberTotals(sql, 1)).uploadedBytes, 50);
  });

  on(
    'audit() finds nothing in what is right, also when it needs many passes',
    async ({ sql, ...bench }) => {
      await appendMany(bench, 400);
      const ledger = await bench.open();
      while ((await ledger.applyOnce()) > 0);
      const whole = await audit({ log: bench.log, sql });
      assert.deepEqual(whole.differences, []);
      assert.equal(whole.records, 400);
      assert.ok(whole.members > 3);
      assert.deepEqual(await audit({ log: bench.log, sql, baselinesMax: 20 }), whole);
    },
  );

  on(
    'audit() finds a planted loss, doubling, swap and change, each by its offset',
    async ({ sql, ...bench }) => {
      await appendMany(bench, 60);
      const ledger = await bench.open();
      while ((await ledger.applyOnce()) > 0);
      const records = bench.log.recordsOf(TRANSFERS_TOPIC);
      const original = [...records];
      const chained = original.findIndex(
        (record) => record.value[40]! >= 2 && record.value[2] === 0,
      );
      const plant = async (sentence: string, change: () => void): Promise<void> => {
        change();
        for (const [offset, record] of records.entries()) records[offset] = { ...record, offset };
        bench.log.cut(TRANSFERS_TOPIC, records.length);
        const { differences } = await audit({ log: bench.log, sql });
        assert.match(differences.join('\n'), /^offset [0-9]+: member [0-9]+, torrent/m, sentence);
        records.splice(0, records.length, ...original);
        bench.log.cut(TRANSFERS_TOPIC, records.length);
      };
      await plant('a loss', () => records.splice(chained, 1));
      await plant('a loss of a founding record', () => records.splice(0, 1));
      await plant('a doubling', () => records.splice(chained, 0, records[chained]!));
      await plant('a doubled founding record', () => records.splice(1, 0, records[0]!));
      await plant('a doubling far behind', () => records.push(records[chained]!));
      const peer = original[chained]!.value.subarray(8, 36).join();
      const next = original.findIndex(
        (record, at) => at > chained && record.value.subarray(8, 36).join() === peer,
      );
      assert.ok(next > 0);
      await plant('a swap', () => {
        [records[chained], records[next]] = [records[next]!, records[chained]!];
      });
      await plant('a changed delta', () => {
        const value = records[chained]!.value.slice();
        value[64]! += 1;
        records[chained] = { ...records[chained]!, value };
      });
      assert.deepEqual((await audit({ log: bench.log, sql })).differences, []);
    },
  );

  on(
    'audit() finds a changed total, a missing row and a row too many',
    async ({ sql, ...bench }) => {
      await appendMany(bench, 60);
      const ledger = await bench.open();
      while ((await ledger.applyOnce()) > 0);
      const changes = [
        'update ledger_transfer set uploaded_bytes = uploaded_bytes + 1 where member_id = 1',
        'update ledger_member set credited_uploaded_bytes = credited_uploaded_bytes + 1',
        'update ledger_torrent set completed = completed + 1',
        'delete from ledger_member where member_id = 1',
        'delete from ledger_transfer where member_id = 1 and torrent_id = 1',
        'insert into ledger_torrent select torrent_id + 1000, 1, 1, 1, 1, 1, 1, 1, 1, 1 from ledger_torrent',
        'update ledger_day set seed_seconds = seed_seconds + 1 where member_id = 1',
        'delete from ledger_day where member_id = 2',
        'insert into ledger_day select member_id, day + 1, 1, 1, 1, 1, 1, 1 from ledger_day',
      ];
      for (const change of changes) {
        const undo = new Error('undo');
        let found: readonly string[] = [];
        if (sql.dialect === 'postgres' || change !== '') {
          await sql.transaction((transaction) => raw.raw(change).execute(transaction));
          found = (await audit({ log: bench.log, sql })).differences;
          await rebuild({ log: bench.log, sql });
        }
        assert.ok(found.length > 0, `${change}: ${undo.message}`);
      }
      assert.deepEqual((await audit({ log: bench.log, sql })).differences, []);
    },
  );

  on('audit() names records that damage took away', async ({ sql, ...bench }) => {
    await bench.append({}, { uploaded: 10, at: 1 }, { uploaded: 30, at: 2 });
    await (await bench.open()).applyOnce();
    bench.log.damage(TRANSFERS_TOPIC, { first: 1, next: 2, reason: 'checksum' });
    const { differences } = await audit({ log: bench.log, sql });
    assert.match(differences.join('\n'), /offsets 1 to 1 are unreadable: checksum/);
    assert.match(differences.join('\n'), /uploaded_bytes is 30 in the ledger and 20 by the log/);
  });

  on(
    'rebuild() makes the same ledger, says what was wrong, and the ledger goes on',
    async ({ sql, ...bench }) => {
      await appendMany(bench, 200);
      const ledger = await bench.open({ config: { ledgerBatchRecordsMax: 17 } });
      while ((await ledger.applyOnce()) > 0);
      const before = await everything(sql);
      await sql.transaction((transaction) =>
        raw`update ledger_transfer set uploaded_bytes = 7 where member_id = 2 and torrent_id = 1`.execute(
          transaction,
        ),
      );
      const result = await ledger.paused(() => rebuild({ log: bench.log, sql }));
      assert.equal(result.records, 200);
      assert.equal(result.differences.length, 2);
      assert.match(result.differences[0]!, /member 2, torrent 1, before: uploaded_bytes 7,/);
      assert.deepEqual(await everything(sql), before);
      assert.deepEqual(
        (await ledger.paused(() => rebuild({ log: bench.log, sql }))).differences,
        [],
      );
      await bench.append(
        { memberId: 77, peer: 'z' },
        { memberId: 77, peer: 'z', uploaded: 5, at: 1 },
      );
      await ledger.applyOnce();
      assert.equal((await memberTotals(sql, 77)).uploadedBytes, 5);
    },
  );

  on(
    'rebuild() that was ended leaves the ledger as it was, and goes on from where it stood',
    async ({ sql, ...bench }) => {
      await appendMany(bench, 50);
      const ledger = await bench.open();
      while ((await ledger.applyOnce()) > 0);
      const before = await everything(sql);
      const stop = new AbortController();
      const ended = rebuild({
        log: bench.log,
        sql,
        signal: stop.signal,
        progress: () => stop.abort(),
      });
      await assert.rejects(ended, { name: 'AbortError' });
      assert.deepEqual(await everything(sql), before);
      let steps = 0;
      await rebuild({ log: bench.log, sql, progress: () => steps++ });
      assert.equal(steps, 0);
      assert.deepEqual(await everything(sql), before);
      bench.log.retain(TRANSFERS_TOPIC, 5);
      await assert.rejects(rebuild({ log: bench.log, sql }), { code: 'LEDGER_RECORDS_REMOVED' });
    },
  );
});

/** Fails the next transaction: before its commit, or only its answer after it. */
function failingSql(sql: Sql, afterCommit: boolean): Sql {
  let failed = false;
  return new Proxy(sql, {
    get(target, property) {
      if (property !== 'transaction') {
        const value: unknown = Reflect.get(target, property);
        return typeof value === 'function' ? value.bind(target) : value;
      }
      return async (run: Parameters<Sql['transaction']>[0]) => {
        if (failed) return await target.transaction(run);
        failed = true;
        if (afterCommit) await target.transaction(run);
        else
          await target.transaction(async (transaction) => {
            await run(transaction);
            throw new Error('planted: before the commit');
          });
        throw new Error('planted: the answer was lost');
      };
    },
  });
}
