// The picture that stands for a torrent, chosen by its uploader, once as large as its page shows it and
// once as small as lists do; both are blobs of the store.

import { sql } from 'kysely';
import type { Migration } from '#sql/sql.ts';

export const coversMigration: Migration = {
  number: 762,
  name: '0762-covers',
  async up(transaction) {
    await sql`create table torrent_cover (
      torrent_id bigint primary key references torrent (id),
      blob_ref text not null,
      thumb_ref text not null,
      width bigint not null,
      height bigint not null,
      alt text not null
    )`.execute(transaction);
  },
};
