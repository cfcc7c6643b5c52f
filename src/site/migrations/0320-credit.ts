// Windows of credit (freeleech, multipliers) and the tokens that open one for a member's torrent.

import { sql } from 'kysely';
import { idType } from '#sql/dialect.ts';
import type { Migration } from '#sql/sql.ts';

export const creditMigration: Migration = {
  number: 320,
  name: '0320-credit',
  async up(transaction, dialect) {
    await sql`create table credit_window (
      id ${idType(dialect)},
      member_id bigint not null,
      torrent_id bigint not null,
      upload_percent integer not null,
      download_percent integer not null,
      from_ms bigint not null,
      until_ms bigint not null,
      opened_by bigint not null,
      opened_ms bigint not null,
      is_over integer not null default 0
    )`.execute(transaction);
    await sql`create index credit_window_open on credit_window (until_ms) where is_over = 0`.execute(
      transaction,
    );
    await sql`create table credit_token (
      id ${idType(dialect)},
      member_id bigint not null,
      given_by bigint not null,
      given_ms bigint not null,
      expires_ms bigint not null,
      spent_ms bigint,
      window_id bigint
    )`.execute(transaction);
    await sql`create index credit_token_member on credit_token (member_id) where spent_ms is null`.execute(
      transaction,
    );
  },
};
