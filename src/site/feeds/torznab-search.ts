// What a Torznab request asks for, in the words of this catalogue, and what is said of it in `caps`.

import type { CatalogueTables } from '#site/catalogue/catalogue-tables.ts';
import type { Sql } from '#sql/sql.ts';
import { FEED_ITEMS_MAX } from './feed-items.ts';
import { document, element } from './xml.ts';

export interface NumberedCategory {
  readonly slug: string;
  readonly name: string;
  /** Its own, in the range that is free for sites, then the common ones that it is like. */
  readonly numbers: readonly number[];
}

/** From here on a site numbers its own categories. */
const OWN_NUMBERS = 100_000;
const CATEGORIES_MAX = 200;
/** How far a client may turn pages: beyond it the list on the site serves better. */
const OFFSET_MAX = 900;

/** Programs ask for the common numbers unless somebody chose ours by hand. */
const COMMON: Readonly<Record<string, readonly number[]>> = {
  games: [1000, 4050],
  films: [2000],
  movies: [2000],
  video: [2000, 5000],
  series: [5000],
  tv: [5000],
  audio: [3000],
  music: [3000],
  software: [4000],
  books: [7000],
  other: [8000],
};

export async function numberedCategories(sql: Sql): Promise<readonly NumberedCategory[]> {
  const rows = await sql
    .read<CatalogueTables>()
    .selectFrom('category')
    .select(['id', 'slug', 'name'])
    .orderBy('position')
    .limit(CATEGORIES_MAX)
    .execute();
  return rows.map(({ id, slug, name }) => ({
    slug,
    name,
    numbers: [OWN_NUMBERS + id, ...(COMMON[slug] ?? [])],
  }));
}

export interface TorznabSearch {
  readonly words: string;
  /** Slugs; undefined asks for all, none for nothing. */
  readonly categories: readonly string[] | undefined;
  readonly offset: number;
  readonly limit: number;
}

/** Why a request is not searched for; codes are the specification's. */
export interface TorznabProblem {
  readonly code: 201 | 202 | 203;
  readonly words: string;
}

/** `t` of a request to what it adds to the words; each is answered by the one search there is. */
const SEARCHES: Readonly<Record<string, readonly string[]>> = {
  search: ['q'],
  'tv-search': ['q', 'season', 'ep'],
  'movie-search': ['q', 'year'],
  'audio-search': ['q', 'artist', 'album', 'year'],
  'book-search': ['q', 'author', 'title', 'year'],
};
const FUNCTIONS: Readonly<Record<string, string>> = {
  search: 'search',
  tvsearch: 'tv-search',
  movie: 'movie-search',
  music: 'audio-search',
  book: 'book-search',
};
/** Numbers that other sites give to films and series. No torrent here has one. */
const FOREIGN = ['imdbid', 'tmdbid', 'tvdbid', 'tvmazeid', 'traktid', 'rid', 'doubanid'];
const NO_FUNCTION: TorznabProblem = { code: 202, words: 'No such function.' };

export function readSearch(
  kind: string,
  categories: readonly NumberedCategory[],
  query: (name: string) => string,
): TorznabSearch | TorznabProblem {
  const search = Object.hasOwn(FUNCTIONS, kind) ? FUNCTIONS[kind] : undefined;
  if (search === undefined) return NO_FUNCTION;
  const words = ['q', 'artist', 'album', 'author', 'title', 'year']
    .filter((name) => SEARCHES[search]?.includes(name))
    .map((name) => query(name).trim());
  const isNamed = words.some((word) => word !== '');
  const foreign = FOREIGN.find((name) => query(name).trim() !== '');
  if (!isNamed && foreign !== undefined) {
    // All there is would be taken for what was asked for.
    return { code: 203, words: `Nothing is found by ${foreign} here; search for its name by q.` };
  }
  if (search === 'tv-search') {
    const episode = episodeWords(query('season').trim(), query('ep').trim());
    if (episode === undefined) return { code: 201, words: 'season and ep are not understood.' };
    words.push(episode);
  }
  const asked = query('cat')
    .split(',')
    .filter((text) => /^\d{1,9}$/.test(text.trim()))
    .map(Number);
  const isMeant = (category: NumberedCategory): boolean =>
    category.numbers.some((number) => asked.some((one) => covers(one, number)));
  return {
    words: words.filter((word) => word !== '').join(' '),
    categories:
      query('cat').trim() === '' ? undefined : categories.filter(isMeant).map(({ slug }) => slug),
    offset: readNumber(query('offset'), 0, OFFSET_MAX),
    limit: readNumber(query('limit'), FEED_ITEMS_MAX, FEED_ITEMS_MAX),
  };
}

/** 5040 is a kind of 5000: who asks for either may want what is only called 5000 here. */
function covers(asked: number, number: number): boolean {
  if (asked === number) return true;
  return asked < OWN_NUMBERS && number % 1000 === 0 && asked - (asked % 1000) === number;
}

/**
 * `S01E02`, as such things are named; what is sent every day goes by its date, `2026 05 12`, asked for as
 * season 2026 and ep 05/12. Undefined when it is neither.
 */
function episodeWords(season: string, episode: string): string | undefined {
  const two = (text: string): string => text.padStart(2, '0');
  const [, day] = /^(\d{1,2}\/\d{1,2})$/.exec(episode) ?? [];
  if (day !== undefined) {
    return /^\d{4}$/.test(season) ? [season, ...day.split('/').map(two)].join(' ') : undefined;
  }
  const [, ofSeason] = /^S?(\d{1,4})$/i.exec(season) ?? [];
  const [, ofEpisode] = /^E?(\d{1,4})$/i.exec(episode) ?? [];
  if (season === '') return episode === '' ? '' : undefined;
  if (ofSeason === undefined || (episode !== '' && ofEpisode === undefined)) return undefined;
  return `S${two(ofSeason)}${ofEpisode === undefined ? '' : `E${two(ofEpisode)}`}`;
}

function readNumber(text: string, otherwise: number, max: number): number {
  return /^\d{1,6}$/.test(text) ? Math.min(Number(text), max) : otherwise;
}

export function capabilities(siteName: string, categories: readonly NumberedCategory[]): string {
  const searching = Object.entries(SEARCHES).map(([name, parameters]) =>
    element(name, { available: 'yes', supportedParams: parameters.join(',') }),
  );
  const listed = categories.flatMap(({ name, numbers }) =>
    numbers.map((id) => element('category', { id, name })),
  );
  return document(
    element(
      'caps',
      {},
      element('server', { title: siteName }),
      element('limits', { max: FEED_ITEMS_MAX, default: FEED_ITEMS_MAX }),
      element('searching', {}, ...searching),
      element('categories', {}, ...listed),
    ),
  );
}
