// Searches that members saved under a name (searches/saved-searches.ts).

import { sql } from 'kysely';
import { idType } from '#sql/dialect.ts';
import type { Migration } from '#sql/sql.ts';

export const searchesMigration: Migration = {
  number: 700,
  name: '0700-searches',
  async up(transaction, dialect) {
    await sql`create table saved_search (
      id ${idType(dialect)},
      member_id bigint not null,
      name text not null,
      filters text not null,
      created_ms bigint not null,
      unique (member_id, name)
    )`.execute(transaction);
  },
};
