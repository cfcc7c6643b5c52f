import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Kysely, sql as raw } from 'kysely';
import { fixedQuery } from './fixed-query.ts';
import { type GivenList, givenList, isOneOf } from './given-ids.ts';
import { forEachDatabase } from './test-databases.ts';

interface Tables {
  fish: { id: number; name: string };
}

let built = 0;
const fishOf = fixedQuery(
  (reading: Kysely<Tables>, given: { ids: GivenList; name: string; limit: number }) => {
    built += 1;
    return reading
      .selectFrom('fish')
      .select('id')
      .where(isOneOf(reading, 'id', given.ids))
      .where('name', '<>', given.name)
      .orderBy('id')
      .limit(given.limit);
  },
);

forEachDatabase((name, open) => {
  test(`a query is built once and asks for what is given each time (${name})`, async () => {
    const sql = await open();
    await sql.transaction<Tables, void>(async (transaction) => {
      await raw`create table fish (id bigint, name text)`.execute(transaction);
      await raw`insert into fish values (1, 'pike'), (2, 'carp'), (9007199254740991, 'eel')`.execute(
        transaction,
      );
    });
    const reading = sql.read<Tables>();
    const ask = async (ids: readonly number[], not: string, limit: number) => {
      const given = { ids: givenList(reading, ids), name: not, limit };
      return (await fishOf(reading, given)).map(({ id }) => id);
    };
    built = 0;
    assert.deepEqual(await ask([1, 2, 3], 'eel', 9), [1, 2]);
    assert.deepEqual(await ask([1, 2, Number.MAX_SAFE_INTEGER], 'pike', 9), [
      2,
      Number.MAX_SAFE_INTEGER,
    ]);
    // Many at once, so that they go together.
    const many = await Promise.all([ask([1, 2], '', 1), ask([], '', 9), ask([2], 'carp', 9)]);
    assert.deepEqual(many, [[1], [], []]);
    assert.equal(built, 1);
    await sql.close();
  });
});
