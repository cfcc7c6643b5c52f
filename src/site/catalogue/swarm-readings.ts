// Saves what the swarms look like beside each torrent, so that the list can be sorted by seeders,
// leechers and downloads. Pages show the live counts; only the order may be a minute old.

import type { Swarms } from '#site/swarms.ts';
import { lockForTransaction } from '#sql/dialect.ts';
import type { Sql } from '#sql/sql.ts';
import type { CatalogueTables } from './catalogue-tables.ts';
import { blockOf } from './id-block.ts';
import { countSwarmsWrite } from './index-versions.ts';
import { noteSavedCounts, type SavedCounts } from './torrent-values.ts';

const ROWS_AT_ONCE = 1000;

/** One pass over all torrents. Writes only what changed; returns how many rows that were. */
export async function saveSwarmCounts(
  sql: Sql,
  swarms: Pick<Swarms, 'counts'>,
  signal?: AbortSignal,
): Promise<number> {
  let saved = 0;
  for (let after = 0; ; ) {
    signal?.throwIfAborted();
    const rows = await sql
      .read<CatalogueTables>()
      .selectFrom('torrent')
      .select(['id', 'seeders', 'leechers', 'completed'])
      .where('removed_ms', 'is', null)
      .where('id', '>', after)
      .orderBy('id')
      .limit(ROWS_AT_ONCE)
      .execute();
    const changed = rows.flatMap((row) => {
      const { seeders, leechers, completed } = swarms.counts(row.id) ?? {
        seeders: 0,
        leechers: 0,
        completed: row.completed,
      };
      const isSame =
        seeders === row.seeders && leechers === row.leechers && completed === row.completed;
      return isSame ? [] : [{ id: row.id, seeders, leechers, completed }];
    });
    for (const [block, counts] of Map.groupBy(changed, ({ id }) => blockOf(id))) {
      await saveCounts(sql, block, counts);
    }
    saved += changed.length;
    const last = rows.at(-1);
    if (last === undefined || rows.length < ROWS_AT_ONCE) return saved;
    after = last.id;
  }
}

/** Of torrents of one block of the search index. */
async function saveCounts(sql: Sql, block: number, changed: readonly SavedCounts[]): Promise<void> {
  const version = await sql.transaction<CatalogueTables, number>(async (transaction) => {
    await lockForTransaction(transaction, 'swarmCounts');
    for (const { id, ...counts } of changed) {
      await transaction.updateTable('torrent').set(counts).where('id', '=', id).execute();
    }
    return await countSwarmsWrite(transaction, block);
  });
  noteSavedCounts(sql.read(), { block, version, counts: changed });
}
