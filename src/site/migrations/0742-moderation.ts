// What moderators keep about members: warnings and notes; bans that end by themselves; banned networks.

import { sql } from 'kysely';
import { idType } from '#sql/dialect.ts';
import type { Migration } from '#sql/sql.ts';

export const moderationMigration: Migration = {
  number: 742,
  name: '0742-moderation',
  async up(transaction, dialect) {
    await sql`alter table member add column banned_until_ms bigint`.execute(transaction);
    await sql`create index member_banned_until on member (banned_until_ms)
      where banned_until_ms is not null`.execute(transaction);
    await sql`create table warning (
      id ${idType(dialect)},
      member_id bigint not null,
      reason text not null,
      given_by bigint not null,
      given_ms bigint not null,
      expires_ms bigint not null,
      withdrawn_ms bigint
    )`.execute(transaction);
    await sql`create index warning_member on warning (member_id, id)`.execute(transaction);
    await sql`create table member_note (
      id ${idType(dialect)},
      member_id bigint not null,
      text text not null,
      written_by bigint not null,
      written_ms bigint not null
    )`.execute(transaction);
    await sql`create index member_note_member on member_note (member_id, id)`.execute(transaction);
    await sql`create table address_ban (
      id ${idType(dialect)},
      network text not null,
      reason text not null,
      banned_by bigint not null,
      from_ms bigint not null,
      until_ms bigint,
      ended_ms bigint
    )`.execute(transaction);
    await sql`create unique index address_ban_open on address_ban (network)
      where ended_ms is null`.execute(transaction);
  },
};
