// The table of pins: blobs that stay because somebody said so.

import { type Kysely, sql } from 'kysely';
import type { Dialect } from '#sql/sql.ts';

export interface PinTables {
  store_pin: PinRow;
}

export interface PinRow {
  /** `sha256-` and 64 hex digits. */
  ref: string;
  /** Why it stays, for people: the name of the file that was put. */
  note: string;
  /** Unix milliseconds. */
  pinned_ms: number;
}

export async function createPinTables(
  executor: Kysely<Record<string, never>>,
  dialect: Dialect,
): Promise<void> {
  // Names are compared as bytes on both databases: they are read in pages, in their order.
  const byBytes = sql.raw(dialect === 'postgres' ? ' collate "C"' : '');
  await sql`create table store_pin (
    ref text${byBytes} primary key,
    note text not null,
    pinned_ms bigint not null
  )`.execute(executor);
}
