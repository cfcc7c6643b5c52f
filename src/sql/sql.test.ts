import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { CompiledQuery, sql as raw, type Transaction } from 'kysely';
import type { Clock, Timer } from '#base/clock.ts';
import { sqlConfig } from './config.ts';
import { openSql } from './open.ts';
import { EachRow } from './row-columns.ts';
import { sqlConformance } from './sql.conformance.ts';
import { forEachDatabase, openTestSqlite } from './test-databases.ts';

forEachDatabase(sqlConformance);
sqlConformance('sqlite in threads', (options) =>
  // One reader of the usual two: each thread costs the suite a tenth of a second a test.
  openTestSqlite({ config: sqlConfig.parse({ readers: 1 }), ...options, threads: true }),
);

test('openSql() refuses a URL of another database', async () => {
  await assert.rejects(openSql({ url: 'mysql://x', folder: '' }), { code: 'SQL_URL_INVALID' });
});

test('openSql() says what it could not open, from a thread as well, and never a password', async () => {
  const folder = join(tmpdir(), 'swarmkeep-there-is-no-such-folder');
  for (const threads of [true, false]) {
    await assert.rejects(openSql({ url: '', folder, threads }), { code: 'SQL_OPEN_FAILED' });
  }
  const url = 'postgres://me:hush@127.0.0.1:1/none';
  await assert.rejects(openSql({ url, folder }), (error: Error) => {
    assert.equal((error as { code?: string }).code, 'SQL_OPEN_FAILED');
    assert.doesNotMatch(error.message, /hush/);
    return true;
  });
});

test('what was committed is there after the file is opened again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-sql-'));
  try {
    const first = await openSql({ url: '', folder });
    await first.transaction(async (transaction) => {
      await raw`create table kept (value integer)`.execute(transaction);
      await raw`insert into kept values (7)`.execute(transaction);
    });
    await first.close();
    const second = await openSql({ url: '', folder });
    const { rows } = await raw`select value from kept`.execute(second.read());
    assert.deepEqual(rows, [{ value: 7 }]);
    await second.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a transaction that hangs is rolled back after transactionMsMax, and the next one runs', async () => {
  const clock = new HandClock();
  const sql = await openTestSqlite({ clock });
  await sql.transaction((transaction) => raw`create table t (v integer)`.execute(transaction));
  const started = Promise.withResolvers<void>();
  const hang = Promise.withResolvers<void>();
  const late = Promise.withResolvers<unknown>();
  const hanging = sql.transaction(async (transaction) => {
    await raw`insert into t values (1)`.execute(transaction);
    started.resolve();
    await hang.promise;
    await raw`insert into t values (2)`.execute(transaction).then(late.resolve, late.resolve);
  });
  await started.promise;
  clock.fire();
  await assert.rejects(hanging, { code: 'SQL_TRANSACTION_TIMEOUT' });
  await sql.transaction((transaction) => raw`insert into t values (3)`.execute(transaction));
  hang.resolve();
  assert.equal(((await late.promise) as { code?: string }).code, 'SQL_TRANSACTION_TIMEOUT');
  const { rows } = await raw`select v from t`.execute(sql.read());
  assert.deepEqual(rows, [{ v: 3 }]);
  await sql.close();
});

test('a transaction without a time limit goes on after it', async () => {
  const clock = new HandClock();
  const sql = await openTestSqlite({ clock });
  const run = async (transaction: Transaction<never>): Promise<void> => {
    await raw`create table t (v integer)`.execute(transaction);
    clock.fire();
    await raw`insert into t values (1)`.execute(transaction);
  };
  await sql.transaction(run, { isUntimed: true });
  const { rows } = await raw`select v from t`.execute(sql.read());
  assert.deepEqual(rows, [{ v: 1 }]);
  await sql.close();
});

test('a thread of SQLite that dies is told to its owner, and every later call fails', async () => {
  const died = Promise.withResolvers<string>();
  const sql = await openTestSqlite({
    threads: true,
    onDeath: (error) => died.resolve(error.code),
  });
  const misuse = sql.transaction(async (transaction) => {
    // A statement for each row that returns rows is our own fault, and faults end a thread.
    const query = CompiledQuery.raw('select 1', [new EachRow([], 1)]);
    await transaction.getExecutor().executeQuery(query);
  });
  await assert.rejects(misuse, { code: 'SQL_UNAVAILABLE' });
  assert.equal(await died.promise, 'SQL_UNAVAILABLE');
  const later = sql.transaction((transaction) => raw`select 1`.execute(transaction));
  await assert.rejects(later, { code: 'SQL_UNAVAILABLE' });
  await sql.close();
});

forEachDatabase((name, open) => {
  test(`${name}: a value that no database knows is refused and nothing is written`, async () => {
    const sql = await open();
    await sql.transaction((transaction) => raw`create table t (v bigint)`.execute(transaction));
    const writing = sql.transaction((transaction) =>
      raw`insert into t values (${Symbol('x')})`.execute(transaction),
    );
    await assert.rejects(writing);
    const { rows } = await raw`select * from t`.execute(sql.read());
    assert.deepEqual(rows, []);
    await sql.close();
  });

  if (name !== 'postgres') return;
  test('postgres: a connection that the server ends is an error, and the next one works', async () => {
    const sql = await open();
    const ended = sql.transaction((transaction) =>
      raw`select pg_terminate_backend(pg_backend_pid())`.execute(transaction),
    );
    await assert.rejects(ended, { code: 'SQL_UNAVAILABLE' });
    const { rows } = await sql.transaction((transaction) =>
      raw`select 1 as v`.execute(transaction),
    );
    assert.deepEqual(rows, [{ v: 1 }]);
    await sql.close();
  });
});

/** A clock whose timers run when told to. */
class HandClock implements Clock {
  readonly #due = new Set<() => void>();

  nowMs(): number {
    return 1_700_000_000_000;
  }

  monotonicMs(): number {
    return 0;
  }

  after(_delayMs: number, run: () => void): Timer {
    this.#due.add(run);
    return { cancel: () => this.#due.delete(run) };
  }

  fire(): void {
    for (const run of [...this.#due]) run();
  }
}
