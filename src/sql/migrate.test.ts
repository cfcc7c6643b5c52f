import assert from 'node:assert/strict';
import test from 'node:test';
import { sql as raw } from 'kysely';
import { SystemClock } from '#base/clock.ts';
import { sqlConfig } from './config.ts';
import { migrate, migrationStatus } from './migrate.ts';
import { sqlMigrations } from './migrations/all.ts';
import type { Migration, Sql } from './sql.ts';
import { forEachDatabase } from './test-databases.ts';

const clock = new SystemClock();

function step(number: number, statement: string): Migration {
  return {
    number,
    name: `000${number}-step`,
    async up(transaction) {
      await raw.raw(statement).execute(transaction);
    },
  };
}

const one = step(1, 'create table one (v bigint)');
const two = step(2, 'create table two (v bigint)');
const broken = step(3, 'create table one (v bigint)');

forEachDatabase((name, open) => {
  const on = (sentence: string, body: (sql: Sql) => Promise<void>): void => {
    test(`${name}: ${sentence}`, async () => {
      const sql = await open();
      try {
        await body(sql);
      } finally {
        await sql.close();
      }
    });
  };

  on('migrate() applies what is pending by number, once', async (sql) => {
    assert.deepEqual(await migrate(sql, [two, one], { clock }), ['0001-step', '0002-step']);
    assert.deepEqual(await migrate(sql, [one, two], { clock }), []);
    const states = await migrationStatus(sql, [one, two]);
    assert.ok(states.every((state) => state.appliedMs !== undefined));
  });

  test(`${name}: a step that takes longer than any other transaction may is applied`, async () => {
    const config = sqlConfig.parse({ transactionMsMax: 100 });
    const sql = await open({ config, clock });
    const slow: Migration = {
      ...one,
      async up(transaction, dialect) {
        await raw`create table slow (v bigint)`.execute(transaction);
        // By its statements, and between two of them.
        if (dialect === 'postgres') await raw`select pg_sleep(0.2)`.execute(transaction);
        await new Promise((resolve) => clock.after(200, () => resolve(undefined)));
        await raw`insert into slow values (1)`.execute(transaction);
      },
    };
    await migrate(sql, [slow], { clock, dryRun: true });
    assert.deepEqual(await migrate(sql, [slow], { clock }), [slow.name]);
    await sql.close();
  });

  on('migrate() by two processes at once applies each step once', async (sql) => {
    const results = await Promise.all([1, 2, 3].map(() => migrate(sql, [one, two], { clock })));
    assert.deepEqual(results.flat().sort(), ['0001-step', '0002-step']);
  });

  on('a failed step leaves nothing of itself and keeps those before it', async (sql) => {
    await assert.rejects(migrate(sql, [one, two, broken], { clock }), {
      code: 'SQL_MIGRATION_FAILED',
    });
    const states = await migrationStatus(sql, [one, two, broken]);
    assert.deepEqual(
      states.map((state) => state.appliedMs !== undefined),
      [true, true, false],
    );
  });

  on(
    'a dry run shows what would be applied, and whether it would, and changes nothing',
    async (sql) => {
      assert.deepEqual(await migrate(sql, [one, two], { clock, dryRun: true }), [
        '0001-step',
        '0002-step',
      ]);
      await assert.rejects(migrate(sql, [one, broken], { clock, dryRun: true }), {
        code: 'SQL_MIGRATION_FAILED',
      });
      assert.deepEqual(
        (await sql.read().introspection.getTables()).map((table) => table.name),
        [],
      );
    },
  );

  on('a database of a newer version or another program is refused', async (sql) => {
    await migrate(sql, [one, two], { clock });
    await assert.rejects(migrate(sql, [one], { clock }), { code: 'SQL_MIGRATION_UNKNOWN' });
    const renamed = { ...two, name: '0002-other' };
    await assert.rejects(migrate(sql, [one, renamed], { clock }), {
      code: 'SQL_MIGRATION_CHANGED',
    });
  });

  on('beforeFirst runs once before an old database changes, and not for a new one', async (sql) => {
    const calls: string[][] = [];
    const beforeFirst = async (pending: readonly Migration[]): Promise<void> => {
      calls.push(pending.map((migration) => migration.name));
    };
    await migrate(sql, [one], { clock, beforeFirst });
    await migrate(sql, [one, two], { clock, beforeFirst });
    await migrate(sql, [one, two], { clock, beforeFirst });
    assert.deepEqual(calls, [['0002-step']]);
  });

  on('the migrations of sql/ apply', async (sql) => {
    await migrate(sql, sqlMigrations, { clock });
  });
});
