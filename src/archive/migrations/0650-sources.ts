// Web seeds of others from which a wanted torrent may be taken.

import { sql } from 'kysely';
import type { Migration } from '#sql/sql.ts';

export const sourcesMigration: Migration = {
  number: 650,
  name: '0650-sources',
  async up(transaction) {
    await sql`create table archive_source (
      torrent_id bigint not null references archive_wanted (torrent_id) on delete cascade,
      url text not null,
      primary key (torrent_id, url)
    )`.execute(transaction);
  },
};
