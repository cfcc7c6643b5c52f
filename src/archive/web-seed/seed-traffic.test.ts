import assert from 'node:assert/strict';
import test from 'node:test';
import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import { archiveMigrations } from '#archive/migrations/all.ts';
import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { SimClock } from '#sim/clock.ts';
import { migrate } from '#sql/migrate.ts';
import type { Sql } from '#sql/sql.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { SeedTraffic } from './seed-traffic.ts';

async function rowsOf(sql: Sql): Promise<number[][]> {
  const rows = await sql
    .read<ArchiveTables>()
    .selectFrom('archive_traffic')
    .selectAll()
    .orderBy('member_id')
    .orderBy('torrent_id')
    .execute();
  return rows.map((row) => [row.member_id, row.torrent_id, row.seed_bytes]);
}

forEachDatabase((name, open) => {
  test(`${name}: bytes from the web seed are summed by member and torrent, also after a failure`, async () => {
    const sql = await open();
    try {
      await migrate(sql, archiveMigrations, { clock: new SystemClock() });
      let fails = 0;
      const flaky: Sql = {
        ...{ dialect: sql.dialect, read: sql.read.bind(sql), snapshot: sql.snapshot.bind(sql) },
        close: () => sql.close(),
        transaction: (run) =>
          fails-- > 0 ? Promise.reject(new Error('busy')) : sql.transaction(run),
      };
      const traffic = new SeedTraffic({ sql: flaky, clock: new SimClock(), logger: silentLogger });
      traffic.add(1, 5, 100);
      traffic.add(1, 5, 50);
      traffic.add(2, 5, 7);
      await traffic.flush();
      assert.deepEqual(await rowsOf(sql), [
        [1, 5, 150],
        [2, 5, 7],
      ]);
      fails = 1;
      traffic.add(1, 5, 1);
      traffic.add(1, 6, 2);
      await traffic.flush();
      traffic.add(1, 5, 1);
      await Promise.all([traffic.flush(), traffic.flush()]);
      assert.deepEqual(await rowsOf(sql), [
        [1, 5, 152],
        [1, 6, 2],
        [2, 5, 7],
      ]);
    } finally {
      await sql.close();
    }
  });
});

forEachDatabase((name, open) => {
  test(`${name}: what is taken off a member's credit is told with each sum, and not told without the sum`, async () => {
    const sql = await open();
    try {
      await migrate(sql, archiveMigrations, { clock: new SystemClock() });
      const told: string[] = [];
      let fails = true;
      const traffic = new SeedTraffic({
        ...{ sql, clock: new SimClock(), logger: silentLogger },
        async takeOff(_, { memberId, torrentId, bytes }) {
          if (fails) throw new Error('no room');
          told.push(`${memberId} ${torrentId} ${bytes}`);
        },
      });
      traffic.add(1, 5, 100);
      await traffic.flush();
      assert.deepEqual([await rowsOf(sql), told], [[], []]);
      fails = false;
      await traffic.flush();
      assert.deepEqual([await rowsOf(sql), told], [[[1, 5, 100]], ['1 5 100']]);
    } finally {
      await sql.close();
    }
  });
});
