// The list of torrents: filters, full-text search, sorting, pages. Pages are by key, not by number:
// a cursor holds the sort key and the id of the row at the edge, so that a torrent added meanwhile
// neither repeats nor hides another, and page 10,000 costs what page 1 does.

import { type Expression, expressionBuilder, sql as raw, type SqlBool } from 'kysely';
import type { Sql } from '#sql/sql.ts';
import type { CatalogueTables } from './catalogue-tables.ts';
import { tagsOf } from './categories.ts';
import { shownHash } from './find-torrent.ts';
import { type Catalogue, matches, rankedIds } from './search-index.ts';
import { queryWords } from './search-words.ts';

export type TorrentSort =
  | 'added'
  | 'title'
  | 'size'
  | 'files'
  | 'seeders'
  | 'leechers'
  | 'completed';

export interface ListQuery {
  /** Full text; torrents that have every word, or words that begin so. */
  readonly words: string;
  /** Slug; an unknown one finds nothing. */
  readonly category?: string;
  /** A torrent must have all of them. */
  readonly tags: readonly string[];
  /** Absent with words: the best matches first. Absent without: the newest first. */
  readonly sort?: { readonly by: TorrentSort; readonly descending: boolean };
  /** From a page before; one that does not fit the rest of the query gives the first page. */
  readonly cursor?: string;
  readonly rowsMax: number;
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
  /** How many torrents all pages have; counted up to COUNT_MAX. */
  readonly total: number;
  readonly isTotalExact: boolean;
}

export const COUNT_MAX = 10_000;
/** Best-first order covers the newest matches only; see `rankedIds`. */
export const RANKED_MAX = 2_000;

const COLUMNS = {
  added: 'torrent.id',
  title: 'torrent.title_key',
  size: 'torrent.size_bytes',
  files: 'torrent.file_count',
  seeders: 'torrent.seeders',
  leechers: 'torrent.leechers',
  completed: 'torrent.completed',
} as const satisfies Record<TorrentSort, string>;

export function isTorrentSort(text: string): text is TorrentSort {
  return Object.hasOwn(COLUMNS, text);
}

export async function listTorrents(sql: Sql, query: ListQuery): Promise<TorrentList> {
  const catalogue = sql.read<CatalogueTables>();
  const filter = filterOf(catalogue, query);
  const isRanked = query.sort === undefined && queryWords(query.words).length > 0;
  const page = isRanked
    ? await rankedPage(catalogue, query)
    : await keyedPage(catalogue, filter, query);
  const counted = await countUpTo(catalogue, filter);
  return { ...page, total: Math.min(counted, COUNT_MAX), isTotalExact: counted <= COUNT_MAX };
}

/** How many torrents there are, up to COUNT_MAX + 1. */
async function countUpTo(catalogue: Catalogue, filter: Expression<SqlBool>): Promise<number> {
  const some = catalogue
    .selectFrom('torrent')
    .select('torrent.id')
    .where(filter)
    .limit(COUNT_MAX + 1);
  const row = await catalogue
    .selectFrom(some.as('some'))
    .select((of) => of.fn.countAll<number>().as('rows'))
    .executeTakeFirstOrThrow();
  return row.rows;
}

function filterOf(
  catalogue: Catalogue,
  query: ListQuery,
  options: { readonly withWords: boolean } = { withWords: true },
): Expression<SqlBool> {
  const of = expressionBuilder<CatalogueTables, 'torrent'>();
  const all: Expression<SqlBool>[] = [of('torrent.removed_ms', 'is', null)];
  if (query.category !== undefined) {
    const id = of.selectFrom('category').select('category.id').where('slug', '=', query.category);
    all.push(of('torrent.category_id', '=', id));
  }
  for (const tag of query.tags) {
    const tagged = of
      .selectFrom('torrent_tag')
      .innerJoin('tag', 'tag.id', 'torrent_tag.tag_id')
      .select('torrent_tag.torrent_id')
      .where('tag.name', '=', tag);
    all.push(of('torrent.id', 'in', tagged));
  }
  const found = options.withWords
    ? matches(catalogue, query.words, raw.ref<number>('torrent.id'))
    : undefined;
  if (found !== undefined) all.push(found);
  return of.and(all);
}

type Page = Omit<TorrentList, 'total' | 'isTotalExact'>;

async function keyedPage(
  catalogue: Catalogue,
  filter: Expression<SqlBool>,
  query: ListQuery,
): Promise<Page> {
  const { by, descending } = query.sort ?? { by: 'added', descending: true };
  const cursor = readCursor(query.cursor, by);
  const isBackwards = cursor?.side === 'before';
  const direction = descending !== isBackwards ? 'desc' : 'asc';
  const column = COLUMNS[by];
  let select = rowsQuery(catalogue)
    .where(filter)
    .orderBy(column, direction)
    .orderBy('torrent.id', direction)
    .limit(query.rowsMax + 1);
  if (cursor !== undefined) {
    const beyond = raw.raw(direction === 'desc' ? '<' : '>');
    const edge = raw<SqlBool>`(${raw.ref(column)}, ${raw.ref('torrent.id')}) ${beyond}
      (${cursor.key}, ${cursor.id})`;
    select = select.where(edge);
  }
  const found = await select.execute();
  const hasMore = found.length > query.rowsMax;
  const rows = found.slice(0, query.rowsMax);
  if (isBackwards) rows.reverse();
  const first = rows[0];
  const last = rows.at(-1);
  const hasNext = isBackwards || hasMore;
  const hasPrevious = isBackwards ? hasMore : cursor !== undefined;
  return {
    rows: await withTags(catalogue, rows),
    ...(hasNext && last !== undefined ? { nextCursor: writeCursor('after', by, last) } : {}),
    ...(hasPrevious && first !== undefined
      ? { previousCursor: writeCursor('before', by, first) }
      : {}),
  };
}

/** Ranks move with every torrent that is added, so these pages are places in a list of bounded length. */
async function rankedPage(catalogue: Catalogue, query: ListQuery): Promise<Page> {
  const ids = await rankedIds(catalogue, {
    query: query.words,
    filter: filterOf(catalogue, query, { withWords: false }),
    newestMax: RANKED_MAX,
  });
  const from = readPlace(query.cursor);
  const wanted = ids.slice(from, from + query.rowsMax);
  const found =
    wanted.length === 0
      ? []
      : await rowsQuery(catalogue).where('torrent.id', 'in', wanted).execute();
  const byId = new Map(found.map((row) => [row.id, row]));
  const rows = wanted.map((id) => byId.get(id)).filter((row) => row !== undefined);
  const next = from + query.rowsMax;
  const previous = Math.max(0, from - query.rowsMax);
  return {
    rows: await withTags(catalogue, rows),
    ...(next < ids.length ? { nextCursor: encode([next]) } : {}),
    ...(from > 0 ? { previousCursor: encode([previous]) } : {}),
  };
}

function rowsQuery(catalogue: Catalogue) {
  return catalogue
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
    ]);
}

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

async function withTags(
  catalogue: Catalogue,
  rows: readonly FoundRow[],
): Promise<readonly ListedTorrent[]> {
  const tags = await tagsOf(
    catalogue,
    rows.map((row) => row.id),
  );
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

interface Cursor {
  readonly side: 'after' | 'before';
  readonly key: string | number;
  readonly id: number;
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

function writeCursor(side: Cursor['side'], by: TorrentSort, row: FoundRow): string {
  return encode([side, by, keyOf(row, by), row.id]);
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
