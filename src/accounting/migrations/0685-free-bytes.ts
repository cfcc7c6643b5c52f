// Bytes that are taken off what members downloaded (free-bytes/free-bytes.ts).

import { sql } from 'kysely';
import type { Migration } from '#sql/sql.ts';

export const freeBytesMigration: Migration = {
  number: 685,
  name: '0685-free-bytes',
  async up(transaction) {
    await sql`create table ledger_free (
      member_id bigint not null,
      torrent_id bigint not null,
      free_bytes bigint not null,
      primary key (member_id, torrent_id)
    )`.execute(transaction);
  },
};
