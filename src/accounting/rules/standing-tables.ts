// The tables of standings: where each member stands, why, and every transition there ever was.

import { sql, type Transaction } from 'kysely';
import { idType } from '#sql/dialect.ts';
import type { Dialect } from '#sql/sql.ts';

export interface StandingTables {
  member_standing: StandingRow;
  standing_event: StandingEventRow;
}

export interface StandingRow {
  member_id: number;
  state: string;
  /** Unix milliseconds, as all times here. */
  since_ms: number;
  /** 0 when no watch is under way. */
  watch_ends_ms: number;
  watch_from_bytes: number;
  watches: number;
  checked_ms: number;
  /** JSON: the strategy's name, its verdict and the findings. */
  verdict: string;
}

export interface StandingEventRow {
  id: number;
  member_id: number;
  at_ms: number;
  from_state: string;
  to_state: string;
  reason: string;
}

export async function createStandingTables(
  transaction: Transaction<Record<string, never>>,
  dialect: Dialect,
): Promise<void> {
  const { schema } = transaction;
  await schema
    .createTable('member_standing')
    .addColumn('member_id', 'bigint', (column) => column.primaryKey())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('since_ms', 'bigint', (column) => column.notNull())
    .addColumn('watch_ends_ms', 'bigint', (column) => column.notNull())
    .addColumn('watch_from_bytes', 'bigint', (column) => column.notNull())
    .addColumn('watches', 'integer', (column) => column.notNull())
    .addColumn('checked_ms', 'bigint', (column) => column.notNull())
    .addColumn('verdict', 'text', (column) => column.notNull())
    .execute();
  await sql`create table standing_event (
    id ${idType(dialect)},
    member_id bigint not null,
    at_ms bigint not null,
    from_state text not null,
    to_state text not null,
    reason text not null
  )`.execute(transaction);
  await sql`create index standing_event_member on standing_event (member_id, id)`.execute(
    transaction,
  );
}
