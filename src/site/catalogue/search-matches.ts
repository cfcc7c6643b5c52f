// Reads the search index: the torrents that have all of what is asked for. Blocks of it are read from the
// newest on, and no more of them than are needed for a page; a block of a common word is 8 KiB.

import { BLOCK_IDS, blockOf, IdBlock } from './id-block.ts';
import type { Postings } from './search-postings.ts';
import {
  BEGINNING_CHARS,
  beginningTerm,
  categoryTerm,
  LISTED_TERM,
  tagTerm,
  type WordPlace,
  wordTerm,
} from './search-terms.ts';
import type { AskedWord } from './search-vocabulary.ts';

/** What a torrent must have: all of it. */
export interface IndexQuery {
  readonly words: readonly AskedWord[];
  readonly tags: readonly string[];
  /** -1 for one that there is not. */
  readonly categoryId?: number;
  /** It must be one of these. */
  readonly among?: readonly number[];
}

export type Direction = 'asc' | 'desc';

/**
 * Where words must stand. `title-exact` takes them as they were asked, when they are there. Each finds
 * all that those before it find.
 */
const CLOSENESS = ['title-exact', 'title-or-tags', 'anywhere'] as const;
type Closeness = (typeof CLOSENESS)[number];

/** Any of the terms will do, or of those that begin so. */
interface Part {
  readonly terms: readonly string[];
  readonly beginnings: readonly string[];
}

const NO_SETS: ReadonlyMap<string, IdBlock> = new Map();
const NO_MATCHES: ReadonlyMap<Closeness, IdBlock> = new Map();
/** Numbers times sets in which each is looked for. */
const TESTED_MAX = 1000;

/** How many blocks are read at once: more each time, as the first ones did not do. */
const BLOCKS_GROWTH = 4;
const BLOCKS_AT_ONCE_MAX = 64;
/** At first, of words and tags: few torrents have most of them, so that a page needs all there are. */
const BLOCKS_OF_WORDS = 16;

/** One question, for the time of one page. */
export class Matches {
  /** How many numbers there are in use, at most. */
  readonly idsMax: number;
  /** Nothing narrows it but that a torrent is listed. */
  readonly isAll: boolean;
  readonly #postings: Postings;
  readonly #closeness: readonly Closeness[];
  readonly #parts: ReadonlyMap<Closeness, readonly Part[]>;
  readonly #among: ReadonlyMap<number, IdBlock> | undefined;
  readonly #newest: number;
  readonly #blocks = new Map<number, ReadonlyMap<Closeness, IdBlock>>();
  #blocksAtOnce: number;

  constructor(postings: Postings, query: IndexQuery) {
    const { newest } = postings;
    this.#postings = postings;
    this.#newest = newest;
    this.idsMax = (newest + 1) * BLOCK_IDS;
    const { words, tags, categoryId, among } = query;
    this.isAll = words.length + tags.length === 0 && (categoryId ?? among) === undefined;
    this.#blocksAtOnce = words.length + tags.length > 0 ? BLOCKS_OF_WORDS : 1;
    this.#closeness = query.words.length === 0 ? ['anywhere'] : CLOSENESS;
    this.#parts = new Map(this.#closeness.map((one) => [one, partsOf(query, one)]));
    this.#among = query.among === undefined ? undefined : blocksOf(query.among);
  }

  /** How many there are, counted from the newest on, at least up to `max`. */
  async count(max: number): Promise<{ readonly count: number; readonly isAll: boolean }> {
    let count = 0;
    for (let number = this.#newest; number >= 0; number--) {
      if (count > max) return { count, isAll: false };
      count += (await this.#block(number, -1)).count;
    }
    return { count, isAll: true };
  }

  /** All of it, the newest block first. */
  async *blocks(): AsyncGenerator<{ readonly number: number; readonly ids: IdBlock }> {
    for (let number = this.#newest; number >= 0; number--) {
      const ids = await this.#block(number, -1);
      if (ids.count > 0) yield { number, ids };
    }
  }

  /** In the order of numbers, behind the edge; fewer than `limit` when there are no more. */
  async next(of: {
    readonly direction: Direction;
    readonly limit: number;
    readonly after?: number;
  }): Promise<readonly number[]> {
    const isDown = of.direction === 'desc';
    const after = of.after ?? (isDown ? this.idsMax : -1);
    const found: number[] = [];
    const step = isDown ? -1 : 1;
    const first = Math.min(Math.max(blockOf(after), 0), this.#newest);
    for (let number = first; number >= 0 && number <= this.#newest; number += step) {
      const block = await this.#block(number, step);
      const inBlock = after - number * BLOCK_IDS;
      const offsets = block.next({ isDown, after: inBlock, limit: of.limit - found.length });
      for (const offset of offsets) found.push(number * BLOCK_IDS + offset);
      if (found.length === of.limit) return found;
    }
    return found;
  }

  /** For any number: reads all there is when it is asked first. */
  async tester(): Promise<(id: number) => boolean> {
    await this.count(Number.POSITIVE_INFINITY);
    return (id) =>
      this.#blocks
        .get(blockOf(id))
        ?.get('anywhere')
        ?.has(id % BLOCK_IDS) ?? false;
  }

  /**
   * Best first: those whose title has the words, then those whose title or tags have words that begin so,
   * then the others; the newest first in each.
   */
  async *ranked(): AsyncGenerator<readonly number[]> {
    for (const [place, closeness] of this.#closeness.entries()) {
      const closer = this.#closeness[place - 1];
      for (let number = this.#newest; number >= 0; number--) {
        await this.#block(number, -1);
        const sets = this.#blocks.get(number);
        const all = sets?.get(closeness) ?? IdBlock.empty;
        const known = closer === undefined ? undefined : sets?.get(closer);
        const fresh = known === undefined ? all : all.without(known);
        if (fresh.count > 0) {
          yield Array.from(fresh.descending(), (offset) => number * BLOCK_IDS + offset);
        }
      }
    }
  }

  async #block(number: number, step: 1 | -1): Promise<IdBlock> {
    if (!this.#blocks.has(number)) {
      const numbers: number[] = [];
      for (let at = number; at >= 0 && at <= this.#newest; at += step) {
        if (numbers.length === this.#blocksAtOnce) break;
        if (!this.#blocks.has(at)) numbers.push(at);
      }
      this.#blocksAtOnce = Math.min(this.#blocksAtOnce * BLOCKS_GROWTH, BLOCKS_AT_ONCE_MAX);
      await this.#load(numbers);
    }
    return this.#blocks.get(number)?.get('anywhere') ?? IdBlock.empty;
  }

  async #load(numbers: readonly number[]): Promise<void> {
    const wanted =
      this.#among === undefined ? numbers : numbers.filter((one) => this.#among?.has(one));
    const parts = [...this.#parts.values()].flat();
    const terms = [...new Set(parts.flatMap((part) => part.terms))];
    const beginnings = [...new Set(parts.flatMap((part) => part.beginnings))];
    const found = await this.#postings.sets(wanted, { terms, beginnings });
    for (const number of numbers) {
      const sets = found.get(number) ?? NO_SETS;
      const among = this.#among?.get(number);
      const isOut = this.#among !== undefined && among === undefined;
      this.#blocks.set(number, isOut ? NO_MATCHES : this.#matchesIn(sets, among));
    }
  }

  /** From the widest to the closest, each of which is looked for in what is found before. */
  #matchesIn(
    sets: ReadonlyMap<string, IdBlock>,
    among: IdBlock | undefined,
  ): ReadonlyMap<Closeness, IdBlock> {
    const found = new Map<Closeness, IdBlock>();
    let within = among;
    for (const closeness of this.#closeness.toReversed()) {
      within = intersection(this.#parts.get(closeness) ?? [], sets, within);
      found.set(closeness, within);
    }
    return found;
  }
}

/** The rarest first, so that the others are only asked about what is left. */
function intersection(
  parts: readonly Part[],
  sets: ReadonlyMap<string, IdBlock>,
  within: IdBlock | undefined,
): IdBlock {
  const asked = parts.map((part) => {
    const blocks = blocksOfPart(part, sets);
    return { blocks, most: blocks.reduce((sum, { count }) => sum + count, 0) };
  });
  asked.sort((a, b) => a.most - b.most);
  let found = within;
  for (const { blocks } of asked) {
    if (found?.count === 0) return found;
    if (found === undefined) found = IdBlock.union(blocks);
    // Few of them are looked up one by one, where many sets would be put together for them.
    else if (found.count * blocks.length <= TESTED_MAX) found = found.inAny(blocks);
    else found = found.and(IdBlock.union(blocks));
  }
  return found ?? IdBlock.empty;
}

function blocksOfPart(
  { terms, beginnings }: Part,
  sets: ReadonlyMap<string, IdBlock>,
): readonly IdBlock[] {
  const blocks = terms.map((term) => sets.get(term)).filter((block) => block !== undefined);
  for (const beginning of beginnings) {
    for (const [term, block] of sets) if (term.startsWith(beginning)) blocks.push(block);
  }
  return blocks;
}

function partsOf(query: IndexQuery, closeness: Closeness): readonly Part[] {
  const { words, tags, categoryId } = query;
  const parts = words.map((word) => wordPart(word, closeness));
  for (const tag of tags) parts.push({ terms: [tagTerm(tag)], beginnings: [] });
  if (categoryId !== undefined) parts.push({ terms: [categoryTerm(categoryId)], beginnings: [] });
  return parts.length > 0 ? parts : [{ terms: [LISTED_TERM], beginnings: [] }];
}

function wordPart(word: AskedWord, closeness: Closeness): Part {
  if (closeness === 'title-exact') {
    const exact = word.isCorrected ? word.read : [word.asked];
    return { terms: exact.map((one) => wordTerm('title', one)), beginnings: [] };
  }
  const places: readonly WordPlace[] = closeness === 'anywhere' ? ['anywhere'] : ['title', 'tags'];
  const everywhere = (one: string): string[] => places.map((place) => wordTerm(place, one));
  if (!word.isPrefix) return { terms: word.read.flatMap(everywhere), beginnings: [] };
  if (word.asked.length > BEGINNING_CHARS) {
    return { terms: [], beginnings: everywhere(word.asked) };
  }
  const place = closeness === 'anywhere' ? 'anywhere' : 'head';
  return { terms: [beginningTerm(place, word.asked)], beginnings: [] };
}

function blocksOf(ids: readonly number[]): ReadonlyMap<number, IdBlock> {
  const blocks = Map.groupBy(ids, blockOf);
  return new Map(
    [...blocks].map(([block, all]) => [block, IdBlock.of(all.map((id) => id % BLOCK_IDS))]),
  );
}
