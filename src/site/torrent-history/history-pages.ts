// The page of a torrent's whole past, and its newest lines for the torrent's own page.

import { html } from 'hono/html';
import { memberNames } from '#site/accounts/members.ts';
import type { RouteHandlers } from '#site/admission.ts';
import { findTorrentByHash, type Torrent } from '#site/catalogue/find-torrent.ts';
import type { Html } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import { pager } from '#site/components/pager.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import { historyPanel, historyTable } from './history-views.ts';
import { type HistoryEntry, torrentHistory } from './torrent-history.ts';

const NEWEST = 5;
const LINES = 50;

export const historyRoutes: RouteHandlers = {
  torrentHistory: { GET: showHistory },
};

/** Also of a removed torrent: its page stays. */
export async function newestHistory(visit: Visit, torrent: Torrent): Promise<Html> {
  const { entries } = await torrentHistory(visit.parts.sql, torrent, { limit: NEWEST });
  const names = await actorNames(visit, entries);
  return historyPanel(entries, { torrent, names, nowMs: visit.nowMs });
}

/** Names of those who did it, for the staff alone. */
export async function actorNames(
  visit: Visit,
  entries: readonly HistoryEntry[],
): Promise<ReadonlyMap<number, string> | undefined> {
  if (!visit.may('moderate')) return undefined;
  const ids = entries.flatMap(({ memberId = 0 }) => (memberId === 0 ? [] : [memberId]));
  return await memberNames(visit.parts.sql, ids);
}

async function showHistory(visit: Visit): Promise<Response> {
  const torrent = await findTorrentByHash(visit.parts.sql, visit.param('hash'));
  if (torrent === undefined) return await visit.notFound();
  const { infoHash: hash, title } = torrent;
  const cursor = visit.query('from');
  const page = { limit: LINES, ...(cursor === '' ? {} : { cursor }) };
  const { entries, nextCursor } = await torrentHistory(visit.parts.sql, torrent, page);
  const names = await actorNames(visit, entries);
  const head = pageHead({
    title: 'History',
    lead: 'What became of this torrent, the newest first.',
    crumbs: [
      { label: 'Torrents', href: href('torrents') },
      { label: title, href: hrefTo('torrent', { hash }) },
    ],
  });
  const next =
    nextCursor === undefined
      ? {}
      : { nextHref: hrefTo('torrentHistory', { hash }, { from: nextCursor }) };
  const list = historyTable(entries, { torrent, names, nowMs: visit.nowMs });
  const main = html`${head}${list}${pager({ ...next, summary: 'newest first' })}`;
  return await visit.page({ title: `History of ${title}`, section: 'torrents', main });
}
