// The job `prune-days` on SQLite and PostgreSQL.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LedgerTables } from '#accounting/ledger/ledger-tables.ts';
import { accountingMigrations } from '#accounting/migrations/all.ts';
import type { JobContext } from '#base/job.ts';
import { silentLogger } from '#base/logger.ts';
import { SimClock } from '#sim/clock.ts';
import { migrate } from '#sql/migrate.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import type { Sql } from '#sql/sql.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { pruneDaysJob } from './prune-days-job.ts';

const DAY = 86_400_000;
const MEMBERS = 1200;
const KEPT = 31;

forEachDatabase((database, open) => {
  test(`${database}: old days go, page by page; a run that is killed goes on where it was`, async () => {
    const sql = await open();
    try {
      const clock = new SimClock();
      await migrate(sql, [...sqlMigrations, ...accountingMigrations], { clock });
      const today = Math.floor(clock.nowMs() / DAY);
      // The last day that goes, the first that stays, and today.
      await addDays(sql, [today - KEPT - 1, today - KEPT, today]);
      const job = pruneDaysJob({ sql, daysKept: KEPT });
      const kept = { checkpoint: undefined as unknown };
      const transactions: number[] = [];
      const stop = new AbortController();
      const contextOf = (killsAt: number): JobContext => ({
        ...{
          signal: stop.signal,
          clock,
          logger: silentLogger,
          fence: 1,
          progress: () => undefined,
        },
        checkpoint: {
          load: async () => kept.checkpoint,
          save: async (value) => {
            kept.checkpoint = value;
          },
        },
        fenced: async () => {
          transactions.push(killsAt);
          if (transactions.length === killsAt) throw new Error('killed');
        },
      });
      await assert.rejects(job.run(contextOf(2)), /killed/);
      assert.equal(await daysBefore(sql, today - KEPT), MEMBERS - 500, 'the first page is kept');
      const { counts } = await job.run(contextOf(0));
      assert.deepEqual(counts, { removed: MEMBERS - 500 });
      assert.equal(transactions.length, 4, 'the first page is not looked at again');
      assert.equal(await daysBefore(sql, today - KEPT), 0);
      assert.equal(await daysBefore(sql, today + 1), 2 * MEMBERS);
      assert.equal(kept.checkpoint, undefined);
      stop.abort(new Error('cancelled'));
      await assert.rejects(job.run(contextOf(0)), /cancelled/);
    } finally {
      await sql.close();
    }
  });
});

async function addDays(sql: Sql, days: readonly number[]): Promise<void> {
  const sums = {
    ...{ uploaded_bytes: 1, downloaded_bytes: 1, seed_seconds: 0 },
    ...{ credited_uploaded_bytes: 1, credited_downloaded_bytes: 1 },
  };
  await sql.transaction<LedgerTables, void>(async (transaction) => {
    for (let memberId = 1; memberId <= MEMBERS; memberId++) {
      const more = { records: 1, completed: 0, first_seen_ms: 0, last_seen_ms: 0 };
      await transaction
        .insertInto('ledger_member')
        .values({ member_id: memberId, ...sums, ...more })
        .execute();
      await transaction
        .insertInto('ledger_day')
        .values(days.map((day) => ({ member_id: memberId, day, ...sums, leech_seconds: 0 })))
        .execute();
    }
  });
}

async function daysBefore(sql: Sql, day: number): Promise<number> {
  const rows = await sql
    .read<LedgerTables>()
    .selectFrom('ledger_day')
    .select('day')
    .where('day', '<', day)
    .execute();
  return rows.length;
}
