// Small pictures of what the archive keeps (previews/previews.ts). All of it can be made again.

import { sql } from 'kysely';
import type { Migration } from '#sql/sql.ts';

export const previewsMigration: Migration = {
  number: 672,
  name: '0672-previews',
  async up(transaction) {
    await sql`create table torrent_preview (
      torrent_id bigint not null references torrent (id),
      position bigint not null,
      blob_ref text not null,
      width bigint not null,
      height bigint not null,
      primary key (torrent_id, position)
    )`.execute(transaction);
    await sql`create table torrent_previewed (
      torrent_id bigint primary key references torrent (id),
      kept_ms bigint not null,
      maker text not null
    )`.execute(transaction);
  },
};
