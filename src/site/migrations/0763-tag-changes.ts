// Tags that the staff renames or joins: what was begun, until every torrent has the other one.

import { sql } from 'kysely';
import { idType } from '#sql/dialect.ts';
import type { Migration } from '#sql/sql.ts';

export const tagChangesMigration: Migration = {
  number: 763,
  name: '0763-tag-changes',
  async up(transaction, dialect) {
    await sql`create table tag_change (
      id ${idType(dialect)},
      from_name text not null,
      into_name text not null,
      member_id bigint not null,
      begun_ms bigint not null,
      done_ms bigint
    )`.execute(transaction);
    await sql`create unique index tag_change_open on tag_change (from_name)
      where done_ms is null`.execute(transaction);
    await sql`create index tag_change_member on tag_change (member_id)`.execute(transaction);
  },
};
