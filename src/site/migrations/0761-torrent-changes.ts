// What became of torrents and stands nowhere else: what was written about them before it was changed.

import { sql } from 'kysely';
import { idType } from '#sql/dialect.ts';
import type { Migration } from '#sql/sql.ts';

export const torrentChangesMigration: Migration = {
  number: 761,
  name: '0761-torrent-changes',
  async up(transaction, dialect) {
    await sql`create table torrent_change (
      id ${idType(dialect)},
      torrent_id bigint not null,
      member_id bigint not null,
      kind text not null,
      details text not null,
      at_ms bigint not null
    )`.execute(transaction);
    await sql`create index torrent_change_torrent on torrent_change (torrent_id, at_ms, id)`.execute(
      transaction,
    );
    await sql`create index torrent_change_member on torrent_change (member_id)`.execute(
      transaction,
    );
    // A torrent's own windows of credit, and what it took the place of.
    await sql`create index credit_window_torrent on credit_window (torrent_id, opened_ms, id)
      where torrent_id > 0`.execute(transaction);
  },
};
