// Tokens by which programs act for a member, each shown once and kept as its hash.

import { sql } from 'kysely';
import { bytesType, idType } from '#sql/dialect.ts';
import type { Migration } from '#sql/sql.ts';

export const apiTokensMigration: Migration = {
  number: 360,
  name: '0360-api-tokens',
  async up(transaction, dialect) {
    await sql`create table api_token (
      id ${idType(dialect)},
      member_id bigint not null,
      token_hash ${sql.raw(bytesType(dialect))} not null unique,
      label text not null,
      created_ms bigint not null
    )`.execute(transaction);
    await sql`create index api_token_member on api_token (member_id)`.execute(transaction);
  },
};
