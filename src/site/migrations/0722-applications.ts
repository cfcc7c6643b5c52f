// Applications for membership: who wants to join, in their own words, and what the staff decided. The
// password is chosen with the application and kept as the hash that the account will have.

import { sql } from 'kysely';
import { bytesType, idType } from '#sql/dialect.ts';
import type { Migration } from '#sql/sql.ts';

export const applicationsMigration: Migration = {
  number: 722,
  name: '0722-applications',
  async up(transaction, dialect) {
    await sql`create table application (
      id ${idType(dialect)},
      token_hash ${sql.raw(bytesType(dialect))} not null unique,
      name text not null,
      name_key text not null,
      password_hash text not null,
      words text not null,
      state text not null,
      reason text not null,
      member_id bigint,
      staff_id bigint,
      created_ms bigint not null,
      decided_ms bigint
    )`.execute(transaction);
    await sql`create index application_state on application (state, id)`.execute(transaction);
    await sql`create unique index application_name on application (name_key) where state = 'waiting'`.execute(
      transaction,
    );
  },
};
