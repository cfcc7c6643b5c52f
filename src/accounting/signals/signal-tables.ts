// The table of cheat signals: one row for each member, torrent and kind that a moderator has not
// looked at, counted up as it happens again.

import { sql, type Transaction } from 'kysely';
import { idType } from '#sql/dialect.ts';
import type { Dialect } from '#sql/sql.ts';

export interface SignalRow {
  id: number;
  member_id: number;
  /** 0 when it is about no single torrent. */
  torrent_id: number;
  kind: string;
  /** Unix milliseconds, as all times here. */
  first_ms: number;
  last_ms: number;
  times: number;
  /** JSON: the numbers of the last time. */
  evidence: string;
  /** 0 while nobody dismissed it. */
  dismissed_ms: number;
  dismissed_by: number;
}

export interface SignalTables {
  cheat_signal: SignalRow;
}

export async function createSignalTables(
  transaction: Transaction<Record<string, never>>,
  dialect: Dialect,
): Promise<void> {
  await sql`create table cheat_signal (
    id ${idType(dialect)},
    member_id bigint not null,
    torrent_id bigint not null,
    kind text not null,
    first_ms bigint not null,
    last_ms bigint not null,
    times bigint not null,
    evidence text not null,
    dismissed_ms bigint not null default 0,
    dismissed_by bigint not null default 0,
    unique (member_id, torrent_id, kind, dismissed_ms)
  )`.execute(transaction);
  await sql`create index cheat_signal_open on cheat_signal (last_ms) where dismissed_ms = 0`.execute(
    transaction,
  );
}
