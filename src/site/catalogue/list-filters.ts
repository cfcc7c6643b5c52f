// What narrows and orders the list of torrents, as its address says it. The same words are kept of a
// saved search, so that a page, a feed and a saved search that say the same find the same.

import type { SwarmPeer } from '#site/swarms.ts';
import { SEARCH_LIMITS } from './search-words.ts';
import { isTorrentSort, type ListQuery, type TorrentSort } from './torrent-list.ts';
import { parseTags, WORDS_LIMITS } from './torrent-words.ts';

/** How many seeders: none, at least one, at least five. */
export const SEED_FILTERS = ['none', 'some', 'many'] as const;
export type SeedFilter = (typeof SEED_FILTERS)[number];

/**
 * What the reader has to do with a torrent. `had`: had all of it, whether they seed it now or not.
 * `owed`: left it before they gave back what the rules ask.
 */
export const MINE_FILTERS = ['never', 'seeding', 'leeching', 'had', 'owed'] as const;
export type MineFilter = (typeof MINE_FILTERS)[number];

/** Days since a torrent was added. */
export const AGE_FILTERS = [1, 7, 30, 365] as const;
export type AgeFilter = (typeof AGE_FILTERS)[number];

export interface ListFilters {
  readonly words: string;
  /** Slug; empty for all. */
  readonly category: string;
  /** All of them. */
  readonly tags: readonly string[];
  /** Bytes, both ends included. */
  readonly sizeMin?: number;
  readonly sizeMax?: number;
  readonly ageDays?: AgeFilter;
  readonly seeds?: SeedFilter;
  readonly mine?: MineFilter;
  readonly sort?: { readonly by: TorrentSort; readonly descending: boolean };
}

export const NO_FILTERS: ListFilters = { words: '', category: '', tags: [] };

/** The names by which an address says them. */
export type FilterField =
  | 'q'
  | 'category'
  | 'tags'
  | 'size-from'
  | 'size-to'
  | 'added'
  | 'seeds'
  | 'mine'
  | 'sort';

const SEEDERS_MANY = 5;
const DAY_MS = 86_400_000;
const FIELD_CHARS_MAX = 1000;

/** `values` gives every value of a field; a field that is given several times is all of them. */
export function readFilters(values: (field: FilterField) => readonly string[]): ListFilters {
  const first = (field: FilterField): string =>
    (values(field)[0] ?? '').trim().slice(0, FIELD_CHARS_MAX).toWellFormed();
  const order = first('sort');
  const descending = order.startsWith('-');
  const by = descending ? order.slice(1) : order;
  const sizeMin = parseSize(first('size-from'));
  const sizeMax = parseSize(first('size-to'));
  const ageDays = AGE_FILTERS.find((days) => String(days) === first('added'));
  const seeds = SEED_FILTERS.find((one) => one === first('seeds'));
  const mine = MINE_FILTERS.find((one) => one === first('mine'));
  return {
    words: first('q').slice(0, SEARCH_LIMITS.queryCharsMax).toWellFormed(),
    category: first('category').slice(0, 100).toWellFormed(),
    tags: parseTags(values('tags').join(',')).slice(0, WORDS_LIMITS.tagsMax),
    ...(sizeMin === undefined ? {} : { sizeMin }),
    ...(sizeMax === undefined ? {} : { sizeMax }),
    ...(ageDays === undefined ? {} : { ageDays }),
    ...(seeds === undefined ? {} : { seeds }),
    ...(mine === undefined ? {} : { mine }),
    ...(isTorrentSort(by) ? { sort: { by, descending } } : {}),
  };
}

/** What `readFilters` reads back; what is not narrowed is left out. */
export function filterFields(filters: ListFilters): Readonly<Partial<Record<FilterField, string>>> {
  const { sizeMin, sizeMax, ageDays, seeds, mine, sort } = filters;
  const fields: Record<FilterField, string> = {
    q: filters.words,
    category: filters.category,
    tags: filters.tags.join(','),
    'size-from': sizeMin === undefined ? '' : sizeText(sizeMin),
    'size-to': sizeMax === undefined ? '' : sizeText(sizeMax),
    added: ageDays === undefined ? '' : String(ageDays),
    seeds: seeds ?? '',
    mine: mine ?? '',
    sort: sort === undefined ? '' : `${sort.descending ? '-' : ''}${sort.by}`,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ''));
}

/** One line that says all of it, the same for the same filters: `q=rain&tags=csv%2Cdaily`. */
export function filtersText(filters: ListFilters): string {
  return new URLSearchParams(filterFields(filters) as Record<string, string>).toString();
}

export function filtersOfText(text: string): ListFilters {
  const parameters = new URLSearchParams(text);
  return readFilters((field) => parameters.getAll(field).map((one) => one.replaceAll('\0', '')));
}

/** True when something narrows the list; an order does not. */
export function isNarrowed(filters: ListFilters): boolean {
  return Object.keys(filterFields(filters)).some((field) => field !== 'sort');
}

/** For whom a list is made: ages count from now, and `mine` is theirs. */
export interface ListReader {
  readonly memberId: number;
  readonly nowMs: number;
  /** Their clients in all swarms. */
  readonly peers: readonly Pick<SwarmPeer, 'torrentId' | 'state'>[];
  /** Torrents that they left too early; none unless given. */
  readonly owed?: ReadonlySet<number>;
}

/** The filters as `listTorrents` takes them. */
export function listQueryOf(
  filters: ListFilters,
  reader: ListReader,
): Omit<ListQuery, 'cursor' | 'rowsMax'> {
  const { category, sizeMin, sizeMax, ageDays, seeds, mine, sort } = filters;
  return {
    words: filters.words,
    tags: filters.tags,
    ...(category === '' ? {} : { category }),
    ...(sizeMin === undefined ? {} : { sizeBytesMin: sizeMin }),
    ...(sizeMax === undefined ? {} : { sizeBytesMax: sizeMax }),
    ...(ageDays === undefined ? {} : { createdMsMin: reader.nowMs - ageDays * DAY_MS }),
    ...(seeds === 'none' ? { seedersMax: 0 } : {}),
    ...(seeds === 'some' ? { seedersMin: 1 } : {}),
    ...(seeds === 'many' ? { seedersMin: SEEDERS_MANY } : {}),
    ...(mine === undefined ? {} : { mine: mineOf(mine, reader) }),
    ...(sort === undefined ? {} : { sort }),
  };
}

function mineOf(
  kind: MineFilter,
  { memberId, peers, owed = new Set() }: ListReader,
): NonNullable<ListQuery['mine']> {
  const seeding = new Set<number>();
  const leeching = new Set<number>();
  for (const { state, torrentId } of peers) {
    (state === 'leecher' ? leeching : seeding).add(torrentId);
  }
  const alone = [...leeching].filter((id) => !seeding.has(id));
  return { kind, memberId, seeding: [...seeding], leeching: alone, owed: [...owed] };
}

const UNITS = ['b', 'kib', 'mib', 'gib', 'tib', 'pib'] as const;
const UNIT_WORDS = ['', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `700 MiB`, `1.5g`, `2tb` or plain bytes; units are binary. Undefined for anything else. */
export function parseSize(text: string): number | undefined {
  const found = /^(\d{1,16}(?:[.,]\d{1,6})?)\s*(?:([kmgtp])(?:i?b)?|b|bytes?)?$/i.exec(text.trim());
  if (found === null) return undefined;
  const [, number = '', unit = 'b'] = found;
  const at = UNITS.findIndex((one) => one.startsWith(unit.toLowerCase()));
  const bytes = Math.round(Number(number.replace(',', '.')) * 1024 ** Math.max(0, at));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** The shortest words that `parseSize` reads as exactly these bytes. */
export function sizeText(bytes: number): string {
  for (let at = UNIT_WORDS.length - 1; at > 0; at--) {
    const text = String(bytes / 1024 ** at);
    if (/^\d+(\.\d{1,3})?$/.test(text)) return `${text} ${UNIT_WORDS[at]}`;
  }
  return String(bytes);
}
