// The tables of classes: where each member is, and every step there ever was.

import { sql, type Transaction } from 'kysely';
import { idType } from '#sql/dialect.ts';
import type { Dialect } from '#sql/sql.ts';

export interface ClassTables {
  member_class: ClassRow;
  class_event: ClassEventRow;
}

export interface ClassRow {
  member_id: number;
  name: string;
  /** Unix milliseconds, as all times here. */
  since_ms: number;
  warned_until_ms: number;
}

export interface ClassEventRow {
  id: number;
  member_id: number;
  at_ms: number;
  step: string;
  from_name: string;
  to_name: string;
}

export async function createClassTables(
  transaction: Transaction<Record<string, never>>,
  dialect: Dialect,
): Promise<void> {
  await sql`create table member_class (
    member_id bigint not null primary key,
    name text not null,
    since_ms bigint not null,
    warned_until_ms bigint not null
  )`.execute(transaction);
  await sql`create table class_event (
    id ${idType(dialect)},
    member_id bigint not null,
    at_ms bigint not null,
    step text not null,
    from_name text not null,
    to_name text not null
  )`.execute(transaction);
  await sql`create index class_event_member on class_event (member_id, id)`.execute(transaction);
}
