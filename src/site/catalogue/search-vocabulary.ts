// Every word that stands in the search index, as a table of its own, the same on both databases. A query
// is read by it before the index is asked: a word becomes the words here that begin with it, or, where
// there is none, the nearest ones by spelling. So prefixes cost no more than words, and mistyping finds the
// same on both databases.
//
// Words of torrents that were removed stay: the worst that comes of it is a suggestion that finds
// nothing.

import { sql } from 'kysely';
import { insertColumns } from '#sql/row-columns.ts';
import type { Catalogue } from './search-index.ts';
import { queryWords } from './search-words.ts';

/** A word of a query, and the words of the index that stand for it. */
export interface AskedWord {
  readonly asked: string;
  /** Any of them will do. Never empty. */
  readonly read: readonly string[];
  /** There are too many that begin with it, so that the index is asked for the beginning. */
  readonly isPrefix: boolean;
  /** It is not there, nor anything that begins with it: `read` are the nearest that are. */
  readonly isCorrected: boolean;
}

/** Shorter words of a query stand for themselves alone. */
const PREFIX_CHARS_MIN = 3;
/** More words that begin alike than this are one question for a beginning. */
const COMPLETIONS_MAX = 32;
/** Shorter words have too many neighbours. */
const CORRECTED_CHARS_MIN = 4;
/** From this length on two mistakes are forgiven. */
const TWICE_WRONG_CHARS_MIN = 8;
const CORRECTIONS_MAX = 8;
/** Words that are compared for one that is not there. */
const CANDIDATES_MAX = 5_000;
/** The last code point there is, so that nothing that begins with a word comes after it. */
export const LAST = '\u{10ffff}';

/** Adds what is new. In one order, so that two uploads cannot wait for each other. */
export async function addWords(transaction: Catalogue, words: Iterable<string>): Promise<void> {
  const known = [...new Set(words)].filter((word) => word.length >= PREFIX_CHARS_MIN).sort();
  await insertColumns(transaction, {
    table: 'search_word',
    columns: [
      { name: 'word', type: 'text', values: known },
      { name: 'reversed', type: 'text', values: known.map(reversed) },
    ],
    onConflict: '(word) do nothing',
  });
}

/** The distinct words of a query; empty when it has none. */
export async function readQuery(
  catalogue: Catalogue,
  query: string,
): Promise<readonly AskedWord[]> {
  return await Promise.all(queryWords(query).map((word) => readWord(catalogue, word)));
}

async function readWord(catalogue: Catalogue, asked: string): Promise<AskedWord> {
  const plain = { asked, read: [asked], isPrefix: false, isCorrected: false };
  if (asked.length < PREFIX_CHARS_MIN) return plain;
  const longer = await beginningWith(catalogue, 'word', {
    start: asked,
    limit: COMPLETIONS_MAX + 1,
  });
  if (longer.length > COMPLETIONS_MAX) return { ...plain, isPrefix: true };
  if (longer.length > 0) return { ...plain, read: longer };
  const near = await nearestWords(catalogue, asked);
  return near.length === 0 ? plain : { ...plain, read: near, isCorrected: true };
}

async function nearestWords(catalogue: Catalogue, asked: string): Promise<readonly string[]> {
  if (asked.length < CORRECTED_CHARS_MIN || /\p{N}/u.test(asked)) return [];
  const once = await wordsWithin(catalogue, asked, 1);
  if (once.length > 0 || asked.length < TWICE_WRONG_CHARS_MIN) return once;
  return await wordsWithin(catalogue, asked, 2);
}

/**
 * Words at most so many mistakes away, nearest first. One mistake leaves the first or the second half
 * of a word as it is, or is an exchange of two letters; of two, those that leave the first or the last
 * third as it is are found.
 */
async function wordsWithin(
  catalogue: Catalogue,
  asked: string,
  distanceMax: 1 | 2,
): Promise<readonly string[]> {
  const part = Math.floor(asked.length / (distanceMax + 1));
  const lengths = { min: asked.length - distanceMax, max: asked.length + distanceMax };
  const [starts, ends, exchanged] = await Promise.all([
    beginningWith(catalogue, 'word', {
      start: asked.slice(0, part),
      lengths,
      limit: CANDIDATES_MAX,
    }),
    beginningWith(catalogue, 'reversed', {
      start: reversed(asked).slice(0, part),
      lengths,
      limit: CANDIDATES_MAX,
    }),
    knownOf(catalogue, exchanges(asked)),
  ]);
  const near = [...new Set([...starts, ...ends, ...exchanged])]
    .map((word) => ({ word, distance: spellingDistance(asked, word, distanceMax) }))
    .filter(({ distance }) => distance <= distanceMax)
    .sort((a, b) => a.distance - b.distance || (a.word < b.word ? -1 : 1));
  return near.slice(0, CORRECTIONS_MAX).map(({ word }) => word);
}

async function beginningWith(
  catalogue: Catalogue,
  column: 'word' | 'reversed',
  asked: {
    readonly start: string;
    readonly limit: number;
    readonly lengths?: { readonly min: number; readonly max: number };
  },
): Promise<readonly string[]> {
  const { start, limit, lengths } = asked;
  const by = sql.ref(column);
  const fits =
    lengths === undefined
      ? sql`1 = 1`
      : sql`length(word) between ${lengths.min} and ${lengths.max}`;
  const { rows } = await sql<{ word: string }>`select word from search_word
    where ${by} >= ${start} and ${by} < ${start + LAST} and ${fits}
    order by ${by} limit ${limit}`.execute(catalogue);
  return rows.map(({ word }) => word);
}

async function knownOf(catalogue: Catalogue, words: readonly string[]): Promise<readonly string[]> {
  const { rows } = await sql<{ word: string }>`select word from search_word
    where word in (${sql.join(words)})`.execute(catalogue);
  return rows.map(({ word }) => word);
}

/** With each two neighbours exchanged. */
function exchanges(word: string): readonly string[] {
  const letters = [...word];
  return letters.slice(1).map((letter, at) => {
    const other = [...letters];
    other[at + 1] = letters[at]!;
    other[at] = letter;
    return other.join('');
  });
}

function reversed(word: string): string {
  return [...word].reverse().join('');
}

/**
 * Letters to add, take away, replace, or exchange with their neighbour until one word is the other
 * (optimal string alignment); any number above `max` when there are more.
 */
export function spellingDistance(a: string, b: string, max: number): number {
  if (Math.abs(a.length - b.length) > max) return max + 1;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let row = 1; row <= a.length; row++) {
    const now = [row];
    let least = row;
    for (let at = 1; at <= b.length; at++) {
      const isSame = a[row - 1] === b[at - 1];
      let cost = Math.min(last[at]! + 1, now[at - 1]! + 1, last[at - 1]! + (isSame ? 0 : 1));
      if (row > 1 && at > 1 && a[row - 1] === b[at - 2] && a[row - 2] === b[at - 1]) {
        cost = Math.min(cost, before[at - 2]! + 1);
      }
      now.push(cost);
      least = Math.min(least, cost);
    }
    if (least > max) return max + 1;
    before = last;
    last = now;
  }
  return last[b.length]!;
}
