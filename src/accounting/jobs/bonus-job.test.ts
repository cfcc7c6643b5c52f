// Bonus points on SQLite and PostgreSQL: granted once an hour, never spent twice, the sum always the
// balance.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bonusBalance, bonusEntries, spendBonus } from '#accounting/bonus/bonus.ts';
import type { BonusTables } from '#accounting/bonus/bonus-tables.ts';
import { parseFormula } from '#accounting/bonus/formula.ts';
import type { LedgerTables } from '#accounting/ledger/ledger-tables.ts';
import { accountingMigrations } from '#accounting/migrations/all.ts';
import type { Job, JobContext } from '#base/job.ts';
import { silentLogger } from '#base/logger.ts';
import { SimClock } from '#sim/clock.ts';
import { migrate } from '#sql/migrate.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import type { Sql } from '#sql/sql.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { bonusJob } from './bonus-job.ts';

const HOUR = 3_600_000;
const GIB = 2 ** 30;
const MEMBERS = 250;

class Bench {
  readonly clock = new SimClock();
  readonly sql: Sql;
  readonly job: Job;
  /** Transactions of the job until it is killed. */
  alive = Number.POSITIVE_INFINITY;

  constructor(sql: Sql) {
    this.sql = sql;
    const formula = parseFormula('sizeGiB * (1 + seedDays) / seeders');
    assert.ok(typeof formula !== 'string');
    const members = Array.from({ length: MEMBERS }, (_, at) => ({ memberId: at + 1, joinedMs: 0 }));
    this.job = bonusJob({
      sql,
      formula,
      torrents: async () => new Map([[1, { sizeBytes: 4 * GIB, seeders: 2 }]]),
      members: {
        count: async () => MEMBERS,
        page: async (after, limit) =>
          members.filter((member) => member.memberId > after).slice(0, limit),
      },
    });
  }

  async seed(memberId: number, seedSeconds: number, firstSeenMs = 0): Promise<void> {
    const zeros = {
      uploaded_bytes: 0,
      downloaded_bytes: 0,
      credited_uploaded_bytes: 0,
      credited_downloaded_bytes: 0,
      records: 1,
      first_seen_ms: firstSeenMs,
      completed_ms: 0,
      left_bytes: 0,
      client: '',
    };
    await this.sql.transaction<LedgerTables, void>(async (transaction) => {
      await transaction
        .insertInto('ledger_transfer')
        .values({
          member_id: memberId,
          torrent_id: 1,
          seed_seconds: seedSeconds,
          last_seen_ms: this.clock.nowMs(),
          ...zeros,
        })
        .execute();
    });
  }

  async run(): Promise<void> {
    const context: JobContext = {
      signal: new AbortController().signal,
      clock: this.clock,
      logger: silentLogger,
      fence: 1,
      progress: () => undefined,
      checkpoint: { load: async () => undefined, save: async () => undefined },
      fenced: async () => {
        if (this.alive-- <= 0) throw new Error('killed');
      },
    };
    await this.job.run(context);
  }

  async spend(memberId: number, milliPoints: number, once: string): Promise<boolean> {
    const spending = { memberId, milliPoints, once, kind: 'token', atMs: 1 } as const;
    return await this.sql.transaction<BonusTables, boolean>((transaction) =>
      spendBonus(transaction, spending),
    );
  }

  /** Every member's balance is the sum of their entries. */
  async check(): Promise<void> {
    const entries = await this.sql
      .read<BonusTables>()
      .selectFrom('bonus_entry')
      .selectAll()
      .execute();
    const sums = new Map<number, number>();
    for (const { member_id, milli_points } of entries) {
      sums.set(member_id, (sums.get(member_id) ?? 0) + milli_points);
    }
    for (let memberId = 1; memberId <= MEMBERS; memberId++) {
      assert.equal(await bonusBalance(this.sql, memberId), sums.get(memberId) ?? 0);
    }
  }
}

forEachDatabase((database, open) => {
  const on = (sentence: string, body: (bench: Bench) => Promise<void>): void => {
    test(`${database}: ${sentence}`, async () => {
      const sql = await open();
      try {
        const bench = new Bench(sql);
        const migrations = [...sqlMigrations, ...accountingMigrations];
        await migrate(sql, migrations, { clock: bench.clock });
        await body(bench);
      } finally {
        await sql.close();
      }
    });
  };

  on('who came after the hour, or never seeded, is granted nothing for it', async (bench) => {
    await bench.seed(1, 86_400);
    await bench.seed(2, 86_400, bench.clock.nowMs() + HOUR);
    await bench.seed(3, 0);
    bench.clock.advance(HOUR);
    await bench.run();
    const balances = [1, 2, 3].map((memberId) => bonusBalance(bench.sql, memberId));
    assert.deepEqual(await Promise.all(balances), [4000, 0, 0]);
  });

  on('points are granted once an hour, also by a job that was killed halfway', async (bench) => {
    for (const memberId of [1, 120, 240]) await bench.seed(memberId, 86_400);
    bench.clock.advance(HOUR);
    bench.alive = 1;
    await assert.rejects(bench.run(), /killed/);
    await bench.check();
    assert.deepEqual(
      [await bonusBalance(bench.sql, 1), await bonusBalance(bench.sql, 240)],
      [4000, 0],
    );
    bench.alive = Number.POSITIVE_INFINITY;
    await bench.run();
    await bench.run();
    await bench.check();
    // 4 GiB times two (one day seeded), shared by two seeders.
    for (const memberId of [1, 120, 240]) {
      assert.equal(await bonusBalance(bench.sql, memberId), 4000);
    }
    assert.equal(await bonusBalance(bench.sql, 2), 0);
    bench.clock.advance(2 * HOUR);
    await bench.run();
    // They were gone in the hour that is over.
    assert.equal((await bonusEntries(bench.sql, 1, { limit: 10 })).length, 1);
  });

  on('nobody spends what they do not have, nor the same twice', async (bench) => {
    await bench.seed(1, 86_400);
    bench.clock.advance(HOUR);
    await bench.run();
    assert.equal(await bench.spend(1, 4001, 'a'), false);
    assert.equal(await bench.spend(2, 1, 'a'), false);
    const both = await Promise.all([bench.spend(1, 2500, 'b'), bench.spend(1, 2500, 'c')]);
    assert.equal(both.filter(Boolean).length, 1);
    assert.equal(await bench.spend(1, 1000, 'd'), true);
    assert.equal(await bench.spend(1, 100, 'd'), false);
    assert.equal(await bonusBalance(bench.sql, 1), 500);
    await bench.check();
  });
});
