import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql as raw } from 'kysely';
import { forEachDatabase } from '#sql/test-databases.ts';
import { blockOf } from './id-block.ts';
import { indexTorrents } from './search-index.ts';
import { Postings } from './search-postings.ts';
import { openCatalogue } from './test-catalogue.ts';

forEachDatabase((name, open) => {
  test(`sets of the index are kept as long as nobody writes their block, whoever does (${name})`, async () => {
    const world = await openCatalogue(open);
    const index = async (id: number): Promise<void> => {
      const text = { title: 'ice', tags: [], categoryId: 1, description: '', files: '' };
      await world.sql.transaction<never, void>(async (transaction) => {
        await indexTorrents(transaction as never, [{ id, text }]);
      });
    };
    const found = async (): Promise<readonly (number | undefined)[]> => {
      const postings = await Postings.open(world.sql.read());
      assert.equal(postings.newest, 1);
      const sets = await postings.sets([0, 1], { terms: ['wice'], beginnings: [] });
      return [0, 1].map((block) => sets.get(block)?.get('wice')?.count);
    };
    await index(7);
    await index(70_000);
    assert.equal(blockOf(70_000), 1);
    assert.deepEqual(await found(), [1, 1]);
    // Written past the index: what is kept is not asked for again.
    await world.sql.transaction<never, void>(async (transaction) => {
      await raw`delete from search_posting where term = 'wice'`.execute(transaction);
    });
    assert.deepEqual(await found(), [1, 1]);
    // Now block 1 is read again, and block 0 is not.
    await index(70_001);
    assert.deepEqual(await found(), [1, 1]);
    await index(70_002);
    assert.deepEqual(await found(), [1, 2]);
    await world.sql.close();
  });
});
