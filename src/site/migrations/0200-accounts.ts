// Members, their keys, sessions and invites, and the settings that the operator changes while the
// site runs. Ids of members are never used again, because the trackers and the log know members by
// them. Secrets that only need recognising (session tokens, invite codes) are stored as SHA-256.

import { sql, type Transaction } from 'kysely';
import { bytesType, idType } from '#sql/dialect.ts';
import type { Dialect, Migration } from '#sql/sql.ts';

type Schema = Transaction<Record<string, never>>;

export const accountsMigration: Migration = {
  number: 200,
  name: '0200-accounts',
  async up(transaction, dialect) {
    await createMembers(transaction, dialect);
    await createSessions(transaction, dialect);
    await createInvites(transaction, dialect);
    await sql`create table setting (
      name text primary key,
      value text not null
    )`.execute(transaction);
  },
};

async function createMembers(schema: Schema, dialect: Dialect): Promise<void> {
  await sql`create table member (
    id ${idType(dialect)},
    name text not null,
    name_key text not null unique,
    role text not null,
    state text not null,
    reason text not null,
    password_hash text,
    invited_by bigint,
    created_ms bigint not null,
    seen_ms bigint
  )`.execute(schema);
  await sql`create table member_key (
    passkey text primary key,
    member_id bigint not null references member (id),
    created_ms bigint not null
  )`.execute(schema);
  await sql`create index member_key_member on member_key (member_id)`.execute(schema);
}

async function createSessions(schema: Schema, dialect: Dialect): Promise<void> {
  await sql`create table session (
    id ${idType(dialect)},
    member_id bigint not null references member (id),
    token_hash ${sql.raw(bytesType(dialect))} not null unique,
    created_ms bigint not null,
    seen_ms bigint not null,
    expires_ms bigint not null,
    address text not null,
    device text not null
  )`.execute(schema);
  await sql`create index session_member on session (member_id)`.execute(schema);
  await sql`create index session_expires on session (expires_ms)`.execute(schema);
}

async function createInvites(schema: Schema, dialect: Dialect): Promise<void> {
  await sql`create table invite (
    id ${idType(dialect)},
    member_id bigint not null references member (id),
    code_hash ${sql.raw(bytesType(dialect))} not null unique,
    note text not null,
    created_ms bigint not null,
    expires_ms bigint not null,
    used_by bigint references member (id),
    used_ms bigint,
    revoked_ms bigint
  )`.execute(schema);
  await sql`create index invite_member on invite (member_id)`.execute(schema);
}
