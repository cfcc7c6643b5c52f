// Web seeds of others that a wanted torrent may be taken from; they go with the wish.

import type { Sql } from '#sql/sql.ts';
import type { ArchiveTables } from './archive-tables.ts';

export const WEB_SOURCES_MAX = 8;
const URL_CHARS_MAX = 2000;

/** http or https, without a name and password, a query or a fragment, to which paths can be added. */
export function isWebSource(text: string): boolean {
  if (text.length > URL_CHARS_MAX || !URL.canParse(text) || /[?#]/.test(text)) return false;
  const { protocol, username, password } = new URL(text);
  return (protocol === 'http:' || protocol === 'https:') && username === '' && password === '';
}

/** Those that were given before stay, WEB_SOURCES_MAX in all. Nothing when the torrent is not wanted. */
export async function addWebSources(
  sql: Sql,
  torrentId: number,
  urls: readonly string[],
): Promise<void> {
  await sql.transaction<ArchiveTables, void>(async (transaction) => {
    const wanted = await transaction
      .selectFrom('archive_wanted')
      .select('torrent_id')
      .where('torrent_id', '=', torrentId)
      .executeTakeFirst();
    const known = await transaction
      .selectFrom('archive_source')
      .select('url')
      .where('torrent_id', '=', torrentId)
      .execute();
    const room = wanted === undefined ? 0 : WEB_SOURCES_MAX - known.length;
    for (const url of urls.slice(0, Math.max(0, room))) {
      await transaction
        .insertInto('archive_source')
        .values({ torrent_id: torrentId, url })
        .onConflict((of) => of.columns(['torrent_id', 'url']).doNothing())
        .execute();
    }
  });
}

export async function webSourcesOf(sql: Sql, torrentId: number): Promise<readonly string[]> {
  const rows = await sql
    .read<ArchiveTables>()
    .selectFrom('archive_source')
    .select('url')
    .where('torrent_id', '=', torrentId)
    .orderBy('url')
    .execute();
  return rows.map((row) => row.url);
}
