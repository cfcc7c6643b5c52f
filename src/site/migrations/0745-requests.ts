// What members ask for, with the points that wait for whoever brings it.

import { sql } from 'kysely';
import { idType } from '#sql/dialect.ts';
import type { Migration } from '#sql/sql.ts';

export const requestsMigration: Migration = {
  number: 745,
  name: '0745-requests',
  async up(transaction, dialect) {
    await sql`create table request (
      id ${idType(dialect)},
      member_id bigint not null,
      title text not null,
      description text not null,
      state text not null,
      created_ms bigint not null,
      closed_ms bigint,
      torrent_id bigint
    )`.execute(transaction);
    await sql`create index request_state on request (state, id)`.execute(transaction);
    await sql`create index request_member on request (member_id, state)`.execute(transaction);
    await sql`create table request_bounty (
      request_id bigint not null,
      member_id bigint not null,
      milli_points bigint not null,
      primary key (request_id, member_id)
    )`.execute(transaction);
    await sql`create index request_bounty_member on request_bounty (member_id)`.execute(
      transaction,
    );
  },
};
