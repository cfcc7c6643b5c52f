// Tokens of programs get scopes, an end and the time they were last used. Those that were made before
// could use the blob store and nothing else, and stay so.

import { sql } from 'kysely';
import type { Migration } from '#sql/sql.ts';

export const tokenScopesMigration: Migration = {
  number: 720,
  name: '0720-token-scopes',
  async up(transaction) {
    await sql`alter table api_token add column scopes text not null default 'store'`.execute(
      transaction,
    );
    await sql`alter table api_token add column expires_ms bigint`.execute(transaction);
    await sql`alter table api_token add column used_ms bigint`.execute(transaction);
  },
};
