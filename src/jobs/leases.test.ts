// Leases on SQLite and on PostgreSQL: taken by one, moved with a higher fence, checked in the
// transaction of the work.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '#sim/clock.ts';
import { migrate } from '#sql/migrate.ts';
import type { Sql } from '#sql/sql.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import type { JobTables } from './job-tables.ts';
import { Leases } from './leases.ts';
import { jobsMigrations } from './migrations/all.ts';

const LEASE_MS = 30_000;

forEachDatabase((database, open) => {
  async function inDatabase(
    body: (sql: Sql, clock: SimClock, node: (holder: string) => Leases) => Promise<void>,
  ): Promise<void> {
    const sql = await open();
    const clock = new SimClock();
    try {
      await migrate(sql, jobsMigrations, { clock });
      await body(sql, clock, (holder) => new Leases({ sql, clock, holder, leaseMs: LEASE_MS }));
    } finally {
      await sql.close();
    }
  }

  test(`${database}: of nodes that take a lease at once, one gets it`, () =>
    inDatabase(async (_sql, _clock, node) => {
      const taken = await Promise.all(['a', 'b', 'c', 'd'].map((name) => node(name).take('job')));
      assert.equal(taken.filter((lease) => lease !== undefined).length, 1);
    }));

  test(`${database}: a lease moves when it expires or is given back, each time with a higher fence`, () =>
    inDatabase(async (_sql, clock, node) => {
      const [a, b] = [node('a'), node('b')];
      const first = await a.take('job');
      assert.equal(first?.fence, 1);
      clock.advance(LEASE_MS - 1);
      assert.equal(await b.take('job'), undefined);
      assert.equal(await a.renew(first), true);
      clock.advance(LEASE_MS - 1);
      assert.equal(await b.take('job'), undefined);
      clock.advance(1);
      const second = await b.take('job');
      assert.equal(second?.fence, 2);
      assert.equal(await a.renew(first), false);
      await a.giveBack(first);
      assert.equal(await a.take('job'), undefined, 'what was lost cannot be given back');
      await b.giveBack(second);
      assert.equal((await a.take('job'))?.fence, 3);
    }));

  test(`${database}: a node takes its own lease over at once`, () =>
    inDatabase(async (_sql, _clock, node) => {
      await node('a').take('job');
      assert.equal((await node('a').take('job'))?.fence, 2);
    }));

  test(`${database}: what an old holder writes is rolled back with its transaction`, () =>
    inDatabase(async (sql, _clock, node) => {
      const old = await node('a').take('job');
      assert.ok(old !== undefined);
      const write = (): Promise<void> =>
        sql.transaction<JobTables, void>(async (transaction) => {
          await transaction
            .insertInto('leases')
            .values({ name: 'written', holder: '', fence: 0, expires_ms: 0 })
            .execute();
          await node('a').check(transaction, old);
        });
      await node('a').take('job');
      await assert.rejects(write(), { code: 'JOB_LEASE_LOST' });
      const rows = await sql.read<JobTables>().selectFrom('leases').select('name').execute();
      assert.deepEqual(rows, [{ name: 'job' }]);
    }));
});
