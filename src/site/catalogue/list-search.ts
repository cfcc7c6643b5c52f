// How the list of torrents asks the database: what the search index answers, and what each torrent's own
// columns do. docs/decisions/0030 tells why, with numbers.

import {
  type Expression,
  expressionBuilder,
  type RawBuilder,
  sql as raw,
  type SqlBool,
} from 'kysely';
import type { LedgerTables } from '#accounting/ledger/ledger-tables.ts';
import { asNumbers, indexedBy, numbersOf } from '#sql/dialect.ts';
import { givenIds } from '#sql/given-ids.ts';
import type { CatalogueTables } from './catalogue-tables.ts';
import { BLOCK_IDS, blockOf } from './id-block.ts';
import type { Catalogue } from './search-index.ts';
import { type IndexQuery, Matches } from './search-matches.ts';
import { Postings } from './search-postings.ts';
import { readQuery } from './search-vocabulary.ts';
import type { ListQuery, MineQuery, TorrentList } from './torrent-list.ts';
import { columnName, TorrentValues } from './torrent-values.ts';

/** Torrents that are looked at for one page, at most. */
const LOOKED_MAX = 30_000;
/** Matches of the index that are counted. */
export const COUNT_MAX = 10_000;
/** Where columns narrow, too: of so many of the newest it is counted how many fit. */
const COUNT_LOOKED_MAX = 250;
/** The same where that is known in memory. */
const COUNT_IN_MEMORY_MAX = 20_000;
/** So few torrents in a range of a column are taken as a set; so many of a member's are. */
const FEW_MAX = 2000;
const OWN_MAX = 10_000;
/** Of a member's clients that a filter looks at. */
const IDS_MAX = 1000;

/** A query as the database is asked. */
export interface Search {
  readonly catalogue: Catalogue;
  readonly postings: Postings;
  readonly index: IndexQuery;
  /** What the search index answers: words, tags, the category, and what is a set already. */
  readonly matches: Matches;
  readonly ranges: readonly Range[];
  /** What no range says, and the database alone knows of each torrent. */
  readonly others: readonly Expression<SqlBool>[];
  /** What ranges are looked up in; undefined when the database is asked for those as well. */
  readonly values: TorrentValues | undefined;
  readonly lookedMax: number;
  /** Those of the newest matches that fit the columns, asked for once. */
  readonly newest: () => Promise<NewestFitting>;
}

interface NewestFitting {
  /** The newest first. */
  readonly ids: readonly number[];
  /** The last match that was looked at; undefined when that were all there are. */
  readonly lookedThrough: number | undefined;
}

export interface Range {
  readonly column: 'size' | 'created' | 'seeders';
  /** Both ends included. */
  readonly min: number | undefined;
  readonly max: number | undefined;
}

export async function prepareSearch(catalogue: Catalogue, query: ListQuery): Promise<Search> {
  const [words, categoryId, own, postings] = await Promise.all([
    readQuery(catalogue, query.words),
    categoryIdOf(catalogue, query.category),
    query.mine === undefined ? undefined : ownTorrents(catalogue, query.mine),
    Postings.open(catalogue),
  ]);
  const index = {
    ...{ words, tags: query.tags },
    ...(categoryId === undefined ? {} : { categoryId }),
    ...(own === undefined ? {} : { among: own }),
  };
  const ranges = rangesOf(query);
  const others = query.mine === undefined || own !== undefined ? [] : [mineFilter(query.mine)];
  const { lookedMax = LOOKED_MAX, valuesBytesMax } = query;
  const values = TorrentValues.of(catalogue, postings.versions, valuesBytesMax);
  return openSearch(index, { catalogue, postings, ranges, others, values, lookedMax });
}

function openSearch(
  index: IndexQuery,
  by: Pick<Search, 'catalogue' | 'postings' | 'ranges' | 'others' | 'values' | 'lookedMax'>,
): Search {
  const matches = new Matches(by.postings, index);
  let asked: Promise<NewestFitting> | undefined;
  const search: Search = {
    ...{ index, matches, ...by },
    newest: () => {
      asked ??= newestFitting(search);
      return asked;
    },
  };
  return search;
}

async function newestFitting(search: Search): Promise<NewestFitting> {
  const limit = isInMemory(search) ? COUNT_IN_MEMORY_MAX : COUNT_LOOKED_MAX;
  const looked = await search.matches.next({ direction: 'desc', limit });
  const ids = await fitting(search, looked);
  return { ids, lookedThrough: looked.length < limit ? undefined : looked.at(-1) };
}

/** Whether it is known without the database which torrents fit. */
export function isInMemory({ values, others }: Search): boolean {
  return values !== undefined && others.length === 0;
}

/** Whether more narrows it than the search index answers. */
export function isNarrowedByColumns({ ranges, others }: Search): boolean {
  return ranges.length + others.length > 0;
}

/** -1 for a category that there is not. */
async function categoryIdOf(
  catalogue: Catalogue,
  slug: string | undefined,
): Promise<number | undefined> {
  if (slug === undefined) return undefined;
  const row = await catalogue
    .selectFrom('category')
    .select('id')
    .where('slug', '=', slug)
    .executeTakeFirst();
  return row?.id ?? -1;
}

export async function countOf(
  search: Search,
): Promise<Pick<TorrentList, 'total' | 'isTotalExact'>> {
  if (!isNarrowedByColumns(search)) {
    const { count, isAll } = await search.matches.count(COUNT_MAX);
    return { total: Math.min(count, COUNT_MAX), isTotalExact: isAll && count <= COUNT_MAX };
  }
  const { ids, lookedThrough } = await search.newest();
  return { total: ids.length, isTotalExact: lookedThrough === undefined };
}

/** Those of the ids whose torrents fit the columns, in the same order. */
export async function fitting(search: Search, ids: readonly number[]): Promise<readonly number[]> {
  const { catalogue, values, others } = search;
  const near = values === undefined ? ids : await inRanges(values, search.ranges, ids);
  const columns = values === undefined ? columnsOf(search) : others;
  if (columns.length === 0 || near.length === 0) return near;
  const { rows } = await raw<{ ids: unknown }>`
    select ${asNumbers(catalogue, raw.ref<number>('torrent.id'))} as ids
    from ${givenTorrents(catalogue, near, columns)}`.execute(catalogue);
  const fit = new Set(numbersOf(rows[0]?.ids));
  return near.filter((id) => fit.has(id));
}

/** All that narrows besides the search index, as the database is asked for it. */
export function columnsOf({ ranges, others }: Search): readonly Expression<SqlBool>[] {
  return [...ranges.map(inRange), ...others];
}

async function inRanges(
  values: TorrentValues,
  ranges: readonly Range[],
  ids: readonly number[],
): Promise<readonly number[]> {
  if (ranges.length === 0) return ids;
  const columns = ranges.map(({ column }) => column);
  const fit: number[] = [];
  let block = -1;
  let fits = (_: number): boolean => false;
  for (const id of ids) {
    if (blockOf(id) !== block) {
      block = blockOf(id);
      fits = rangeTest(ranges, await values.block(block, columns));
    }
    if (fits(id % BLOCK_IDS)) fit.push(id);
  }
  return fit;
}

/** For numbers within a block. @param values of each range's column, in their order */
export function rangeTest(
  ranges: readonly Range[],
  values: readonly Float64Array[],
): (number: number) => boolean {
  const tests = ranges.map(({ min = -Infinity, max = Infinity }, at) => {
    const column = values[at]!;
    return (number: number): boolean => column[number]! >= min && column[number]! <= max;
  });
  const [one, two] = tests;
  if (one === undefined) return () => true;
  if (two === undefined) return one;
  return (number) => tests.every((test) => test(number));
}

/**
 * For `from`. A cross join, because SQLite takes that in the order in which it is written; by an index that
 * has all columns that lists are narrowed by, or by one that has the title.
 */
export function givenTorrents(
  catalogue: Catalogue,
  ids: readonly number[],
  columns: readonly Expression<SqlBool>[],
  index: 'torrent_listed' | 'torrent_titled' = 'torrent_listed',
): RawBuilder<unknown> {
  const hint = indexedBy(catalogue, index);
  const all = [raw<SqlBool>`torrent.id = given.id`, ...columns];
  return raw`${givenIds(catalogue, ids, 'given')} cross join torrent ${hint}
    where ${raw.join(all, raw` and `)}`;
}

/**
 * The same search among the torrents of a range of a column, when those are few: undefined when no range
 * has few. For searches that looked at many and found little.
 */
export async function amongFew(search: Search): Promise<Search | undefined> {
  const { catalogue, index, ranges } = search;
  for (const range of ranges) {
    const { rows } = await raw<{ id: number }>`select torrent.id as id from torrent
      where torrent.removed_ms is null and ${inRange(range)} limit ${FEW_MAX + 1}`.execute(
      catalogue,
    );
    if (rows.length > FEW_MAX) continue;
    const known = index.among === undefined ? undefined : new Set(index.among);
    const among = rows.map(({ id }) => id).filter((id) => known?.has(id) !== false);
    return openSearch({ ...index, among }, search);
  }
  return undefined;
}

function rangesOf(query: ListQuery): readonly Range[] {
  const ranges: readonly Range[] = [
    { column: 'size', min: query.sizeBytesMin, max: query.sizeBytesMax },
    { column: 'created', min: query.createdMsMin, max: undefined },
    { column: 'seeders', min: query.seedersMin, max: query.seedersMax },
  ];
  return ranges.filter(({ min, max }) => min !== undefined || max !== undefined);
}

export function inRange({ column, min, max }: Range): RawBuilder<SqlBool> {
  const key = raw.ref(columnName(column));
  const ends = [
    ...(min === undefined ? [] : [raw`${key} >= ${min}`]),
    ...(max === undefined ? [] : [raw`${key} <= ${max}`]),
  ];
  return raw<SqlBool>`${raw.join(ends, raw` and `)}`;
}

/** What a member has to do with, as a set; undefined when it is none, or one too large. */
async function ownTorrents(
  catalogue: Catalogue,
  { kind, memberId, seeding, leeching, owed = [] }: MineQuery,
): Promise<readonly number[] | undefined> {
  switch (kind) {
    case 'never':
      return undefined;
    case 'seeding':
      return seeding;
    case 'leeching':
      return leeching;
    case 'owed':
      return owed;
    case 'had': {
      const { rows } = await raw<{ id: number }>`select torrent_id as id from ledger_transfer
        where member_id = ${memberId} and (completed_ms > 0 or left_bytes = 0)
        limit ${OWN_MAX + 1}`.execute(catalogue);
      return rows.length > OWN_MAX ? undefined : [...seeding, ...rows.map(({ id }) => id)];
    }
  }
}

/** Where it is no set. The ledger knows what was; the swarms, which it hears of later, know what is. */
function mineFilter({ kind, memberId, seeding, leeching }: MineQuery): Expression<SqlBool> {
  const of = expressionBuilder<CatalogueTables & LedgerTables, 'torrent'>();
  const known = of
    .selectFrom('ledger_transfer')
    .select('ledger_transfer.torrent_id')
    .where('ledger_transfer.member_id', '=', memberId);
  if (kind === 'never') {
    const isHere = idsIn([...seeding, ...leeching]);
    return of.not(of.or([isHere, of('torrent.id', 'in', known)]));
  }
  const whole = known.where((row) =>
    row.or([row('completed_ms', '>', 0), row('left_bytes', '=', 0)]),
  );
  return of.or([idsIn(seeding), of('torrent.id', 'in', whole)]);
}

function idsIn(ids: readonly number[]): Expression<SqlBool> {
  const of = expressionBuilder<CatalogueTables, 'torrent'>();
  return ids.length === 0 ? raw<SqlBool>`1 = 0` : of('torrent.id', 'in', ids.slice(0, IDS_MAX));
}
