// The tables of syncs between stores: what each remembers, and what it could not copy.

import { type Kysely, sql } from 'kysely';
import type { Dialect } from '#sql/sql.ts';

export interface SyncTables {
  store_sync: SyncRow;
  store_sync_failure: SyncFailureRow;
}

export interface SyncRow {
  /** The line of stores that it copies to. */
  sync: string;
  is_owed: number;
  prefix: number | null;
  /** Numbers, with commas between. */
  failed_prefixes: string;
  compared_ms: number | null;
  sampled_ms: number | null;
}

export interface SyncFailureRow {
  sync: string;
  ref: string;
  code: string;
  first_ms: number;
  last_ms: number;
  tries: number;
  is_copied: number;
  is_acknowledged: number;
}

export async function createSyncTables(
  executor: Kysely<Record<string, never>>,
  dialect: Dialect,
): Promise<void> {
  // Names are compared as bytes on both databases: they are read in pages, in their order.
  const byBytes = sql.raw(dialect === 'postgres' ? ' collate "C"' : '');
  await sql`create table store_sync (
    sync text${byBytes} primary key,
    is_owed integer not null,
    prefix integer,
    failed_prefixes text not null,
    compared_ms bigint,
    sampled_ms bigint
  )`.execute(executor);
  await sql`create table store_sync_failure (
    sync text${byBytes} not null,
    ref text${byBytes} not null,
    code text not null,
    first_ms bigint not null,
    last_ms bigint not null,
    tries bigint not null,
    is_copied integer not null,
    is_acknowledged integer not null,
    primary key (sync, ref)
  )`.execute(executor);
}
