// Which torrents stand on a page of the list, in its order, from the edge of the page before. What that
// costs follows from what a page shows: few matches are put in order, of many the order is walked until
// there are enough. Where almost nothing of much fits, a page ends before it is full and says where the
// next one goes on.

import { type Expression, type RawBuilder, sql as raw, type SqlBool } from 'kysely';
import { asNumbers, dialectOf, numbersOf } from '#sql/dialect.ts';
import { amongFew, fitting, givenTorrents, inRange, type Search } from './list-search.ts';
import type { Direction } from './search-matches.ts';

export interface Edge {
  readonly key: string | number;
  readonly id: number;
}

export interface PageOrder {
  /** `torrent.id` for the order of their numbers. */
  readonly column: string;
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
/** Its key is in an index of its own. */
const TITLE = 'torrent.title_key';
const BATCH_MIN = 100;
const BATCH_MAX = 4000;

export async function orderedIds(search: Search, order: PageOrder): Promise<OrderedIds> {
  return order.column === 'torrent.id'
    ? await byNumber(search, order)
    : await byColumn(search, order);
}

async function byNumber(search: Search, order: PageOrder): Promise<OrderedIds> {
  const { direction, edge, limit } = order;
  const after = edge === undefined ? {} : { after: edge.id };
  if (search.columns.length === 0) {
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
    if (looked >= MANY && !hasAsked) {
      hasAsked = true;
      among = (await amongFew(search)) ?? search;
    }
    if (looked >= search.lookedMax && after !== undefined)
      return { ids, left: { key: after, id: after } };
    batch = Math.min(batch * 3, BATCH_MAX);
  }
}

async function byColumn(search: Search, order: PageOrder): Promise<OrderedIds> {
  const { matches } = search;
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
      const few = await amongFew(search);
      if (few !== undefined) return await sorted(few, order);
    }
    if (walked >= search.lookedMax) return { ids, left: edge };
    batch = Math.min(batch * 3, BATCH_MAX);
  }
}

/** All matches, put in order. */
async function sorted(search: Search, order: PageOrder): Promise<OrderedIds> {
  const { catalogue, matches, columns } = search;
  const { column, direction, edge, limit } = order;
  const found = await matches.next({ direction: 'desc', limit: SORTED_MAX });
  // By title, those that fit are known before their titles are looked up.
  const byTitle = column === TITLE;
  const all = byTitle ? await fitting(search, found) : found;
  const from = givenTorrents(
    catalogue,
    all,
    byTitle ? [] : columns,
    byTitle ? 'torrent_titled' : 'torrent_listed',
  );
  const { rows } = await raw<{ id: number; total: number }>`select id, total from (
      select torrent.id as id, ${raw.ref(column)} as key, count(*) over () as total
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
  { column, direction, edge, limit }: PageOrder,
): Promise<{ readonly ids: readonly number[]; readonly end: Edge | undefined }> {
  const key = raw.ref(column);
  const id = raw.ref<number>('torrent.id');
  const own = ranges.filter((range) => range.column === column).map(inRange);
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
      if (ids.length >= limit || looked >= search.lookedMax) return ids.slice(0, limit);
      const few = batch === BATCH_MAX && looked < 2 * MANY ? await amongFew(search) : undefined;
      if (few !== undefined) return await bestIds(few, limit);
      waiting = [];
      batch = Math.min(batch * 3, BATCH_MAX);
    }
  }
  ids.push(...(await fitting(search, waiting)));
  return ids.slice(0, limit);
}
