// The list of torrents: filters, full-text search, sorting, pages. Pages are by key, not by number:
// a cursor holds the sort key and the id of the row at the edge, so that a torrent added meanwhile
// neither repeats nor hides another, and page 10,000 costs what page 1 does.

import { fixedQuery } from '#sql/fixed-query.ts';
import { type GivenList, givenList, isOneOf } from '#sql/given-ids.ts';
import type { Sql } from '#sql/sql.ts';
import type { CatalogueTables } from './catalogue-tables.ts';
import { tagsOf } from './categories.ts';
import { shownHash } from './find-torrent.ts';
import { bestIds, type Edge, orderedIds } from './list-order.ts';
import { countOf, prepareSearch, type Search } from './list-search.ts';
import type { Catalogue } from './search-index.ts';

export const TORRENT_SORTS = [
  'added',
  'title',
  'size',
  'files',
  'seeders',
  'leechers',
  'completed',
] as const;

export type TorrentSort = (typeof TORRENT_SORTS)[number];

export interface ListQuery {
  /** Full text: torrents that have every word, words that begin so, or the nearest that there are. */
  readonly words: string;
  /** Slug; an unknown one finds nothing. */
  readonly category?: string;
  /** A torrent must have all of them. */
  readonly tags: readonly string[];
  /** Both ends included. */
  readonly sizeBytesMin?: number;
  readonly sizeBytesMax?: number;
  /** Added then or later, Unix milliseconds. */
  readonly createdMsMin?: number;
  /** As last saved, which may be a minute old; both ends included. */
  readonly seedersMin?: number;
  readonly seedersMax?: number;
  readonly mine?: MineQuery;
  /** Absent with words: the best matches first. Absent without: the newest first. */
  readonly sort?: { readonly by: TorrentSort; readonly descending: boolean };
  /** From a page before; one that does not fit the rest of the query gives the first page. */
  readonly cursor?: string;
  readonly rowsMax: number;
  /** Torrents that are looked at for a page; then it ends as it is. LOOKED_MAX unless given. */
  readonly lookedMax?: number;
  /** Of what is kept in memory of all torrents. VALUES_BYTES_MAX unless given. */
  readonly valuesBytesMax?: number;
}

/** What one member has to do with a torrent. */
export interface MineQuery {
  readonly kind: 'never' | 'seeding' | 'leeching' | 'had' | 'owed';
  readonly memberId: number;
  /** Torrents that their clients are in now. */
  readonly seeding: readonly number[];
  readonly leeching: readonly number[];
  /** That they left too early. */
  readonly owed?: readonly number[];
}

export interface ListedTorrent {
  readonly id: number;
  /** As in `Torrent`. */
  readonly infoHash: string;
  readonly title: string;
  readonly category: string;
  readonly categoryName: string;
  readonly tags: readonly string[];
  readonly sizeBytes: number;
  readonly fileCount: number;
  readonly completed: number;
  readonly createdMs: number;
}

export interface TorrentList {
  readonly rows: readonly ListedTorrent[];
  readonly nextCursor?: string;
  readonly previousCursor?: string;
  /** How many torrents all pages have at least; counted among the newest that fit. */
  readonly total: number;
  readonly isTotalExact: boolean;
  /** Words of the query that are not here, and what was looked for instead. */
  readonly corrections: readonly Correction[];
}

export interface Correction {
  readonly asked: string;
  readonly read: readonly string[];
}

/** Places of a list in best-first order. */
export const RANKED_MAX = 2_000;

export function isTorrentSort(text: string): text is TorrentSort {
  return TORRENT_SORTS.some((sort) => sort === text);
}

/** `onFound` is told which torrents stand on the page while the rest of them is asked for. */
export async function listTorrents(
  sql: Sql,
  query: ListQuery,
  onFound: (ids: readonly number[]) => void = () => undefined,
): Promise<TorrentList> {
  const catalogue = sql.read<CatalogueTables>();
  const search = await prepareSearch(catalogue, query);
  const { words } = search.index;
  const isRanked = query.sort === undefined && words.length > 0;
  const { total, ...page } = isRanked
    ? await rankedPage(search, query, onFound)
    : await keyedPage(search, query, onFound);
  const counted = total === undefined ? await countOf(search) : { total, isTotalExact: true };
  const corrections = words
    .filter((word) => word.isCorrected)
    .map(({ asked, read }) => ({ asked, read }));
  return { ...page, ...counted, corrections };
}

type OnFound = (ids: readonly number[]) => void;

type Page = Pick<TorrentList, 'rows' | 'nextCursor' | 'previousCursor'> & {
  /** Where it came to light by the way. */
  readonly total?: number;
};

async function keyedPage(search: Search, query: ListQuery, onFound: OnFound): Promise<Page> {
  const { catalogue } = search;
  const { by, descending } = query.sort ?? { by: 'added', descending: true };
  const cursor = readCursor(query.cursor, by);
  const isBackwards = cursor?.side === 'before';
  const { ids, left, total } = await orderedIds(search, {
    by,
    direction: descending !== isBackwards ? 'desc' : 'asc',
    edge: cursor,
    limit: query.rowsMax + 1,
  });
  const hasMore = ids.length > query.rowsMax || left !== undefined;
  const wanted = ids.slice(0, query.rowsMax);
  onFound(wanted);
  const { rows: found, tags } = await rowsById(catalogue, wanted);
  const rows = [...found];
  if (isBackwards) rows.reverse();
  const edgeOf = (row: FoundRow | undefined): Edge | undefined =>
    row === undefined ? undefined : { key: keyOf(row, by), id: row.id };
  const end = ids.length > query.rowsMax ? undefined : left;
  const next = (isBackwards ? undefined : end) ?? edgeOf(rows.at(-1));
  const previous = (isBackwards ? end : undefined) ?? edgeOf(rows[0]);
  const hasNext = isBackwards || hasMore;
  const hasPrevious = isBackwards ? hasMore : cursor !== undefined;
  return {
    rows: listed(rows, tags),
    ...(hasNext && next !== undefined ? { nextCursor: writeCursor('after', by, next) } : {}),
    ...(hasPrevious && previous !== undefined
      ? { previousCursor: writeCursor('before', by, previous) }
      : {}),
    ...(total === undefined ? {} : { total }),
  };
}

/** Ranks move with every torrent that is added, so these pages are places in a list of bounded length. */
async function rankedPage(search: Search, query: ListQuery, onFound: OnFound): Promise<Page> {
  const { catalogue } = search;
  const from = readPlace(query.cursor);
  const ids = await bestIds(search, Math.min(from + query.rowsMax + 1, RANKED_MAX));
  const wanted = ids.slice(from, from + query.rowsMax);
  onFound(wanted);
  const { rows, tags } = await rowsById(catalogue, wanted);
  const next = from + query.rowsMax;
  const previous = Math.max(0, from - query.rowsMax);
  return {
    rows: listed(rows, tags),
    ...(next < ids.length ? { nextCursor: encode([next]) } : {}),
    ...(from > 0 ? { previousCursor: encode([previous]) } : {}),
  };
}

interface FoundRows {
  readonly rows: readonly FoundRow[];
  readonly tags: ReadonlyMap<number, readonly string[]>;
}

/** In the order of `ids`. */
async function rowsById(catalogue: Catalogue, ids: readonly number[]): Promise<FoundRows> {
  if (ids.length === 0) return { rows: [], tags: new Map() };
  const [found, tags] = await Promise.all([
    foundRows(catalogue, { ids: givenList(catalogue, ids) }),
    tagsOf(catalogue, ids),
  ]);
  const byId = new Map(found.map((row) => [row.id, row]));
  return { rows: ids.map((id) => byId.get(id)).filter((row) => row !== undefined), tags };
}

const foundRows = fixedQuery((catalogue: Catalogue, given: { ids: GivenList }) =>
  catalogue
    .selectFrom('torrent')
    .innerJoin('category', 'category.id', 'torrent.category_id')
    .select([
      'torrent.id',
      'torrent.info_hash_v1',
      'torrent.info_hash_v2',
      'torrent.title',
      'torrent.title_key',
      'torrent.size_bytes',
      'torrent.file_count',
      'torrent.seeders',
      'torrent.leechers',
      'torrent.completed',
      'torrent.created_ms',
      'category.slug as category',
      'category.name as category_name',
    ])
    .where(isOneOf(catalogue, 'torrent.id', given.ids))
    .where('torrent.removed_ms', 'is', null),
);

interface FoundRow {
  readonly id: number;
  readonly info_hash_v1: Uint8Array | null;
  readonly info_hash_v2: Uint8Array | null;
  readonly title: string;
  readonly title_key: string;
  readonly size_bytes: number;
  readonly file_count: number;
  readonly seeders: number;
  readonly leechers: number;
  readonly completed: number;
  readonly created_ms: number;
  readonly category: string;
  readonly category_name: string;
}

function listed(rows: readonly FoundRow[], tags: FoundRows['tags']): readonly ListedTorrent[] {
  return rows.map((row) => ({
    id: row.id,
    infoHash: shownHash(row.info_hash_v1, row.info_hash_v2),
    title: row.title,
    category: row.category,
    categoryName: row.category_name,
    tags: tags.get(row.id) ?? [],
    sizeBytes: row.size_bytes,
    fileCount: row.file_count,
    completed: row.completed,
    createdMs: row.created_ms,
  }));
}

interface Cursor extends Edge {
  readonly side: 'after' | 'before';
}

const CURSOR_CHARS_MAX = 1000;

function keyOf(row: FoundRow, by: TorrentSort): string | number {
  switch (by) {
    case 'added':
      return row.id;
    case 'title':
      return row.title_key;
    case 'size':
      return row.size_bytes;
    case 'files':
      return row.file_count;
    default:
      return row[by];
  }
}

function writeCursor(side: Cursor['side'], by: TorrentSort, { key, id }: Edge): string {
  return encode([side, by, key, id]);
}

function readCursor(text: string | undefined, by: TorrentSort): Cursor | undefined {
  const [side, sort, key, id] = decode(text);
  if ((side !== 'after' && side !== 'before') || sort !== by) return undefined;
  const isKey = by === 'title' ? typeof key === 'string' : Number.isSafeInteger(key);
  if (!isKey || !Number.isSafeInteger(id) || String(key).includes('\0')) return undefined;
  return { side, key: key as string | number, id: id as number };
}

function readPlace(text: string | undefined): number {
  const [place] = decode(text);
  return Number.isSafeInteger(place) ? Math.min(Math.max(place as number, 0), RANKED_MAX) : 0;
}

function encode(parts: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

function decode(text: string | undefined): readonly unknown[] {
  if (text === undefined || text.length > CURSOR_CHARS_MAX) return [];
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
