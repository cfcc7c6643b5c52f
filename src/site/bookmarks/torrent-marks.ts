// Marks that a member sets on a torrent and takes away again: a bookmark, which is theirs alone, and
// thanks, which everybody sees.

import type { Clock } from '#base/clock.ts';
import type { Sql } from '#sql/sql.ts';

interface MarkTable {
  member_id: number;
  torrent_id: number;
  created_ms: number;
}

interface MarkTables {
  bookmark: MarkTable;
  thanks: MarkTable;
}

export type Mark = keyof MarkTables;

/** Of one member; the oldest has to go first. */
export const BOOKMARKS_MAX = 10_000;

interface Which {
  readonly memberId: number;
  readonly torrentId: number;
}

/** Twice is once. */
export async function setMark(
  world: { readonly sql: Sql; readonly clock: Clock },
  mark: Mark,
  { memberId, torrentId }: Which,
): Promise<void> {
  const row = { member_id: memberId, torrent_id: torrentId, created_ms: world.clock.nowMs() };
  await world.sql.transaction<MarkTables, void>(async (transaction) => {
    await transaction
      .insertInto(mark)
      .values(row)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  });
}

export async function removeMark(sql: Sql, mark: Mark, which: Which): Promise<void> {
  await sql.transaction<MarkTables, void>(async (transaction) => {
    await transaction
      .deleteFrom(mark)
      .where('member_id', '=', which.memberId)
      .where('torrent_id', '=', which.torrentId)
      .execute();
  });
}

export async function hasMark(sql: Sql, mark: Mark, which: Which): Promise<boolean> {
  const row = await sql
    .read<MarkTables>()
    .selectFrom(mark)
    .select('torrent_id')
    .where('member_id', '=', which.memberId)
    .where('torrent_id', '=', which.torrentId)
    .executeTakeFirst();
  return row !== undefined;
}

/** How many members set it on a torrent. */
export async function countMarks(sql: Sql, mark: Mark, torrentId: number): Promise<number> {
  const row = await sql
    .read<MarkTables>()
    .selectFrom(mark)
    .select((of) => of.fn.countAll<number>().as('rows'))
    .where('torrent_id', '=', torrentId)
    .executeTakeFirstOrThrow();
  return row.rows;
}

/** Torrents that a member marked, the newest mark first, and when. */
export async function markedBy(
  sql: Sql,
  mark: Mark,
  memberId: number,
): Promise<ReadonlyMap<number, number>> {
  const rows = await sql
    .read<MarkTables>()
    .selectFrom(mark)
    .select(['torrent_id', 'created_ms'])
    .where('member_id', '=', memberId)
    .orderBy('created_ms', 'desc')
    .orderBy('torrent_id', 'desc')
    .limit(BOOKMARKS_MAX)
    .execute();
  return new Map(rows.map((row) => [row.torrent_id, row.created_ms]));
}
