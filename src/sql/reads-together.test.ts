import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql as raw } from 'kysely';
import { sqlConfig } from './config.ts';
import type { QueryRows } from './query-driver.ts';
import type { SqliteConnection } from './sqlite-connection.ts';
import { SqliteSql } from './sqlite-sql.ts';
import { forEachDatabase } from './test-databases.ts';

type Tables = Record<string, never>;

forEachDatabase((name, open) => {
  test(`of reads that go together one that fails is the only one that does (${name})`, async () => {
    const sql = await open({ threads: true });
    await sql.transaction<Tables, void>(async (transaction) => {
      await raw`create table fish (id bigint, name text)`.execute(transaction);
      await raw`insert into fish values (1, 'pike'), (2, 'carp')`.execute(transaction);
    });
    const reading = sql.read<Tables>();
    const nameOf = async (id: number): Promise<unknown> =>
      (await raw`select name from fish where id = ${id}`.execute(reading)).rows;
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.allSettled([
        nameOf(1),
        raw`select nothing from fish`.execute(reading),
        nameOf(2),
        raw`select count(*) from no_such_table`.execute(reading),
        nameOf(3),
      ]);
      assert.deepEqual(
        answers.map((one) => (one.status === 'fulfilled' ? one.value : one.reason.code)),
        [
          [{ name: 'pike' }],
          'SQL_STATEMENT_FAILED',
          [{ name: 'carp' }],
          'SQL_STATEMENT_FAILED',
          [],
        ],
      );
    }
    // More of them than go in one message, and than are kept prepared.
    const many = Array.from({ length: 300 }, (_, at) =>
      raw<{ v: number }>`select ${raw.lit(at)} as v, name from fish where id = 1`.execute(reading),
    );
    assert.deepEqual(
      (await Promise.all(many)).map(({ rows }) => rows[0]?.v),
      Array.from({ length: 300 }, (_, at) => at),
    );
    assert.deepEqual(await nameOf(2), [{ name: 'carp' }]);
    await sql.close();
    await assert.rejects(nameOf(1), { code: 'SQL_CLOSED' });
  });

  test(`a read goes on when its table has got another column (${name})`, async () => {
    const sql = await open({ threads: true });
    const change = async (text: string): Promise<void> => {
      await sql.transaction<Tables, void>(async (transaction) => {
        await raw.raw(text).execute(transaction);
      });
    };
    const all = async (): Promise<unknown> =>
      (await raw`select * from fish`.execute(sql.read<Tables>())).rows;
    await change('create table fish (id bigint)');
    await change('insert into fish values (1)');
    assert.deepEqual(await all(), [{ id: 1 }]);
    await change("alter table fish add column name text not null default 'pike'");
    // Twice in one message.
    const row = { id: 1, name: 'pike' };
    assert.deepEqual(await Promise.all([all(), all()]), [[row], [row]]);
    await sql.close();
  });
});

/** Answers when it is told to. */
class SlowConnection implements SqliteConnection {
  readonly asked: string[] = [];
  readonly #answer = Promise.withResolvers<QueryRows>();

  get waiting(): number {
    return this.asked.length;
  }

  execute(sql: string): Promise<QueryRows> {
    this.asked.push(sql);
    return this.#answer.promise;
  }

  executeEach(sql: string): Promise<QueryRows> {
    return this.execute(sql);
  }

  async rollback(): Promise<void> {}

  async close(): Promise<void> {
    this.#answer.resolve({ rows: [], changes: 0 });
  }
}

test('reads of one turn go to one reader before any is answered, and the next ones to another', async () => {
  const [one, other] = [new SlowConnection(), new SlowConnection()];
  const sql = new SqliteSql({
    ...{ writer: new SlowConnection(), readers: [one, other], openReader: async () => other },
    ...{ config: sqlConfig.parse({}), clock: undefined },
  });
  const reading = sql.read<Tables>();
  const ask = (text: string): Promise<unknown> => raw.raw(text).execute(reading);
  const asked = [ask('select 1'), ask('select 2')];
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(one.asked, ['select 1', 'select 2']);
  asked.push(ask('select 3'));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(other.asked, ['select 3']);
  await sql.close();
  await Promise.all(asked);
});
