// The full-text index: the only place where the catalogue speaks to the two engines differently.
// SQLite keeps an FTS5 table without a copy of the text, PostgreSQL a column of type tsvector. Both
// get words that are cut already, weighted title over tags over the rest.

import { type Expression, type Kysely, type RawBuilder, type SqlBool, sql } from 'kysely';
import { dialectOf } from '#sql/dialect.ts';
import type { CatalogueTables } from './catalogue-tables.ts';
import { queryWords, wordsOf } from './search-words.ts';

export interface SearchText {
  readonly title: string;
  readonly tags: readonly string[];
  readonly description: string;
  /** Names of files and folders, joined by blanks. */
  readonly files: string;
}

/** A transaction or, for reading, the database. */
export type Catalogue = Kysely<CatalogueTables>;

/** Words of one kind in one torrent that are kept; together they stay far below tsvector's 1 MiB. */
const WORDS_MAX = 4000;
/** Beyond this, PostgreSQL counts all words as standing at one place. */
const POSITION_MAX = 16_383;

/** Puts the torrent's words in, or replaces them. */
export async function indexTorrent(
  transaction: Catalogue,
  torrentId: number,
  text: SearchText,
): Promise<void> {
  const title = words(text.title);
  const tags = words(text.tags.join(' '));
  const description = words(text.description);
  const files = words(text.files);
  await unindexTorrent(transaction, torrentId);
  if (dialectOf(transaction) === 'sqlite') {
    await sql`insert into torrent_search (rowid, title, tags, description, files)
      values (${torrentId}, ${title.join(' ')}, ${tags.join(' ')}, ${description.join(' ')},
        ${files.join(' ')})`.execute(transaction);
    return;
  }
  const vector = tsvector([
    ['A', title],
    ['B', tags],
    ['C', description],
    ['D', files],
  ]);
  await sql`insert into torrent_search (torrent_id, words)
    values (${torrentId}, cast(${vector} as tsvector))`.execute(transaction);
}

export async function unindexTorrent(transaction: Catalogue, torrentId: number): Promise<void> {
  const column = sql.ref(dialectOf(transaction) === 'sqlite' ? 'rowid' : 'torrent_id');
  await sql`delete from torrent_search where ${column} = ${torrentId}`.execute(transaction);
}

/** True for torrents that have every word of the query; undefined when it has no word at all. */
export function matches(
  catalogue: Catalogue,
  query: string,
  torrentId: Expression<number>,
): RawBuilder<SqlBool> | undefined {
  const found = matchingIds(catalogue, query);
  return found === undefined ? undefined : sql<SqlBool>`${torrentId} in (${found})`;
}

function matchingIds(catalogue: Catalogue, query: string): RawBuilder<number> | undefined {
  const asked = queryWords(query);
  if (asked.length === 0) return undefined;
  if (dialectOf(catalogue) === 'sqlite') {
    return sql`select rowid from torrent_search where torrent_search match ${ftsQuery(asked)}`;
  }
  return sql`select torrent_id from torrent_search
    where words @@ cast(${tsquery(asked)} as tsquery)`;
}

export interface Ranking {
  readonly query: string;
  /** About the table `torrent`. */
  readonly filter: Expression<SqlBool>;
  /** A common word matches half of a large catalogue, and ranking all of it would take seconds. */
  readonly newestMax: number;
}

/** Of the newest matches, the best first by the engine's own rank. */
export async function rankedIds(catalogue: Catalogue, ranking: Ranking): Promise<number[]> {
  const { filter, newestMax } = ranking;
  const asked = queryWords(ranking.query);
  if (asked.length === 0) return [];
  const query = dialectOf(catalogue) === 'sqlite' ? ftsQuery(asked) : tsquery(asked);
  const ranked =
    dialectOf(catalogue) === 'sqlite'
      ? sql<{ id: number }>`select id from (
            select torrent.id as id, bm25(torrent_search, 10, 5, 2, 1) as score
            from torrent_search join torrent on torrent.id = torrent_search.rowid
            where torrent_search match ${query} and ${filter}
            order by torrent_search.rowid desc limit ${newestMax}) as newest
          order by score, id desc`
      : sql<{ id: number }>`select id from (
            select torrent.id as id,
              ts_rank('{0.1, 0.2, 0.5, 1.0}', words, cast(${query} as tsquery)) as score
            from torrent_search join torrent on torrent.id = torrent_search.torrent_id
            where words @@ cast(${query} as tsquery) and ${filter}
            order by torrent.id desc limit ${newestMax}) as newest
          order by score desc, id desc`;
  const { rows } = await ranked.execute(catalogue);
  return rows.map((row) => row.id);
}

function words(text: string): string[] {
  return wordsOf(text).slice(0, WORDS_MAX);
}

// Words have letters, digits and marks only, so that quoting them needs no escapes.

function ftsQuery(asked: readonly string[]): string {
  return asked.map((word) => `"${word}"*`).join(' ');
}

function tsquery(asked: readonly string[]): string {
  return asked.map((word) => `'${word}':*`).join(' & ');
}

function tsvector(parts: readonly (readonly [string, readonly string[]])[]): string {
  let position = 0;
  const entries = parts.flatMap(([weight, list]) =>
    list.map((word) => {
      position = Math.min(position + 1, POSITION_MAX);
      return `'${word}':${position}${weight}`;
    }),
  );
  return entries.join(' ');
}
