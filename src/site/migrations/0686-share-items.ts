// What a share leads to becomes rows of their own, so that one link may lead to several torrents, folders
// and files. A row ends by itself when the archive lets its torrent go, and does not come back with it.

import { sql } from 'kysely';
import type { Migration } from '#sql/sql.ts';

export const shareItemsMigration: Migration = {
  number: 686,
  name: '0686-share-items',
  async up(transaction) {
    await sql`create table share_item (
      share_id bigint not null references share (id) on delete cascade,
      place bigint not null,
      torrent_id bigint not null references torrent (id),
      position bigint not null,
      label text not null,
      depth bigint,
      ended_ms bigint,
      primary key (share_id, place)
    )`.execute(transaction);
    await sql`create index share_item_torrent on share_item (torrent_id)`.execute(transaction);
    await sql`insert into share_item (share_id, place, torrent_id, position, label)
      select id, 0, torrent_id, position, label from share`.execute(transaction);
    await sql`alter table share drop column torrent_id`.execute(transaction);
    await sql`alter table share drop column position`.execute(transaction);
  },
};
