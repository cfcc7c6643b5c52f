// Torrents that ask nothing of those who took them: a moderator's word, heard by every strategy that
// looks at single torrents, from the next judgement on.

import type { CatalogueTables } from '#site/catalogue/catalogue-tables.ts';
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

export async function setExempt(sql: Sql, torrentId: number, exempt: boolean): Promise<void> {
  await sql.transaction<CatalogueTables, void>(async (transaction) => {
    await transaction
      .updateTable('torrent')
      .set({ is_exempt: exempt ? 1 : 0 })
      .where('id', '=', torrentId)
      .execute();
  });
}
