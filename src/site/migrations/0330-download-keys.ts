// Keys that members' .torrent files carry in place of the passkey: one per member and torrent (T17).
// A revoked one stays, so that a leaked file names its leaker afterwards too.

import { sql } from 'kysely';
import { idType } from '#sql/dialect.ts';
import type { Migration } from '#sql/sql.ts';

export const downloadKeysMigration: Migration = {
  number: 330,
  name: '0330-download-keys',
  async up(transaction, dialect) {
    await sql`create table download_key (
      id ${idType(dialect)},
      key text not null unique,
      member_id bigint not null,
      torrent_id bigint not null,
      created_ms bigint not null,
      revoked_ms bigint
    )`.execute(transaction);
    await sql`create unique index download_key_good on download_key (member_id, torrent_id) where revoked_ms is null`.execute(
      transaction,
    );
  },
};
