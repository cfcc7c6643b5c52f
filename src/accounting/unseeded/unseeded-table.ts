// Torrents that nobody seeds, and since when.

import { type Kysely, sql, type Transaction } from 'kysely';
import type { Unseeded } from './unseeded-watch.ts';

export interface UnseededTables {
  unseeded_torrent: {
    torrent_id: number;
    /** Unix milliseconds. */
    since_ms: number;
    /** 0: nobody was told yet. */
    warned_ms: number;
  };
}

export async function createUnseededTable(
  transaction: Transaction<Record<string, never>>,
): Promise<void> {
  await sql`create table unseeded_torrent (
    torrent_id bigint not null primary key,
    since_ms bigint not null,
    warned_ms bigint not null
  )`.execute(transaction);
}

/** Those of the torrents that are known to be unseeded. */
export async function unseededOf(
  executor: Kysely<UnseededTables>,
  torrentIds: readonly number[],
): Promise<ReadonlyMap<number, Unseeded>> {
  if (torrentIds.length === 0) return new Map();
  const rows = await executor
    .selectFrom('unseeded_torrent')
    .selectAll()
    .where('torrent_id', 'in', torrentIds)
    .execute();
  return new Map(
    rows.map((row) => [row.torrent_id, { sinceMs: row.since_ms, warnedMs: row.warned_ms }]),
  );
}
