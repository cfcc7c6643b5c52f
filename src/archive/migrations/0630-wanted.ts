// Torrents that the archive shall keep and does not have yet, and which of their files it has taken.

import { sql } from 'kysely';
import type { Migration } from '#sql/sql.ts';

export const wantedMigration: Migration = {
  number: 630,
  name: '0630-wanted',
  async up(transaction) {
    await sql`create table archive_wanted (
      torrent_id bigint primary key,
      wanted_ms bigint not null,
      problem text not null
    )`.execute(transaction);
    await sql`create table archive_taken (
      torrent_id bigint not null references archive_wanted (torrent_id) on delete cascade,
      position bigint not null,
      file_id bigint references archive_file (id),
      primary key (torrent_id, position)
    )`.execute(transaction);
    await sql`create index archive_taken_file on archive_taken (file_id)`.execute(transaction);
  },
};
