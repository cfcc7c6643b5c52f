// How often each block of the search index was written, for the blocks that there are (search-postings.ts).

import { sql } from 'kysely';
import { VERSIONS_BLOCK, versionBytes } from '#site/catalogue/index-versions.ts';
import type { Migration } from '#sql/sql.ts';

export const postingVersionsMigration: Migration = {
  number: 810,
  name: '0810-posting-versions',
  async up(transaction) {
    const { rows } = await sql<{ newest: number | null }>`
      select max(block) as newest from search_posting`.execute(transaction);
    for (let block = 0; block <= (rows[0]?.newest ?? -1); block++) {
      await sql`insert into search_posting (block, term, ids)
        values (${VERSIONS_BLOCK}, ${String(block)}, ${versionBytes({ version: 1, latest: [] })})
        on conflict (block, term) do nothing`.execute(transaction);
    }
  },
};
