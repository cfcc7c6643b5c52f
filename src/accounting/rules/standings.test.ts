// Standings on SQLite and PostgreSQL: months of judgements, each transition whole or not at all.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ratioWatchJob } from '#accounting/jobs/ratio-watch-job.ts';
import type { LedgerTables } from '#accounting/ledger/ledger-tables.ts';
import { accountingMigrations } from '#accounting/migrations/all.ts';
import { rulesConfig } from '#accounting/rules-config.ts';
import { makeStrategy } from '#accounting/strategies/make-strategy.ts';
import type { JobContext } from '#base/job.ts';
import { silentLogger } from '#base/logger.ts';
import { SimClock } from '#sim/clock.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import type { Sql } from '#sql/sql.ts';
import { forEachDatabase, openMigrated } from '#sql/test-databases.ts';
import type { JudgedMember } from './member-histories.ts';
import type { StandingTables } from './standing-tables.ts';
import {
  checkStandings,
  type JudgedTransition,
  readStanding,
  type StandingsWorld,
  tryStandings,
} from './standings.ts';

const DAY = 86_400_000;
const GIB = 2 ** 30;

class Bench {
  readonly clock = new SimClock();
  readonly sql: Sql;
  readonly told: string[] = [];
  failing = false;

  constructor(sql: Sql) {
    this.sql = sql;
  }

  get world(): StandingsWorld {
    return {
      sql: this.sql,
      torrents: { facts: async () => new Map() },
      strategy: makeStrategy({ ...rulesConfig.parse({}), strategy: 'upload-download' }),
      settings: { watchMs: 14 * DAY, watchBytesMax: 10 * GIB },
      effects: {
        apply: async (_transaction, made) => {
          if (this.failing) throw new Error('the trackers cannot be told');
          for (const { memberId, transition } of made) {
            this.told.push(`${memberId}: ${transition.from} to ${transition.to.state}`);
          }
        },
      },
    };
  }

  members(count: number): JudgedMember[] {
    return Array.from({ length: count }, (_, at) => ({ memberId: at + 1, joinedMs: 0 }));
  }

  /** What the ledger has of a member from now on, in GiB. */
  async moved(memberId: number, uploaded: number, downloaded: number): Promise<void> {
    const sums = {
      uploaded_bytes: uploaded * GIB,
      downloaded_bytes: downloaded * GIB,
      credited_uploaded_bytes: uploaded * GIB,
      credited_downloaded_bytes: downloaded * GIB,
    };
    const zeros = { seed_seconds: 0, records: 0, completed: 0, first_seen_ms: 0, last_seen_ms: 0 };
    await this.sql.transaction<LedgerTables, void>(async (transaction) => {
      await transaction
        .insertInto('ledger_member')
        .values({ member_id: memberId, ...sums, ...zeros })
        .onConflict((conflict) => conflict.column('member_id').doUpdateSet(sums))
        .execute();
    });
  }

  async check(members = this.members(1)): Promise<readonly JudgedTransition[]> {
    const nowMs = this.clock.nowMs();
    return await checkStandings(this.world, members, { nowMs, fenced: async () => undefined });
  }

  async events(): Promise<number> {
    const rows = await this.sql
      .read<StandingTables>()
      .selectFrom('standing_event')
      .selectAll()
      .execute();
    return rows.length;
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

  on(
    'a member is watched, restricted after two weeks, and lifted when enough was given',
    async (bench) => {
      await bench.moved(1, 0, 20);
      await bench.check();
      for (let day = 1; day <= 20; day++) {
        bench.clock.advance(DAY);
        await bench.check();
      }
      const restricted = await readStanding(bench.sql, 1);
      assert.equal(restricted.standing.state, 'restricted');
      assert.equal(restricted.strategy, 'upload-download');
      assert.deepEqual(restricted.verdict?.findings, [{ kind: 'ratio', ratio: 0, required: 0.6 }]);
      await bench.moved(1, 12, 20);
      await bench.check();
      assert.deepEqual(bench.told, [
        '1: good to watched',
        '1: watched to restricted',
        '1: restricted to good',
      ]);
      assert.equal(await bench.events(), 3);
      assert.equal((await readStanding(bench.sql, 1)).standing.watches, 1);
    },
  );

  on('a transition that cannot be told to the trackers did not happen', async (bench) => {
    await bench.moved(1, 0, 20);
    bench.failing = true;
    await assert.rejects(bench.check(), /cannot be told/);
    assert.equal((await readStanding(bench.sql, 1)).checkedMs, 0);
    assert.equal(await bench.events(), 0);
    bench.failing = false;
    assert.equal((await bench.check()).length, 1);
  });

  on('a dry run names whom a check would move and moves nobody', async (bench) => {
    await bench.moved(2, 0, 20);
    const tried = await tryStandings(bench.world, bench.members(3), bench.clock.nowMs());
    assert.deepEqual(
      tried.map(({ memberId, transition }) => [memberId, transition.to.state]),
      [[2, 'watched']],
    );
    assert.equal(await bench.events(), 0);
    assert.equal((await readStanding(bench.sql, 2)).standing.state, 'good');
  });

  on('the job judges everybody page by page, and goes on after it was killed', async (bench) => {
    const members = bench.members(250);
    for (const { memberId } of members) await bench.moved(memberId, 0, memberId % 2 === 0 ? 20 : 1);
    let pages = 0;
    let kept: unknown;
    let behind = 1_000_000;
    const stop = new AbortController();
    const job = ratioWatchJob({
      recordsBehind: async () => behind,
      ...bench.world,
      rules: async () => ({ ...rulesConfig.parse({}), strategy: 'upload-download' }),
      everyMs: 3_600_000,
      members: {
        count: async () => members.length,
        page: async (after, limit) => {
          if (++pages === 3) stop.abort(new Error('killed'));
          return members.filter((member) => member.memberId > after).slice(0, limit);
        },
      },
    });
    const context = (signal: AbortSignal): JobContext => ({
      signal,
      clock: bench.clock,
      logger: silentLogger,
      fence: 1,
      progress: () => undefined,
      checkpoint: {
        load: async () => kept,
        save: async (value) => {
          kept = value;
        },
      },
      fenced: async () => undefined,
    });
    // Of a ledger that has not counted what they gave, nobody is judged.
    await assert.rejects(job.run(context(stop.signal)), { code: 'LEDGER_BEHIND' });
    assert.equal(pages, 0);
    behind = 0;
    await assert.rejects(job.run(context(AbortSignal.any([stop.signal]))), /killed/);
    const before = bench.told.length;
    assert.ok(before > 0 && before < 125, `${before} of 125`);
    const { counts } = await job.run(context(new AbortController().signal));
    assert.equal(bench.told.length, 125);
    assert.equal(new Set(bench.told).size, 125, 'nobody is told twice');
    assert.equal(kept, undefined);
    assert.ok((counts?.['judged'] ?? 0) < 250);
  });
});
