// Members whose addresses are written nowhere, and members of whom everything personal was erased.

import { sql } from 'kysely';
import type { Migration } from '#sql/sql.ts';

export const privacyMigration: Migration = {
  number: 340,
  name: '0340-privacy',
  async up(transaction) {
    await sql`alter table member add column is_protected integer not null default 0`.execute(
      transaction,
    );
    await sql`alter table member add column erased_ms bigint`.execute(transaction);
    await sql`create index member_addressless on member (id) where is_protected = 1 or erased_ms is not null`.execute(
      transaction,
    );
  },
};
