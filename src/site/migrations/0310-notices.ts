// What rules do to members: whether they may take more, and what they are told on the site.

import { sql } from 'kysely';
import { idType } from '#sql/dialect.ts';
import type { Migration } from '#sql/sql.ts';

export const noticesMigration: Migration = {
  number: 310,
  name: '0310-notices',
  async up(transaction, dialect) {
    await sql`alter table member add column may_leech integer not null default 1`.execute(
      transaction,
    );
    // Torrents that ask nothing of anybody who takes them.
    await sql`alter table torrent add column is_exempt integer not null default 0`.execute(
      transaction,
    );
    await sql`create table notice (
      id ${idType(dialect)},
      member_id bigint not null,
      kind text not null,
      title text not null,
      body text not null,
      link text not null,
      once text not null,
      created_ms bigint not null,
      read_ms bigint,
      unique (member_id, once)
    )`.execute(transaction);
    await sql`create index notice_unread on notice (member_id) where read_ms is null`.execute(
      transaction,
    );
  },
};
