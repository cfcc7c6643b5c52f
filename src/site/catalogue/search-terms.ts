// What stands in the search index of a torrent: terms. A term is a letter that says where a word stands,
// and the word; a torrent's category and tags, and the beginnings of its words, are terms as well, so that
// "this tag, that category and these words" is one intersection of the lists of torrents that have each.

import { nameFacts } from './name-facts.ts';
import { wordsOf } from './search-words.ts';

export interface SearchText {
  readonly title: string;
  readonly tags: readonly string[];
  readonly categoryId: number;
  readonly description: string;
  /** Names of files and folders, joined by blanks. */
  readonly files: string;
}

/**
 * Raised with every change in what terms a text gives, in how its words are cut, and in what names say:
 * the terms of torrents that are there already are made anew then (reindex-torrents.ts). 2: the upgrade to 1
 * left out the tags of three in four torrents.
 */
export const TERMS_VERSION = 2;

/** Words of one kind in one torrent that are kept. */
const WORDS_MAX = 4000;

/** Of a beginning that is a term: shorter words are not completed, longer beginnings are read by words. */
export const BEGINNING_CHARS = 3;

/** Every torrent that is listed has it. */
export const LISTED_TERM = '';

export type WordPlace = 'anywhere' | 'title' | 'tags';

const LETTERS = { anywhere: 'w', title: 't', tags: 'g' } as const satisfies Record<
  WordPlace,
  string
>;

export function wordTerm(place: WordPlace, word: string): string {
  return LETTERS[place] + word;
}

/** Of words in the title or among the tags, or anywhere. Of BEGINNING_CHARS characters. */
export function beginningTerm(place: 'anywhere' | 'head', beginning: string): string {
  return (place === 'anywhere' ? 'p' : 'q') + beginning;
}

export function categoryTerm(id: number): string {
  return `c${id}`;
}

export function tagTerm(tag: string): string {
  return `m${tag}`;
}

export interface SearchTerms {
  readonly terms: ReadonlySet<string>;
  /** For the vocabulary: what may be mistyped. */
  readonly words: ReadonlySet<string>;
}

export function termsOf({ title, tags, categoryId, description, files }: SearchText): SearchTerms {
  const inTitle = words(title);
  const inTags = words(tags.join(' '));
  const others = [...words(description), ...words([...nameFacts(title), files].join(' '))];
  const all = new Set([...inTitle, ...inTags, ...others]);
  const terms = new Set([LISTED_TERM, categoryTerm(categoryId), ...tags.map(tagTerm)]);
  for (const word of inTitle) terms.add(wordTerm('title', word));
  for (const word of inTags) terms.add(wordTerm('tags', word));
  for (const word of [...inTitle, ...inTags]) addBeginning(terms, 'head', word);
  for (const word of all) {
    terms.add(wordTerm('anywhere', word));
    addBeginning(terms, 'anywhere', word);
  }
  return { terms, words: all };
}

function addBeginning(terms: Set<string>, place: 'anywhere' | 'head', word: string): void {
  const beginning = word.slice(0, BEGINNING_CHARS);
  // Half a character begins no word that is asked for.
  if (beginning.length < BEGINNING_CHARS || !beginning.isWellFormed()) return;
  terms.add(beginningTerm(place, beginning));
}

function words(text: string): string[] {
  return wordsOf(text).slice(0, WORDS_MAX);
}
