// The stored .torrent file, and the one a member gets: the same bytes but for the announce URLs, which
// carry the member's passkey.

import { assert } from '#base/assert.ts';
import type { MemberAnnounceUrls } from '#site/announce-urls.ts';
import type { Sql } from '#sql/sql.ts';
import { rewriteTorrent } from '#wire/metainfo-rewrite.ts';
import type { CatalogueTables } from './catalogue-tables.ts';

/** As it was saved, without a tracker in it. Also of removed torrents. Undefined for unknown ids. */
export async function torrentFile(sql: Sql, torrentId: number): Promise<Uint8Array | undefined> {
  const row = await sql
    .read<CatalogueTables>()
    .selectFrom('torrent_file')
    .select('bytes')
    .where('torrent_id', '=', torrentId)
    .executeTakeFirst();
  return row?.bytes;
}

/** For one member: HTTP in the first tier, then UDP, then WebSocket. The info dictionary is untouched. */
export async function torrentFileFor(
  sql: Sql,
  torrentId: number,
  urls: MemberAnnounceUrls,
): Promise<Uint8Array | undefined> {
  const stored = await torrentFile(sql, torrentId);
  if (stored === undefined) return undefined;
  const tiers = [urls.http, urls.udp, urls.ws]
    .filter((url) => url !== undefined)
    .map((url) => [url]);
  const made = rewriteTorrent(stored, { announceTiers: tiers });
  assert(made.ok && !made.hashChanged, 'a stored torrent can be given out as it is');
  return made.bytes;
}

/** A name for the download that every system can keep: `Some title.torrent`. */
export function torrentFileName(title: string): string {
  const safe = title
    .replace(/[\p{Cc}\p{Cf}\\/:*?"<>|]+/gu, ' ')
    .replace(/\s+/g, ' ')
    .replace(/^[. ]+|[. ]+$/g, '');
  return `${[...safe].slice(0, 60).join('').trimEnd() || 'torrent'}.torrent`;
}
