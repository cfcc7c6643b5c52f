// Torrents that ask nothing of those who took them: a moderator's word, heard by every strategy that
// looks at single torrents, from the next judgement on.

import type { Clock } from '#base/clock.ts';
import type { CatalogueTables } from '#site/catalogue/catalogue-tables.ts';
import { noteChange } from '#site/torrent-history/torrent-changes.ts';
import type { Sql } from '#sql/sql.ts';

export async function isExempt(sql: Sql, torrentId: number): Promise<boolean> {
  const row = await sql
    .read<CatalogueTables>()
    .selectFrom('torrent')
    .select('is_exempt')
    .where('id', '=', torrentId)
    .executeTakeFirst();
  return row?.is_exempt === 1;
}

export async function setExempt(
  { sql, clock }: { readonly sql: Sql; readonly clock: Clock },
  asked: { readonly torrentId: number; readonly isExempt: boolean; readonly memberId: number },
): Promise<void> {
  const { torrentId, isExempt, memberId } = asked;
  await sql.transaction<CatalogueTables, void>(async (transaction) => {
    const { numUpdatedRows } = await transaction
      .updateTable('torrent')
      .set({ is_exempt: isExempt ? 1 : 0 })
      .where('id', '=', torrentId)
      .where('is_exempt', '=', isExempt ? 0 : 1)
      .executeTakeFirst();
    if (numUpdatedRows === 0n) return;
    const change = { torrentId, memberId, atMs: clock.nowMs() };
    await noteChange(transaction, change, { kind: 'exempted', isExempt });
  });
}
