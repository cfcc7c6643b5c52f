// When the archive began and ceased to keep each torrent: what is told of a torrent's past. Of what is kept
// already the beginning is known.

import { sql } from 'kysely';
import { idType } from '#sql/dialect.ts';
import type { Migration } from '#sql/sql.ts';

export const turnsMigration: Migration = {
  number: 760,
  name: '0760-turns',
  async up(transaction, dialect) {
    await sql`create table archive_turn (
      id ${idType(dialect)},
      torrent_id bigint not null,
      kind text not null,
      at_ms bigint not null
    )`.execute(transaction);
    await sql`create index archive_turn_torrent on archive_turn (torrent_id, at_ms, id)`.execute(
      transaction,
    );
    await sql`insert into archive_turn (torrent_id, kind, at_ms)
      select torrent_id, 'keep', kept_ms from archive_torrent order by kept_ms, torrent_id`.execute(
      transaction,
    );
  },
};
