// The list of torrents, as a page.

import type { SwarmPeer } from '#site/swarms.ts';
import type { Visit } from '#site/visit.ts';
import { commonTags, listCategories } from './categories.ts';
import { headline, type ListFilters, listView } from './list-view.ts';
import { myState, myTotals } from './my-state.ts';
import { SEARCH_LIMITS } from './search-words.ts';
import { isTorrentSort, listTorrents } from './torrent-list.ts';
import { parseTags, WORDS_LIMITS } from './torrent-words.ts';

const COMMON_TAGS = 12;
const MY_PEERS_MAX = 1000;

export async function torrentsPage(visit: Visit): Promise<Response> {
  const { parts } = visit;
  const { sql, swarms } = parts;
  const filters = readFilters(visit);
  const cursor = visit.query('at');
  const [list, categories, tags] = await Promise.all([
    listTorrents(sql, {
      words: filters.words,
      ...(filters.category === '' ? {} : { category: filters.category }),
      tags: filters.tags,
      ...(filters.sort === undefined ? {} : { sort: filters.sort }),
      ...(cursor === '' ? {} : { cursor }),
      rowsMax: parts.config.pageRows,
    }),
    listCategories(sql),
    commonTags(sql, COMMON_TAGS),
  ]);
  const { memberId } = visit.signedIn();
  const ids = list.rows.map((row) => row.id);
  const totals = await myTotals(sql, memberId, ids);
  const peers = Map.groupBy(
    swarms.peersOfMember(memberId, MY_PEERS_MAX),
    (peer: SwarmPeer) => peer.torrentId,
  );
  const rows = list.rows.map((row) => ({
    ...row,
    live: swarms.counts(row.id) ?? { seeders: 0, leechers: 0, completed: row.completed },
    mine: myState(row.sizeBytes, peers.get(row.id) ?? [], totals.get(row.id)),
  }));
  const mayUpload = visit.may('upload');
  const { nowMs } = visit;
  const page = { filters, list, rows, categories, commonTags: tags, mayUpload, nowMs };
  const title = headline(filters, categories);
  return await visit.page({ title, section: 'torrents', main: listView(page) });
}

function readFilters(visit: Visit): ListFilters {
  const order = visit.query('sort');
  const descending = order.startsWith('-');
  const by = descending ? order.slice(1) : order;
  return {
    words: visit.query('q').trim().slice(0, SEARCH_LIMITS.queryCharsMax).toWellFormed(),
    category: visit.query('category').slice(0, 100).toWellFormed(),
    tags: parseTags(visit.queries('tags').join(',')).slice(0, WORDS_LIMITS.tagsMax),
    sort: isTorrentSort(by) ? { by, descending } : undefined,
  };
}
