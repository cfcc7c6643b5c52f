// The list of torrents, as a page.

import { keptUpToDate } from '#site/live/live-pages.ts';
import { savedSearchesOf } from '#site/searches/saved-searches.ts';
import type { SwarmPeer } from '#site/swarms.ts';
import type { Visit } from '#site/visit.ts';
import type { Sql } from '#sql/sql.ts';
import { commonTags, listCategories } from './categories.ts';
import { type FilterField, listQueryOf, readFilters } from './list-filters.ts';
import { type ListMarks, listMarks, owedTorrents } from './list-marks.ts';
import { headline, listView } from './list-view.ts';
import { type MyTotals, myState, myTotals } from './my-state.ts';
import { listTorrents } from './torrent-list.ts';

const COMMON_TAGS = 12;
const MY_PEERS_MAX = 1000;

/** What the page says of its torrents beside what they are. */
interface Beside {
  readonly totals: ReadonlyMap<number, MyTotals>;
  readonly marks: (id: number) => ListMarks;
}

export async function torrentsPage(visit: Visit): Promise<Response> {
  const { parts, nowMs } = visit;
  const { sql, swarms } = parts;
  const { memberId } = visit.signedIn();
  visit.expectPage();
  const filters = readFilters((field: FilterField) => visit.queries(field));
  const cursor = visit.query('at');
  const myPeers = swarms.peersOfMember(memberId, MY_PEERS_MAX);
  const owed = await owedTorrents(parts, memberId, nowMs);
  let beside: Promise<Beside> | undefined;
  const query = {
    ...listQueryOf(filters, { memberId, nowMs, peers: myPeers, owed }),
    ...(cursor === '' ? {} : { cursor }),
    rowsMax: parts.config.pageRows,
  };
  const [list, categories, tags, searches] = await Promise.all([
    listTorrents(sql, query, (ids) => {
      beside = readBeside(sql, { memberId, ids, nowMs });
      // Should the list fail as well, the page hears of that.
      beside.catch(() => undefined);
    }),
    listCategories(sql),
    commonTags(sql, COMMON_TAGS),
    savedSearchesOf(sql, memberId),
  ]);
  const { totals, marks } = (await beside) ?? (await readBeside(sql, { memberId, ids: [], nowMs }));
  const peers = Map.groupBy(myPeers, (peer: SwarmPeer) => peer.torrentId);
  const rows = list.rows.map((row) => ({
    ...row,
    live: swarms.counts(row.id) ?? { seeders: 0, leechers: 0, completed: row.completed },
    mine: myState(row.sizeBytes, peers.get(row.id) ?? [], totals.get(row.id), owed.has(row.id)),
    marks: marks(row.id),
  }));
  const page = {
    ...{ filters, list, rows, categories, commonTags: tags, searches, nowMs },
    csrf: visit.csrfToken,
    mayUpload: visit.may('upload'),
  };
  const title = headline(filters, categories);
  return await visit.page({
    title,
    section: 'torrents',
    main: listView(page),
    ...keptUpToDate(visit),
  });
}

async function readBeside(
  sql: Sql,
  asked: { readonly memberId: number; readonly ids: readonly number[]; readonly nowMs: number },
): Promise<Beside> {
  const [totals, marks] = await Promise.all([
    myTotals(sql, asked.memberId, asked.ids),
    listMarks(sql, asked),
  ]);
  return { totals, marks };
}
