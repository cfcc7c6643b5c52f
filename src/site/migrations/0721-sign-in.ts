// What sign-in may ask for beside the password, and the ways back for those who lost something: codes of
// an app (TOTP) with recovery codes, keys of devices (WebAuthn), half-done sign-ins, e-mail addresses,
// and links that are sent. Whatever only needs recognising is kept as SHA-256.

import { sql, type Transaction } from 'kysely';
import { bytesType, idType } from '#sql/dialect.ts';
import type { Dialect, Migration } from '#sql/sql.ts';

type Schema = Transaction<Record<string, never>>;

export const signInMigration: Migration = {
  number: 721,
  name: '0721-sign-in',
  async up(transaction, dialect) {
    await createSecondFactors(transaction, dialect);
    await createKeysAndSteps(transaction, dialect);
    await createLinks(transaction, dialect);
  },
};

async function createSecondFactors(schema: Schema, dialect: Dialect): Promise<void> {
  const bytes = sql.raw(bytesType(dialect));
  await sql`create table second_factor (
    member_id bigint primary key references member (id),
    secret ${bytes} not null,
    is_on integer not null,
    last_step bigint not null,
    failures integer not null,
    failures_from_ms bigint not null,
    created_ms bigint not null
  )`.execute(schema);
  await sql`create table recovery_code (
    id ${idType(dialect)},
    member_id bigint not null references member (id),
    code_hash ${bytes} not null,
    used_ms bigint
  )`.execute(schema);
  await sql`create index recovery_code_member on recovery_code (member_id)`.execute(schema);
}

async function createKeysAndSteps(schema: Schema, dialect: Dialect): Promise<void> {
  const bytes = sql.raw(bytesType(dialect));
  await sql`create table sign_in_key (
    id ${idType(dialect)},
    member_id bigint not null references member (id),
    credential text not null unique,
    public_key ${bytes} not null,
    algorithm integer not null,
    uses bigint not null,
    label text not null,
    created_ms bigint not null,
    used_ms bigint
  )`.execute(schema);
  await sql`create index sign_in_key_member on sign_in_key (member_id)`.execute(schema);
  await sql`create table sign_in_step (
    id ${idType(dialect)},
    token_hash ${bytes} not null unique,
    member_id bigint references member (id),
    purpose text not null,
    detail text not null,
    next text not null,
    attempts integer not null,
    expires_ms bigint not null
  )`.execute(schema);
  await sql`create index sign_in_step_expires on sign_in_step (expires_ms)`.execute(schema);
}

async function createLinks(schema: Schema, dialect: Dialect): Promise<void> {
  await sql`create table member_email (
    member_id bigint primary key references member (id),
    address text not null,
    address_key text not null unique,
    confirmed_ms bigint not null
  )`.execute(schema);
  await sql`create table account_link (
    id ${idType(dialect)},
    token_hash ${sql.raw(bytesType(dialect))} not null unique,
    member_id bigint not null references member (id),
    purpose text not null,
    address text not null,
    staff_id bigint,
    created_ms bigint not null,
    expires_ms bigint not null
  )`.execute(schema);
  await sql`create index account_link_member on account_link (member_id)`.execute(schema);
}
