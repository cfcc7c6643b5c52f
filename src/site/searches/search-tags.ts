// A tag that is renamed or joined is so in what members saved too: their searches and the feeds of them
// go on finding what they found.

import type { Transaction } from 'kysely';
import { filtersOfText, filtersText } from '#site/catalogue/list-filters.ts';
import type { SearchTables } from './saved-searches.ts';

const ROWS_AT_ONCE = 500;

/** In the caller's transaction. Returns how many searches were changed. */
export async function changeTagInSearches<Any>(
  transaction: Transaction<Any>,
  { from, into }: { readonly from: string; readonly into: string },
): Promise<number> {
  const tables = transaction as unknown as Transaction<SearchTables>;
  let changed = 0;
  for (let after = 0; ; ) {
    const rows = await tables
      .selectFrom('saved_search')
      .select(['id', 'filters'])
      .where('id', '>', after)
      .orderBy('id')
      .limit(ROWS_AT_ONCE)
      .execute();
    for (const { id, filters: text } of rows) {
      const filters = filtersOfText(text);
      if (!filters.tags.includes(from)) continue;
      const tags = [...new Set(filters.tags.map((tag) => (tag === from ? into : tag)))];
      await tables
        .updateTable('saved_search')
        .set({ filters: filtersText({ ...filters, tags }) })
        .where('id', '=', id)
        .execute();
      changed += 1;
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < ROWS_AT_ONCE) return changed;
    after = last.id;
  }
}
