// Tells the trackers about every torrent again; for when the log and the database went apart.

import { enqueue } from '#sql/outbox.ts';
import type { Sql } from '#sql/sql.ts';
import type { CatalogueTables } from './catalogue-tables.ts';
import { findTorrentIn, type Torrent } from './find-torrent.ts';
import { torrentMessage } from './torrents.ts';

const TORRENTS_AT_ONCE = 200;

/** Removed ones too, so that their clients read why. Returns how many there are. */
export async function enqueueAllTorrents(sql: Sql): Promise<number> {
  let told = 0;
  for (let after = 0; ; ) {
    const from = after;
    const torrents = await sql.transaction<CatalogueTables, readonly Torrent[]>(
      async (transaction) => {
        const rows = await transaction
          .selectFrom('torrent')
          .select('id')
          .where('id', '>', from)
          .orderBy('id')
          .limit(TORRENTS_AT_ONCE)
          .execute();
        const page: Torrent[] = [];
        for (const { id } of rows) {
          const torrent = await findTorrentIn(transaction, id);
          if (torrent !== undefined) page.push(torrent);
        }
        await enqueue(transaction, page.map(torrentMessage));
        return page;
      },
    );
    told += torrents.length;
    const last = torrents.at(-1);
    if (last === undefined || torrents.length < TORRENTS_AT_ONCE) return told;
    after = last.id;
  }
}
