// Torrents that nobody seeds: first those that the reader had all of and could bring back, then those for
// which most members wait.

import { html } from 'hono/html';
import type { RouteHandlers } from '#site/admission.ts';
import { type ListFilters, listQueryOf, NO_FILTERS } from '#site/catalogue/list-filters.ts';
import { listTorrents } from '#site/catalogue/torrent-list.ts';
import { type TorrentLine, torrentLines, torrentTable } from '#site/collections/torrent-lines.ts';
import { linkButton } from '#site/components/button.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { href } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';

const LINES = 50;
const PEERS_MAX = 1000;

export const needsSeedsRoutes: RouteHandlers = { needsSeeds: { GET: showNeedsSeeds } };

/** Those that the reader had all of, and others. */
export async function needingSeeds(
  visit: Visit,
): Promise<{ readonly mine: readonly TorrentLine[]; readonly others: readonly TorrentLine[] }> {
  const mine = await unseeded(visit, true);
  const known = new Set(mine.map((line) => line.id));
  const others = (await unseeded(visit, false)).filter((line) => !known.has(line.id));
  return { mine, others };
}

async function showNeedsSeeds(visit: Visit): Promise<Response> {
  const { mine, others } = await needingSeeds(visit);
  const head = pageHead({
    title: 'Torrents that need seeds',
    lead: 'Nobody has all of these. Whoever has the files brings one back by seeding it.',
  });
  const main =
    mine.length + others.length === 0
      ? html`${head}${emptyState({
          title: 'Everything is seeded',
          text: 'When the last seeder of a torrent leaves, it stands here.',
          action: linkButton({ label: 'Look at torrents', href: href('torrents') }),
        })}`
      : html`${head}<div class="stack">${linesPanel('You had all of these', mine)}${linesPanel('Others wait for these', others)}<p>${linkButton({ label: 'All torrents without a seeder', href: href('torrents', { seeds: 'none' }) })}</p></div>`;
  return await visit.page({ title: 'Torrents that need seeds', main, section: 'requests' });
}

function linesPanel(title: string, lines: readonly TorrentLine[]): Html {
  if (lines.length === 0) return NOTHING;
  return panel({ title, body: torrentTable(title, lines), flush: true });
}

/** Counts as last saved choose them; those that were seeded since are left out. */
async function unseeded(visit: Visit, isHad: boolean): Promise<readonly TorrentLine[]> {
  const { parts, nowMs } = visit;
  const { memberId } = visit.signedIn();
  const peers = parts.swarms.peersOfMember(memberId, PEERS_MAX);
  const filters: ListFilters = {
    ...NO_FILTERS,
    seeds: 'none',
    sort: { by: 'leechers', descending: true },
    ...(isHad ? { mine: 'had' } : {}),
  };
  const query = listQueryOf(filters, { memberId, nowMs, peers });
  const { rows } = await listTorrents(parts.sql, { ...query, rowsMax: LINES });
  const lines = await torrentLines(
    parts,
    rows.map((row) => row.id),
  );
  return lines.filter((line) => line.seeders === 0);
}
