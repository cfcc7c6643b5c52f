// Keepers of copies, what they hold and what they were asked (keepers/keeper-tables.ts).

import { sql } from 'kysely';
import { bytesType, idType } from '#sql/dialect.ts';
import type { Migration } from '#sql/sql.ts';

export const keepersMigration: Migration = {
  number: 682,
  name: '0682-keepers',
  async up(transaction, dialect) {
    const bytes = sql.raw(bytesType(dialect));
    await sql`create table archive_keeper (
      id ${idType(dialect)},
      name text not null unique,
      member_id bigint not null,
      token_hash ${bytes} not null unique,
      seal_key ${bytes},
      bytes_max bigint not null,
      offered_bytes bigint not null,
      created_ms bigint not null,
      seen_ms bigint not null
    )`.execute(transaction);
    await sql`create table archive_copy (
      id ${idType(dialect)},
      keeper_id bigint not null references archive_keeper (id) on delete cascade,
      root ${bytes} not null,
      size_bytes bigint not null,
      state text not null,
      since_ms bigint not null,
      proven_ms bigint not null,
      due_ms bigint not null,
      proofs bigint not null,
      earned bigint not null,
      reason text not null,
      unique (keeper_id, root)
    )`.execute(transaction);
    await sql`create index archive_copy_root on archive_copy (root)`.execute(transaction);
    await sql`create index archive_copy_due on archive_copy (keeper_id, state, due_ms)`.execute(
      transaction,
    );
    await sql`create table archive_challenge (
      copy_id bigint primary key references archive_copy (id) on delete cascade,
      number bigint not null,
      range_start bigint not null,
      range_end bigint not null,
      nonce ${bytes} not null,
      asked_ms bigint not null
    )`.execute(transaction);
  },
};
