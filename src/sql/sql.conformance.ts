// What every Sql must do, whatever database is behind it. Called with a way to open an empty one.

import assert from 'node:assert/strict';
import test from 'node:test';
import { type Generated, sql as raw } from 'kysely';
import { sqlConfig } from './config.ts';
import { bytesType, idType, integerSum, isUniqueViolation } from './dialect.ts';
import { SqlError } from './errors.ts';
import { givenIds } from './given-ids.ts';
import { insertColumns } from './row-columns.ts';
import type { Sql } from './sql.ts';
import type { OpenTestSql } from './test-databases.ts';

interface Tables {
  thing: {
    id: Generated<number>;
    name: string;
    size: Generated<number>;
    content: Uint8Array | null;
  };
}

export function sqlConformance(name: string, open: OpenTestSql): void {
  const on = (sentence: string, body: (sql: Sql) => Promise<void>): void => {
    test(`${name}: ${sentence}`, async () => {
      const sql = await open();
      try {
        await createThings(sql);
        await body(sql);
      } finally {
        await sql.close();
      }
    });
  };

  on('read() sees a transaction that has resolved', async (sql) => {
    await add(sql, 'a');
    assert.deepEqual(await names(sql), ['a']);
  });

  on('transaction() rolls back and rethrows what its body throws', async (sql) => {
    const reason = new Error('no');
    const failed = sql.transaction<Tables, void>(async (transaction) => {
      await transaction.insertInto('thing').values({ name: 'a' }).execute();
      throw reason;
    });
    await assert.rejects(failed, (error) => error === reason);
    assert.deepEqual(await names(sql), []);
  });

  on('transaction() isolates a body from readers until it has resolved', async (sql) => {
    await sql.transaction<Tables, void>(async (transaction) => {
      await transaction.insertInto('thing').values({ name: 'a' }).execute();
      assert.deepEqual(await names(sql), []);
    });
    assert.deepEqual(await names(sql), ['a']);
  });

  on('many transactions at once all commit, and counters do not lose one', async (sql) => {
    await add(sql, 'a');
    const steps = Array.from({ length: 40 }, () =>
      sql.transaction<Tables, void>(async (transaction) => {
        await transaction
          .updateTable('thing')
          .set((of) => ({ size: of('size', '+', 1) }))
          .execute();
      }),
    );
    await Promise.all(steps);
    const row = await sql.read<Tables>().selectFrom('thing').select('size').executeTakeFirst();
    assert.equal(row?.size, 40);
  });

  on('read() refuses to write', async (sql) => {
    const writing = sql.read<Tables>().insertInto('thing').values({ name: 'a' }).execute();
    await assert.rejects(writing, SqlError);
    assert.deepEqual(await names(sql), []);
  });

  on('integers up to 2^53-1 come back as numbers, larger ones are refused', async (sql) => {
    await add(sql, 'a', Number.MAX_SAFE_INTEGER);
    const reading = sql.read<Tables>().selectFrom('thing').select('size');
    assert.deepEqual(await reading.execute(), [{ size: 9007199254740991 }]);
    await sql.transaction(async (transaction) => {
      await raw`update thing set size = size + 1`.execute(transaction);
    });
    await assert.rejects(reading.execute(), { code: 'SQL_INTEGER_UNSAFE' });
  });

  on('counts and sums are numbers', async (sql) => {
    await add(sql, 'a', 5);
    await add(sql, 'b', 2 ** 40);
    const row = await sql
      .read<Tables>()
      .selectFrom('thing')
      .select((of) => [of.fn.countAll<number>().as('count'), integerSum(of.ref('size')).as('sum')])
      .executeTakeFirst();
    assert.deepEqual(row, { count: 2, sum: 2 ** 40 + 5 });
  });

  on('bytes come back as a plain Uint8Array', async (sql) => {
    const content = new Uint8Array([0, 255, 39, 92, 10]);
    await sql.transaction<Tables, void>(async (transaction) => {
      await transaction.insertInto('thing').values({ name: 'a', content }).execute();
    });
    const row = await sql.read<Tables>().selectFrom('thing').select('content').executeTakeFirst();
    assert.deepEqual(row?.content, content);
    assert.equal(Object.getPrototypeOf(row?.content), Uint8Array.prototype);
  });

  on('a value that must be unique and is taken is a SqlError that says so', async (sql) => {
    await add(sql, 'a');
    await assert.rejects(add(sql, 'a'), (error) => isUniqueViolation(error));
  });

  on('a wrong statement is a SqlError', async (sql) => {
    const wrong = raw`select nothing from nowhere`.execute(sql.read());
    await assert.rejects(wrong, { code: 'SQL_STATEMENT_FAILED' });
  });

  on('an id is never used twice, also when the row with the highest is gone', async (sql) => {
    const first = await add(sql, 'a');
    await sql.transaction<Tables, void>(async (transaction) => {
      await transaction.deleteFrom('thing').execute();
    });
    const second = await add(sql, 'b');
    assert.ok(second > first, `${second} > ${first}`);
  });

  on('insertColumns() inserts and updates many rows by one statement', async (sql) => {
    const rows = 2000;
    const insert = (size: number): Promise<void> =>
      sql.transaction<Tables, void>(async (transaction) => {
        await insertColumns(transaction, {
          table: 'thing',
          columns: [
            {
              name: 'name',
              type: 'text',
              values: Array.from({ length: rows }, (_, at) => `n"\\,${at}`),
            },
            { name: 'size', type: 'bigint', values: new Float64Array(rows).fill(size) },
          ],
          onConflict: '(name) do update set size = thing.size + excluded.size',
        });
      });
    await insert(2 ** 50);
    await insert(1);
    const found = await sql.read<Tables>().selectFrom('thing').select(['name', 'size']).execute();
    assert.equal(found.length, rows);
    assert.ok(found.every((row) => row.size === 2 ** 50 + 1));
    assert.ok(found.some((row) => row.name === 'n"\\,1999'));
  });

  on('insertColumns() keeps every safe integer and every text as it is', async (sql) => {
    const sizes = [0, 1, -1, 2 ** 31, 2 ** 32, -(2 ** 32) - 5, 2 ** 53 - 1, -(2 ** 53) + 1];
    const texts = sizes.map((size, at) => ['', 'ä', '漢字', '{"a",\\}', 'null'][at % 5]! + size);
    await sql.transaction<Tables, void>(async (transaction) => {
      await insertColumns(transaction, {
        table: 'thing',
        columns: [
          { name: 'name', type: 'text', values: texts },
          { name: 'size', type: 'bigint', values: Float64Array.from(sizes) },
        ],
      });
    });
    const found = await sql.read<Tables>().selectFrom('thing').selectAll().orderBy('id').execute();
    assert.deepEqual(
      found.map(({ name: text, size }) => [text, size]),
      texts.map((text, at) => [text, sizes[at]]),
    );
  });

  on('insertColumns() keeps bytes, and givenIds() is a table of numbers', async (sql) => {
    const blobs = [0, 1, 255, 9000].map((length) => new Uint8Array(length).fill(length));
    await sql.transaction<Tables, void>(async (transaction) => {
      const type = raw.raw(bytesType(sql.dialect));
      await raw`create table blobs (id bigint primary key, bytes ${type} not null)`.execute(
        transaction,
      );
      await insertColumns(transaction, {
        table: 'blobs',
        columns: [
          { name: 'id', type: 'bigint', values: Float64Array.from(blobs, (_, at) => at) },
          { name: 'bytes', type: 'bytes', values: blobs },
        ],
      });
    });
    const wanted = [3, 1, 2 ** 53 - 1, 0];
    const { rows } = await raw<{ id: number; bytes: Uint8Array }>`select blobs.id, bytes
      from ${givenIds(sql.read<Tables>(), wanted, 'given')} cross join blobs
      where blobs.id = given.id order by blobs.id`.execute(sql.read<Tables>());
    assert.deepEqual(
      rows.map(({ id, bytes }) => [id, new Uint8Array(bytes)]),
      [0, 1, 3].map((id) => [id, blobs[id]]),
    );
  });

  on('snapshot() sees one state while others write, and cannot write', async (sql) => {
    await add(sql, 'a');
    await sql.snapshot<Tables, void>(async (snapshot) => {
      await add(sql, 'b');
      const seen = await snapshot.selectFrom('thing').select('name').execute();
      assert.deepEqual(seen, [{ name: 'a' }]);
      assert.deepEqual(await names(sql), ['a', 'b']);
      await assert.rejects(
        sql.snapshot(async () => undefined),
        { code: 'SQL_BUSY' },
      );
    });
    const writing = sql.snapshot<Tables, void>(async (snapshot) => {
      await snapshot.insertInto('thing').values({ name: 'c' }).execute();
    });
    await assert.rejects(writing, SqlError);
    assert.deepEqual(await names(sql), ['a', 'b']);
  });

  on('close() waits for open transactions and refuses new ones', async (sql) => {
    const last = sql.transaction<Tables, void>(async (transaction) => {
      await transaction.insertInto('thing').values({ name: 'a' }).execute();
    });
    const closed = sql.close();
    await last;
    await closed;
    await assert.rejects(add(sql, 'b'), { code: 'SQL_CLOSED' });
    await sql.close();
  });

  test(`${name}: more waiting transactions than transactionQueueMax are refused at once`, async () => {
    const sql = await open({ config: sqlConfig.parse({ transactionQueueMax: 2 }) });
    try {
      await createThings(sql);
      const results = await Promise.allSettled(['a', 'b', 'c', 'd'].map((each) => add(sql, each)));
      const refused = results.filter((result) => result.status === 'rejected');
      assert.equal(refused.length, 2);
      assert.ok(refused.every((result) => result.reason.code === 'SQL_BUSY'));
    } finally {
      await sql.close();
    }
  });
}

async function createThings(sql: Sql): Promise<void> {
  await sql.transaction(async (transaction) => {
    await transaction.schema
      .createTable('thing')
      .addColumn('id', idType(sql.dialect))
      .addColumn('name', 'text', (column) => column.notNull().unique())
      .addColumn('size', 'bigint', (column) => column.notNull().defaultTo(0))
      .addColumn('content', bytesType(sql.dialect))
      .execute();
  });
}

async function add(sql: Sql, name: string, size = 0): Promise<number> {
  return await sql.transaction<Tables, number>(async (transaction) => {
    const row = await transaction
      .insertInto('thing')
      .values({ name, size })
      .returning('id')
      .executeTakeFirstOrThrow();
    return row.id;
  });
}

async function names(sql: Sql): Promise<string[]> {
  const rows = await sql
    .read<Tables>()
    .selectFrom('thing')
    .select('name')
    .orderBy('name')
    .execute();
  return rows.map((row) => row.name);
}
