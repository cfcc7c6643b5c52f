// A torrent's magnet link, where the operator allows them: its hashes, its name and the member's own
// announce URLs. It is made when it is asked for, so that no page holds the key in it.

import { downloadKeyFor } from '#site/accounts/download-keys.ts';
import { findMemberById, type Member } from '#site/accounts/members.ts';
import {
  type MemberAnnounceUrls,
  memberAnnounceUrls,
  urlsInTorrents,
} from '#site/announce-urls.ts';
import { ERROR_WORDS } from '#site/error-pages.ts';
import type { Visit } from '#site/visit.ts';
import { findTorrentByHash, type Torrent } from './find-torrent.ts';

const GONE = 'This torrent was removed.';

/** Redirects to the link, which the browser gives to a client. */
export async function magnetPage(visit: Visit): Promise<Response> {
  const torrent = await findTorrentByHash(visit.parts.sql, visit.param('hash'));
  if (torrent === undefined || !visit.parts.config.magnets) return await visit.notFound();
  if (torrent.removedMs !== undefined) return await visit.notFound(GONE);
  const carried = await carriedUrls(visit, torrent.id, visit.signedIn().memberId);
  if (carried === undefined) return await visit.error(ERROR_WORDS.forbidden);
  const location = magnetLink(torrent, carried.urls);
  return new Response(null, { status: 302, headers: { location, 'cache-control': 'no-store' } });
}

/** BEP 9, and BEP 52 for v2; trackers in the order of their tiers. */
export function magnetLink(torrent: Torrent, urls: MemberAnnounceUrls): string {
  const { infoHashV1: v1, infoHashV2: v2, name, sizeBytes } = torrent;
  const fields = [
    ...(v1 === undefined ? [] : [`xt=urn:btih:${v1}`]),
    // 0x12 is SHA-256, 0x20 its length: a multihash.
    ...(v2 === undefined ? [] : [`xt=urn:btmh:1220${v2}`]),
    `dn=${encodeURIComponent(name.toWellFormed())}`,
    `xl=${sizeBytes}`,
    ...[urls.http, urls.udp, urls.ws].flatMap((url) =>
      url === undefined ? [] : [`tr=${encodeURIComponent(url)}`],
    ),
  ];
  return `magnet:?${fields.join('&')}`;
}

/**
 * The member and the announce URLs that their copy of a torrent carries, with a key of its own where
 * `site.downloadKeys` is on. Undefined for a member who has no key.
 */
export async function carriedUrls(
  visit: Visit,
  torrentId: number,
  memberId: number,
): Promise<{ readonly member: Member; readonly urls: MemberAnnounceUrls } | undefined> {
  const { sql, config } = visit.parts;
  const member = await findMemberById(sql, memberId);
  if (member === undefined || member.passkey === '') return undefined;
  const key = config.downloadKeys
    ? await downloadKeyFor(visit.parts, { memberId, torrentId })
    : member.passkey;
  const urls = memberAnnounceUrls(visit.addresses.tracker, key);
  return { member, urls: urlsInTorrents(urls, config) };
}
