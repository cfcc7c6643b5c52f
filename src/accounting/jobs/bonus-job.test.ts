// Bonus points on SQLite and PostgreSQL: granted once an hour, never spent twice, the sum always the
// balance.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bonusBalance, bonusEntries, grantBonus, spendBonus } from '#accounting/bonus/bonus.ts';
import type { BonusTables } from '#accounting/bonus/bonus-tables.ts';
import { parseFormula } from '#accounting/bonus/formula.ts';
import type { LedgerTables } from '#accounting/ledger/ledger-tables.ts';
import { accountingMigrations } from '#accounting/migrations/all.ts';
import type { Job, JobContext } from '#base/job.ts';
import { silentLogger } from '#base/logger.ts';
import { SimClock } from '#sim/clock.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import type { Sql } from '#sql/sql.ts';
import { forEachDatabase, openMigrated } from '#sql/test-databases.ts';
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

  /** The member has seeded so long in all. */
  async seed(memberId: number, seedSeconds: number, torrentId = 1): Promise<void> {
    const zeros = {
      uploaded_bytes: 0,
      downloaded_bytes: 0,
      credited_uploaded_bytes: 0,
      credited_downloaded_bytes: 0,
      records: 1,
      first_seen_ms: 0,
      last_seen_ms: 0,
      completed_ms: 0,
      left_bytes: 0,
      client: '',
      ...{ seeded: 0, seeder: 0, seeding_more: '' },
    };
    await this.sql.transaction<LedgerTables, void>(async (transaction) => {
      await transaction
        .insertInto('ledger_transfer')
        .values({
          member_id: memberId,
          torrent_id: torrentId,
          seed_seconds: seedSeconds,
          ...zeros,
        })
        .onConflict((conflict) =>
          conflict.columns(['member_id', 'torrent_id']).doUpdateSet({ seed_seconds: seedSeconds }),
        )
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

  async balances(...memberIds: readonly number[]): Promise<readonly number[]> {
    return await Promise.all(memberIds.map((memberId) => bonusBalance(this.sql, memberId)));
  }

  async grant(memberId: number, milliPoints: number): Promise<void> {
    const entry = { memberId, milliPoints, once: 'test', kind: 'seeding', atMs: 1 } as const;
    await this.sql.transaction<BonusTables, number>((transaction) =>
      grantBonus(transaction, [entry]),
    );
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
      const sql = await openMigrated(open, [...sqlMigrations, ...accountingMigrations]);
      try {
        const bench = new Bench(sql);
        await body(bench);
      } finally {
        await sql.close();
      }
    });
  };

  on('seed time is paid to the second, once, whenever it was proven', async (bench) => {
    await bench.seed(1, 0);
    await bench.seed(2, 60);
    await bench.seed(3, 3600);
    await bench.seed(4, 3600, 99);
    await bench.run();
    // 4 GiB shared by two seeders, and a little for the time; torrent 99 is gone.
    assert.deepEqual(await bench.balances(1, 2, 3, 4), [0, 33, 2083, 0]);
    bench.clock.advance(HOUR);
    await bench.seed(2, 120);
    await bench.run();
    assert.deepEqual(await bench.balances(1, 2, 3, 4), [0, 66, 2083, 0]);
    // Two hours in which it did not run were seeded all the same, as the ledger says.
    bench.clock.advance(3 * HOUR);
    await bench.seed(3, 3 * 3600);
    await bench.run();
    assert.deepEqual(await bench.balances(3), [2083 + 4500]);
    await bench.check();
  });

  on('a ledger that was made anew, with less in it, pays nothing again', async (bench) => {
    await bench.seed(1, 7200);
    await bench.run();
    const [before] = await bench.balances(1);
    for (const seconds of [10, 3600, 7200]) {
      bench.clock.advance(HOUR);
      await bench.seed(1, seconds);
      await bench.run();
      assert.deepEqual(await bench.balances(1), [before]);
    }
    bench.clock.advance(HOUR);
    await bench.seed(1, 7200 + 60);
    await bench.run();
    assert.ok((await bench.balances(1))[0]! > before!);
  });

  on('points are granted once an hour, also by a job that was killed halfway', async (bench) => {
    for (const memberId of [1, 120, 240]) await bench.seed(memberId, 3600);
    bench.alive = 1;
    await assert.rejects(bench.run(), /killed/);
    await bench.check();
    assert.deepEqual(await bench.balances(1, 240), [2083, 0]);
    bench.alive = Number.POSITIVE_INFINITY;
    // What came meanwhile is for the next hour.
    await bench.seed(1, 7200);
    await bench.run();
    await bench.run();
    await bench.check();
    assert.deepEqual(await bench.balances(1, 2, 120, 240), [2083, 0, 2083, 2083]);
    bench.clock.advance(HOUR);
    await bench.run();
    assert.deepEqual(await bench.balances(1, 120), [2083 + 2166, 2083]);
    assert.equal((await bonusEntries(bench.sql, 1, { limit: 10 })).length, 2);
    await bench.check();
  });

  on('nobody spends what they do not have, nor the same twice', async (bench) => {
    await bench.seed(1, 3600);
    await bench.grant(1, 4000 - 2083);
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
