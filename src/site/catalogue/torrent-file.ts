// The stored .torrent file, and the one a member gets: the same bytes but for the announce URLs, which
// carry the member's passkey.

import { isKept } from '#archive/catalogue/kept-torrents.ts';
import { SEED_PREFIX } from '#archive/web-seed/seed-request.ts';
import { assert } from '#base/assert.ts';
import { endInTurns } from '#base/steps.ts';
import type { Member } from '#site/accounts/members.ts';
import { seedToken } from '#site/accounts/seed-token.ts';
import type { MemberAnnounceUrls } from '#site/announce-urls.ts';
import { SiteError } from '#site/errors.ts';
import type { Sql } from '#sql/sql.ts';
import { rewriteInSteps } from '#wire/metainfo-rewrite.ts';
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

/** What a member's own copy carries. */
export interface CarriedAddresses {
  readonly urls: MemberAnnounceUrls;
  /** Of the archive, when it keeps the torrent (BEP 19). */
  readonly webSeeds?: readonly string[];
}

/**
 * For one member: HTTP in the first tier, then UDP, then WebSocket. The info dictionary is untouched.
 * @throws SiteError SITE_TORRENT_UNFIT for one that was stored before such were refused
 */
export async function torrentFileFor(
  sql: Sql,
  torrentId: number,
  { urls, webSeeds = [] }: CarriedAddresses,
): Promise<Uint8Array | undefined> {
  const stored = await torrentFile(sql, torrentId);
  if (stored === undefined) return undefined;
  const tiers = [urls.http, urls.udp, urls.ws]
    .filter((url) => url !== undefined)
    .map((url) => [url]);
  const made = await endInTurns(rewriteInSteps(stored, { announceTiers: tiers, webSeeds }));
  if (!made.ok) {
    throw new SiteError(
      'SITE_TORRENT_UNFIT',
      `Torrent ${torrentId} cannot be given out: ${made.reason}`,
    );
  }
  assert(!made.hashChanged, 'a stored torrent can be given out as it is');
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

/**
 * Where a member's client finds the torrent's content when the archive keeps it: one address, ended by a
 * slash, which clients complete with the torrent's name and the paths of its files.
 */
export async function webSeedsFor(
  sql: Sql,
  torrent: { readonly id: number; readonly infoHash: string },
  of: { readonly member: Pick<Member, 'id' | 'passkey'>; readonly siteUrl: string },
): Promise<readonly string[]> {
  if (of.member.passkey === '' || !(await isKept(sql, torrent.id))) return [];
  const token = seedToken(of.member, torrent.infoHash);
  return [`${of.siteUrl}${SEED_PREFIX}${token}/${torrent.infoHash}/`];
}
