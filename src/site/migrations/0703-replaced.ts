// A torrent that took the place of another: the one that was removed names it.

import { sql } from 'kysely';
import type { Migration } from '#sql/sql.ts';

export const replacedMigration: Migration = {
  number: 703,
  name: '0703-replaced',
  async up(transaction) {
    await sql`alter table torrent add column replaced_by bigint`.execute(transaction);
    await sql`create index torrent_replaced_by on torrent (replaced_by)
      where replaced_by is not null`.execute(transaction);
  },
};
