// Signed events of the archive (events/event.ts): what waits to be told, and what was told and stands. What
// was kept or wanted before there were events is told now.

import { sql } from 'kysely';
import { idType } from '#sql/dialect.ts';
import type { Migration } from '#sql/sql.ts';

export const eventsMigration: Migration = {
  number: 680,
  name: '0680-events',
  async up(transaction, dialect) {
    await sql`create table archive_change (
      id ${idType(dialect)},
      kind text not null,
      torrent_id bigint not null,
      at_ms bigint not null
    )`.execute(transaction);
    await sql`create table archive_event (
      name text primary key,
      kind text not null,
      info_hash text not null,
      torrent_id bigint not null,
      log_offset bigint not null,
      refs text not null
    )`.execute(transaction);
    await sql`create index archive_event_torrent on archive_event (torrent_id)`.execute(
      transaction,
    );
    await sql`insert into archive_change (kind, torrent_id, at_ms)
      select 'keep', torrent_id, kept_ms from archive_torrent order by kept_ms, torrent_id`.execute(
      transaction,
    );
    await sql`insert into archive_change (kind, torrent_id, at_ms)
      select 'want', torrent_id, wanted_ms from archive_wanted order by wanted_ms, torrent_id`.execute(
      transaction,
    );
  },
};
