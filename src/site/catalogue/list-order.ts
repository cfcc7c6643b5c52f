// Which torrents stand on a page of the list, in its order, from the edge of the page before. What that
// costs follows from what a page shows: few matches are put in order, of many the order is walked until
// there are enough. Where almost nothing of much fits, a page ends before it is full and says where the
// next one goes on.

import { type Expression, type RawBuilder, sql as raw, type SqlBool } from 'kysely';
import { asNumbers, dialectOf, numbersOf } from '#sql/dialect.ts';
import { pickByKey, pickByTitle } from './list-picking.ts';
import {
  amongFew,
  columnsOf,
  fitting,
  givenTorrents,
  inRange,
  isInMemory,
  isNarrowedByColumns,
  type Search,
} from './list-search.ts';
import type { Direction } from './search-matches.ts';
import type { TorrentSort } from './torrent-list.ts';
import { columnName } from './torrent-values.ts';

export interface Edge {
  readonly key: string | number;
  readonly id: number;
}

export interface PageOrder {
  /** `added` is the order of their numbers. */
  readonly by: TorrentSort;
  readonly direction: Direction;
  /** The page goes on behind it. */
  readonly edge: Edge | undefined;
  /** One more than the page shows, to know whether there are more. */
  readonly limit: number;
}

export interface OrderedIds {
  readonly ids: readonly number[];
  /** Where it was left when it looked at too many; the next page goes on there. */
  readonly left: Edge | undefined;
  /** How many there are on all pages, where that is known. */
  readonly total?: number;
}

/** After so many, it is asked whether a range of a column has few torrents. */
const MANY = 4000;
/** Matches that are put in order at once. */
const SORTED_MAX = 50_000;
/** So few always are. */
const SORTED_MIN = 2000;
/** Steps of a walk that cost as much as one match that is looked up and put in order, as measured. */
const WALKED_PER_SORTED = { sqlite: 2, postgres: 5 } as const;
/** Matches that are put in order in memory before the order is walked for them. */
const PICKED_MAX = 100_000;
const BATCH_MIN = 100;
const BATCH_MAX = 4000;

export async function orderedIds(search: Search, order: PageOrder): Promise<OrderedIds> {
  return order.by === 'added' ? await byNumber(search, order) : await byColumn(search, order);
}

async function byNumber(search: Search, order: PageOrder): Promise<OrderedIds> {
  const { direction, edge, limit } = order;
  const after = edge === undefined ? {} : { after: edge.id };
  if (!isNarrowedByColumns(search)) {
    const ids = await search.matches.next({ direction, limit, ...after });
    return { ids, left: undefined };
  }
  if (edge !== undefined || direction === 'asc') return await scan(search, order, edge?.id);
  // What was looked at for the count is the beginning of the first page.
  const { ids, lookedThrough } = await search.newest();
  if (ids.length >= limit || lookedThrough === undefined) return { ids, left: undefined };
  const more = await scan(search, { ...order, limit: limit - ids.length }, lookedThrough);
  return { ids: [...ids, ...more.ids], left: more.left };
}

async function scan(
  search: Search,
  { direction, limit }: PageOrder,
  from: number | undefined,
): Promise<OrderedIds> {
  const ids: number[] = [];
  let among: Search | undefined = search;
  let after = from;
  let batch = Math.max(BATCH_MIN, limit * 2);
  let hasAsked = false;
  for (let looked = 0; ; ) {
    const some: readonly number[] = await among.matches.next({
      ...{ direction, limit: batch },
      ...(after === undefined ? {} : { after }),
    });
    ids.push(...(await fitting(search, some)));
    after = some.at(-1) ?? after;
    if (ids.length >= limit || some.length < batch) return { ids, left: undefined };
    looked += some.length;
    if (looked >= MANY && !hasAsked && !isInMemory(search)) {
      hasAsked = true;
      among = (await amongFew(search)) ?? search;
    }
    if (looked >= search.lookedMax && after !== undefined && !isInMemory(search))
      return { ids, left: { key: after, id: after } };
    batch = Math.min(batch * 3, BATCH_MAX);
  }
}

async function byColumn(search: Search, order: PageOrder): Promise<OrderedIds> {
  const { matches } = search;
  if (isInMemory(search) && !matches.isAll) {
    const { count } = await matches.count(PICKED_MAX);
    const page = count <= PICKED_MAX ? await picked(search, order) : undefined;
    if (page !== undefined) return page;
  }
  const { count, isAll } = await matches.count(matches.isAll ? SORTED_MIN : SORTED_MAX);
  const canSort = isAll && count <= SORTED_MAX;
  const each = WALKED_PER_SORTED[dialectOf(search.catalogue)];
  const sortCost = count * each;
  const isDearer = (walked: number) => canSort && walked > sortCost;
  if (canSort && (count <= SORTED_MIN || isDearer((order.limit * matches.idsMax) / count))) {
    return await sorted(search, order);
  }
  const fits = matches.isAll ? () => true : await matches.tester();
  const ids: number[] = [];
  let edge = order.edge;
  let batch = BATCH_MIN;
  let hasAsked = false;
  for (let walked = 0; ; ) {
    const some = await walk(search, { ...order, edge, limit: batch });
    ids.push(...(await fitting(search, some.ids.filter(fits))));
    edge = some.end ?? edge;
    if (ids.length >= order.limit || some.ids.length < batch) return { ids, left: undefined };
    walked += some.ids.length;
    const missing = order.limit - ids.length;
    if (isDearer((missing / Math.max(ids.length, 0.5)) * walked)) {
      return await sorted(search, order);
    }
    if (walked >= MANY && !hasAsked) {
      hasAsked = true;
      const page = isInMemory(search) ? await picked(search, order) : undefined;
      if (page !== undefined) return page;
      const few = await amongFew(search);
      if (few !== undefined) return await sorted(few, order);
    }
    if (walked >= search.lookedMax) return { ids, left: edge };
    batch = Math.min(batch * 3, BATCH_MAX);
  }
}

/** All matches, put in order in memory; undefined when there are too many that memory does not tell apart. */
async function picked(search: Search, order: PageOrder): Promise<OrderedIds | undefined> {
  if (order.by !== 'title') {
    const { ids, total } = await pickByKey(search, order);
    return { ids, left: undefined, total };
  }
  const { ids, total } = await pickByTitle(search, order);
  if (ids.length > SORTED_MAX) return undefined;
  return { ...(await inOrder(search, order, { ids, columns: [] })), total };
}

/** All matches, put in order by the database. */
async function sorted(search: Search, order: PageOrder): Promise<OrderedIds> {
  const found = await search.matches.next({ direction: 'desc', limit: SORTED_MAX });
  // By title, those that fit are known before their titles are looked up.
  const byTitle = order.by === 'title';
  return await inOrder(search, order, {
    ids: byTitle ? await fitting(search, found) : found,
    columns: byTitle ? [] : columnsOf(search),
  });
}

/** Of these torrents those that fit the columns. */
async function inOrder(
  { catalogue }: Search,
  { by, direction, edge, limit }: PageOrder,
  of: { readonly ids: readonly number[]; readonly columns: readonly Expression<SqlBool>[] },
): Promise<OrderedIds> {
  const index = by === 'title' ? 'torrent_titled' : 'torrent_listed';
  const from = givenTorrents(catalogue, of.ids, of.columns, index);
  const { rows } = await raw<{ id: number; total: number }>`select id, total from (
      select torrent.id as id, ${raw.ref(keyName(by))} as key, count(*) over () as total
      from ${from}
    ) as fitting where ${behind(edge, direction, raw.ref('key'), raw.ref<number>('id'))}
    order by key ${raw.raw(direction)}, id ${raw.raw(direction)} limit ${limit}`.execute(catalogue);
  const ids = rows.map(({ id }) => id);
  return { ids, left: undefined, ...(rows[0] === undefined ? {} : { total: rows[0].total }) };
}

/**
 * Torrents in the order of the column, whatever they are but for a range of that column: its index answers
 * by itself.
 */
async function walk(
  { catalogue, ranges }: Search,
  { by, direction, edge, limit }: PageOrder,
): Promise<{ readonly ids: readonly number[]; readonly end: Edge | undefined }> {
  const key = raw.ref(keyName(by));
  const id = raw.ref<number>('torrent.id');
  const own = ranges.filter((range) => range.column === by).map(inRange);
  const all = [raw`torrent.removed_ms is null`, behind(edge, direction, key, id), ...own];
  const order = raw.raw(direction);
  // Of the keys only the last is needed, which is the least or the greatest.
  const last = raw.raw(direction === 'desc' ? 'min' : 'max');
  const { rows } = await raw<{ ids: unknown; key: string | number | null }>`
    select ${asNumbers(catalogue, raw.ref<number>('id'))} as ids, ${last}(key) as key from (
      select ${id} as id, ${key} as key from torrent where ${raw.join(all, raw` and `)}
      order by ${key} ${order}, ${id} ${order} limit ${limit}
    ) as walked`.execute(catalogue);
  const ids = numbersOf(rows[0]?.ids);
  const end = ids.at(-1);
  const lastKey = rows[0]?.key ?? null;
  return {
    ids,
    end: end === undefined || lastKey === null ? undefined : { key: lastKey, id: end },
  };
}

function keyName(by: TorrentSort): string {
  return by === 'added' ? 'torrent.id' : columnName(by);
}

function behind(
  edge: Edge | undefined,
  direction: Direction,
  key: Expression<unknown>,
  id: Expression<number>,
): RawBuilder<SqlBool> {
  if (edge === undefined) return raw<SqlBool>`1 = 1`;
  const than = raw.raw(direction === 'desc' ? '<' : '>');
  return raw<SqlBool>`(${key}, ${id}) ${than} (${edge.key}, ${edge.id})`;
}

/** Best first; of those that the columns let through, the first `limit`. */
export async function bestIds(search: Search, limit: number): Promise<readonly number[]> {
  const ids: number[] = [];
  let waiting: number[] = [];
  let batch = Math.max(BATCH_MIN, limit * 2);
  let looked = 0;
  for await (const some of search.matches.ranked()) {
    for (let at = 0; at < some.length; at += BATCH_MIN) {
      waiting.push(...some.slice(at, at + BATCH_MIN));
      if (waiting.length < batch) continue;
      ids.push(...(await fitting(search, waiting)));
      looked += waiting.length;
      const isEnough = !isInMemory(search) && looked >= search.lookedMax;
      if (ids.length >= limit || isEnough) return ids.slice(0, limit);
      const isAsked = batch === BATCH_MAX && looked < 2 * MANY && !isInMemory(search);
      const few = isAsked ? await amongFew(search) : undefined;
      if (few !== undefined) return await bestIds(few, limit);
      waiting = [];
      batch = Math.min(batch * 3, BATCH_MAX);
    }
  }
  ids.push(...(await fitting(search, waiting)));
  return ids.slice(0, limit);
}
