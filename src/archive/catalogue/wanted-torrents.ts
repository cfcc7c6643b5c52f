// Torrents that the archive shall keep and does not have yet: who is next, how far each is, and the step
// from wanted to kept.

import type { Transaction } from 'kysely';
import type { WrittenFile } from '#archive/content/file-writer.ts';
import { queueChange } from '#archive/events/event-tables.ts';
import type { Sql } from '#sql/sql.ts';
import type { ArchiveTables } from './archive-tables.ts';
import { saveFile } from './kept-torrents.ts';

export interface WantedTorrent {
  readonly torrentId: number;
  /** Unix milliseconds. */
  readonly wantedMs: number;
  /** Why it cannot be taken; empty while it can. */
  readonly problem: string;
}

/** False when it is wanted or kept already. */
export async function wantTorrent(sql: Sql, torrentId: number, nowMs: number): Promise<boolean> {
  return await sql.transaction<ArchiveTables, boolean>(async (transaction) => {
    const kept = await transaction
      .selectFrom('archive_torrent')
      .select('torrent_id')
      .where('torrent_id', '=', torrentId)
      .executeTakeFirst();
    if (kept !== undefined) return false;
    const { numInsertedOrUpdatedRows } = await transaction
      .insertInto('archive_wanted')
      .values({ torrent_id: torrentId, wanted_ms: nowMs, problem: '' })
      .onConflict((of) => of.column('torrent_id').doNothing())
      .executeTakeFirst();
    if ((numInsertedOrUpdatedRows ?? 0n) === 0n) return false;
    await queueChange(transaction, { kind: 'want', torrentId, nowMs });
    return true;
  });
}

/** False when it was not wanted. What was taken of it is garbage then. */
export async function unwantTorrent(sql: Sql, torrentId: number, nowMs = 0): Promise<boolean> {
  return await sql.transaction<ArchiveTables, boolean>(async (transaction) => {
    if (!(await removeWanted(transaction, torrentId))) return false;
    await queueChange(transaction, { kind: 'drop', torrentId, nowMs });
    return true;
  });
}

async function removeWanted(
  transaction: Transaction<ArchiveTables>,
  torrentId: number,
): Promise<boolean> {
  const { numDeletedRows } = await transaction
    .deleteFrom('archive_wanted')
    .where('torrent_id', '=', torrentId)
    .executeTakeFirst();
  return numDeletedRows > 0n;
}

/** Oldest first, those with a problem left out. */
export async function wantedTorrents(sql: Sql, max: number): Promise<readonly WantedTorrent[]> {
  const rows = await sql
    .read<ArchiveTables>()
    .selectFrom('archive_wanted')
    .selectAll()
    .where('problem', '=', '')
    .orderBy('wanted_ms')
    .orderBy('torrent_id')
    .limit(max)
    .execute();
  return rows.map(wantedOf);
}

/** Undefined when it is not wanted, or kept by now. */
export async function wantedTorrent(
  sql: Sql,
  torrentId: number,
): Promise<WantedTorrent | undefined> {
  const row = await sql
    .read<ArchiveTables>()
    .selectFrom('archive_wanted')
    .selectAll()
    .where('torrent_id', '=', torrentId)
    .executeTakeFirst();
  return row === undefined ? undefined : wantedOf(row);
}

function wantedOf(row: ArchiveTables['archive_wanted']): WantedTorrent {
  return { torrentId: row.torrent_id, wantedMs: row.wanted_ms, problem: row.problem };
}

/** It is not tried again until it is wanted anew. */
export async function setProblem(sql: Sql, torrentId: number, problem: string): Promise<void> {
  await sql.transaction<ArchiveTables, void>(async (transaction) => {
    await transaction
      .updateTable('archive_wanted')
      .set({ problem })
      .where('torrent_id', '=', torrentId)
      .execute();
  });
}

/** Positions of the files that were taken already. */
export async function takenFiles(sql: Sql, torrentId: number): Promise<ReadonlySet<number>> {
  const rows = await sql
    .read<ArchiveTables>()
    .selectFrom('archive_taken')
    .select('position')
    .where('torrent_id', '=', torrentId)
    .execute();
  return new Set(rows.map((row) => row.position));
}

/** Nothing when the torrent is no longer wanted. `written` is undefined for an empty file. */
export async function saveTaken(
  sql: Sql,
  taken: {
    readonly torrentId: number;
    readonly position: number;
    readonly written: WrittenFile | undefined;
    readonly nowMs: number;
  },
): Promise<void> {
  const { torrentId, position, written, nowMs } = taken;
  await sql.transaction<ArchiveTables, void>(async (transaction) => {
    if (!(await isWantedIn(transaction, torrentId))) return;
    const fileId = written === undefined ? null : await saveFile(transaction, written, nowMs);
    await transaction
      .insertInto('archive_taken')
      .values({ torrent_id: torrentId, position, file_id: fileId })
      .onConflict((of) => of.columns(['torrent_id', 'position']).doUpdateSet({ file_id: fileId }))
      .execute();
  });
}

async function isWantedIn(transaction: Transaction<ArchiveTables>, torrentId: number) {
  const row = await transaction
    .selectFrom('archive_wanted')
    .select('torrent_id')
    .where('torrent_id', '=', torrentId)
    .executeTakeFirst();
  return row !== undefined;
}

/** Everything was taken: it is kept now. False when it was no longer wanted, or lacks a file. */
export async function keepTaken(
  sql: Sql,
  torrent: { readonly id: number; readonly files: number; readonly nowMs: number },
): Promise<boolean> {
  const { id, files, nowMs } = torrent;
  return await sql.transaction<ArchiveTables, boolean>(async (transaction) => {
    const rows = await transaction
      .selectFrom('archive_taken')
      .select(['torrent_id', 'position', 'file_id'])
      .where('torrent_id', '=', id)
      .execute();
    if (rows.length !== files || !(await isWantedIn(transaction, id))) return false;
    await transaction
      .insertInto('archive_torrent')
      .values({ torrent_id: id, kept_ms: nowMs })
      .execute();
    for (let at = 0; at < rows.length; at += 200) {
      await transaction
        .insertInto('archive_entry')
        .values(rows.slice(at, at + 200))
        .execute();
    }
    await queueChange(transaction, { kind: 'keep', torrentId: id, nowMs });
    return await removeWanted(transaction, id);
  });
}
