// What else is known of the files that the archive keeps: the beginnings of texts and subtitles, and what
// images, films and sound are (previews/extracts.ts). All of it can be made again.

import { sql } from 'kysely';
import type { Migration } from '#sql/sql.ts';

export const extractsMigration: Migration = {
  number: 687,
  name: '0687-extracts',
  async up(transaction) {
    await sql`create table torrent_text (
      torrent_id bigint not null references torrent (id),
      position bigint not null,
      blob_ref text not null,
      kind text not null,
      primary key (torrent_id, position)
    )`.execute(transaction);
    await sql`create table torrent_media (
      torrent_id bigint not null references torrent (id),
      position bigint not null,
      facts text not null,
      primary key (torrent_id, position)
    )`.execute(transaction);
  },
};
