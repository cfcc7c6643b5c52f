import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filtersOfText, filtersText, parseSize, sizeText } from '#site/catalogue/list-filters.ts';
import { openCatalogue } from '#site/catalogue/test-catalogue.ts';
import { Refusal } from '#site/refusal.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import {
  removeSearch,
  SEARCHES_MAX,
  savedSearchesOf,
  savedSearchOf,
  saveSearch,
} from './saved-searches.ts';

const RAIN = filtersOfText(
  'q=rain&tags=csv,daily&size-from=700 MiB&added=30&mine=never&sort=-size',
);

test('filters are the same after they were written into an address and read back', () => {
  assert.deepEqual(RAIN, {
    words: 'rain',
    category: '',
    tags: ['csv', 'daily'],
    sizeMin: 700 * 1024 ** 2,
    ageDays: 30,
    mine: 'never',
    sort: { by: 'size', descending: true },
  });
  assert.deepEqual(filtersOfText(filtersText(RAIN)), RAIN);
  // What no page offers narrows nothing.
  const odd = filtersOfText('size-from=large&added=3&seeds=x&mine=2&sort=-hash&category=%00a');
  assert.deepEqual(odd, { words: '', category: 'a', tags: [] });
});

test('sizes are read as people write them, in binary units', () => {
  const said = ['700 MiB', '1.5g', '2TB', '0,5 gib', '1024', '12 bytes', '3k'].map(parseSize);
  const [k, m, g, t] = [1024, 1024 ** 2, 1024 ** 3, 1024 ** 4];
  assert.deepEqual(said, [700 * m, 1.5 * g, 2 * t, g / 2, 1024, 12, 3 * k]);
  for (const wrong of ['', 'x', '-1', '1e9', '99999 PiB', '1 1']) {
    assert.equal(parseSize(wrong), undefined, wrong);
  }
  for (const bytes of [0, 1, 1023, 1536, 734_003_200, 2 ** 53 - 1]) {
    assert.equal(parseSize(sizeText(bytes)), bytes);
  }
});

forEachDatabase((name, open) => {
  test(`S10: a saved search is its member's alone, by id and by name (${name})`, async () => {
    const world = await openCatalogue(open);
    const saved = await saveSearch(world, { memberId: 1, name: ' Rain  data ', filters: RAIN });
    assert.ok(!(saved instanceof Refusal));
    assert.equal(saved.name, 'Rain data');
    assert.deepEqual(await savedSearchOf(world.sql, 1, saved.id), saved);
    assert.equal(await savedSearchOf(world.sql, 2, saved.id), undefined);
    assert.deepEqual(await savedSearchesOf(world.sql, 2), []);
    const all = filtersOfText('q=snow');
    const again = await saveSearch(world, { memberId: 1, name: 'Rain data', filters: all });
    assert.ok(!(again instanceof Refusal));
    assert.deepEqual([again.id, again.filters.words], [saved.id, 'snow']);
    assert.equal(await removeSearch(world.sql, 2, saved.id), false);
    assert.equal(await removeSearch(world.sql, 1, saved.id), true);
    assert.deepEqual(await savedSearchesOf(world.sql, 1), []);
    await world.sql.close();
  });

  test(`one saved search more than SEARCHES_MAX is refused (${name})`, async () => {
    const world = await openCatalogue(open);
    for (let at = 0; at < SEARCHES_MAX; at++) {
      await saveSearch(world, { memberId: 1, name: `n${at}`, filters: RAIN });
    }
    const refused = await saveSearch(world, { memberId: 1, name: 'more', filters: RAIN });
    assert.ok(refused instanceof Refusal && refused.code === 'searches-full');
    const replaced = await saveSearch(world, { memberId: 1, name: 'n3', filters: RAIN });
    assert.ok(!(replaced instanceof Refusal));
    await world.sql.close();
  });
});
