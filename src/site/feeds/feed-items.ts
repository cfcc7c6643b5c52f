// What a feed tells: the newest torrents that a search finds, as the list of torrents would. A search in
// several categories is one in each, of which the newest is taken again and again. Where little of much
// fits, a page of the list ends early and leads on: so many pages are read, whatever is asked for.

import { toHex } from '#base/bytes.ts';
import type { CatalogueTables } from '#site/catalogue/catalogue-tables.ts';
import { type ListedTorrent, type ListQuery, listTorrents } from '#site/catalogue/torrent-list.ts';
import type { Sql } from '#sql/sql.ts';

/** Of one answer; what a reader that comes once a day still sees of a busy site. */
export const FEED_ITEMS_MAX = 100;

/** Torrents looked at for a page of the list, and pages, of all lists together. */
const LOOKED_MAX = 10_000;
const PAGES_MAX = 24;
/** Of more categories than these, what is wanted is picked from the list of all. */
const LISTS_MAX = 12;

export interface FeedQuery extends Omit<ListQuery, 'sort' | 'cursor' | 'rowsMax' | 'lookedMax'> {
  /** Slugs, in any of which it may be; without them `category` counts. */
  readonly categories?: readonly string[];
  /** The newest, which were told before. */
  readonly offset?: number;
  /** 1 to FEED_ITEMS_MAX. */
  readonly limit: number;
}

export interface FeedItem {
  readonly id: number;
  /** As in `Torrent`. */
  readonly infoHash: string;
  readonly infoHashV1: string | undefined;
  readonly title: string;
  /** Markdown. */
  readonly description: string;
  /** Slug. */
  readonly category: string;
  readonly categoryName: string;
  readonly tags: readonly string[];
  readonly sizeBytes: number;
  readonly fileCount: number;
  readonly completed: number;
  /** Unix milliseconds. */
  readonly createdMs: number;
  readonly changedMs: number;
}

/** Newest first, whatever the words are; removed torrents are no longer told of. */
export async function feedItems(sql: Sql, query: FeedQuery): Promise<readonly FeedItem[]> {
  const rows = await newestRows(sql, query);
  if (rows.length === 0) return [];
  const more = await sql
    .read<CatalogueTables>()
    .selectFrom('torrent')
    .select(['id', 'description', 'changed_ms', 'info_hash_v1'])
    .where(
      'id',
      'in',
      rows.map((row) => row.id),
    )
    .execute();
  const byId = new Map(more.map((row) => [row.id, row]));
  return rows.flatMap((row) => {
    const found = byId.get(row.id);
    if (found === undefined) return [];
    const v1 = found.info_hash_v1;
    return [
      {
        ...row,
        infoHashV1: v1 === null ? undefined : toHex(v1),
        description: found.description,
        changedMs: found.changed_ms,
      },
    ];
  });
}

/** A list that is read page by page. */
interface Source {
  readonly category: { readonly category?: string };
  rows: ListedTorrent[];
  cursor: string | undefined;
  isOver: boolean;
}

async function newestRows(sql: Sql, query: FeedQuery): Promise<readonly ListedTorrent[]> {
  const { categories, offset = 0, limit, ...filters } = query;
  const wanted = categories === undefined ? undefined : new Set(categories);
  const isApart = wanted !== undefined && wanted.size <= LISTS_MAX;
  const sources = (isApart ? [...wanted] : [undefined]).map((category): Source => {
    const of = category === undefined ? {} : { category };
    return { category: of, rows: [], cursor: undefined, isOver: false };
  });
  const rowsMax = Math.min(FEED_ITEMS_MAX, offset + limit);
  let pages = 0;
  const read = async (source: Source): Promise<void> => {
    while (source.rows.length === 0 && !source.isOver && pages < PAGES_MAX) {
      pages += 1;
      const { rows, nextCursor } = await listTorrents(sql, {
        ...{ ...filters, ...source.category, rowsMax, lookedMax: LOOKED_MAX },
        sort: { by: 'added', descending: true },
        ...(source.cursor === undefined ? {} : { cursor: source.cursor }),
      });
      source.rows = rows.filter((row) => isApart || (wanted?.has(row.category) ?? true));
      source.cursor = nextCursor;
      source.isOver = nextCursor === undefined;
    }
  };
  const newest: ListedTorrent[] = [];
  while (newest.length < offset + limit) {
    for (const source of sources) await read(source);
    // Of a list that was not read to its end nobody knows whether it has the next one.
    if (sources.some(({ rows, isOver }) => rows.length === 0 && !isOver)) break;
    const [first] = sources
      .filter(({ rows }) => rows.length > 0)
      .sort((one, other) => idOf(other) - idOf(one));
    const row = first?.rows.shift();
    if (row === undefined) break;
    newest.push(row);
  }
  return newest.slice(offset);
}

function idOf({ rows }: Source): number {
  return rows[0]?.id ?? 0;
}
