import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql as raw } from 'kysely';
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
