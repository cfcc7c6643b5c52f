// What lists are ordered by title with, as an index of its own like `torrent_listed`, which would be twice
// as large with titles in it.

import { sql } from 'kysely';
import type { Migration } from '#sql/sql.ts';

export const titledMigration: Migration = {
  number: 811,
  name: '0811-titled',
  async up(transaction) {
    await sql`create index torrent_titled on torrent (id, title_key)`.execute(transaction);
  },
};
