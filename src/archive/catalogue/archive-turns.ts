// When the archive began and ceased to keep a torrent. Signed events tell the same to the log, where
// nothing can be asked for by its torrent.

import { type Generated, sql as raw, type Transaction } from 'kysely';
import type { Sql } from '#sql/sql.ts';

export interface TurnTables {
  archive_turn: {
    id: Generated<number>;
    torrent_id: number;
    kind: 'keep' | 'drop';
    /** Unix milliseconds. */
    at_ms: number;
  };
}

export interface ArchiveTurn {
  readonly id: number;
  readonly kind: 'keep' | 'drop';
  /** Unix milliseconds. */
  readonly atMs: number;
}

/** Nothing when it is so already: what is kept anew was kept all the time. */
export async function noteTurn<Tables>(
  transaction: Transaction<Tables>,
  turn: Omit<ArchiveTurn, 'id'> & { readonly torrentId: number },
): Promise<void> {
  const tables = transaction as unknown as Transaction<TurnTables>;
  const { torrentId, kind, atMs } = turn;
  const last = await tables
    .selectFrom('archive_turn')
    .select('kind')
    .where('torrent_id', '=', torrentId)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  if ((last?.kind ?? 'drop') === kind) return;
  const row = { torrent_id: torrentId, kind, at_ms: atMs };
  await tables.insertInto('archive_turn').values(row).execute();
}

/** Of a torrent, the newest first, behind a place in that order. */
export async function listTurns(
  sql: Sql,
  torrentId: number,
  page: { readonly before: { readonly atMs: number; readonly id: number }; readonly limit: number },
): Promise<readonly ArchiveTurn[]> {
  const { before, limit } = page;
  const rows = await sql
    .read<TurnTables>()
    .selectFrom('archive_turn')
    .select(['id', 'kind', 'at_ms'])
    .where('torrent_id', '=', torrentId)
    .where(raw<boolean>`(at_ms, id) < (${before.atMs}, ${before.id})`)
    .orderBy('at_ms', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
  return rows.map(({ id, kind, at_ms: atMs }) => ({ id, kind, atMs }));
}
