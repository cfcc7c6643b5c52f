// What an uploader writes about a torrent: title, tags, description. Cleaned and checked here, for
// the page, the command line and tests alike.

import { Refusal } from '#site/refusal.ts';
import { versionOf } from '#site/shown.ts';

export const WORDS_LIMITS = {
  titleCharsMax: 200,
  tagsMax: 20,
  tagCharsMax: 40,
  descriptionCharsMax: 40_000,
  reasonCharsMax: 200,
} as const;

export interface TorrentWords {
  readonly title: string;
  /** Slug of a category. */
  readonly category: string;
  readonly tags: readonly string[];
  /** Markdown. */
  readonly description: string;
}

/** Of what the form of a torrent's words shows. */
export function wordsVersion({ title, category, tags, description }: TorrentWords): string {
  return versionOf([title, category, tags.toSorted(), description]);
}

type WordsField = 'title' | 'category' | 'tags' | 'description';

/** Empty when all is well. Whether the category exists is checked with the database. */
export function checkWords(words: TorrentWords): readonly Refusal[] {
  const problems: Refusal[] = [];
  const refuse = (field: WordsField, reason: string): void => {
    problems.push(new Refusal(`${field}-invalid`, reason, field));
  };
  const { titleCharsMax, tagsMax, tagCharsMax, descriptionCharsMax } = WORDS_LIMITS;
  if (words.title === '') refuse('title', 'A torrent needs a title.');
  if (words.title.length > titleCharsMax) {
    refuse('title', `The title is longer than ${titleCharsMax} characters.`);
  }
  if (words.tags.length > tagsMax) refuse('tags', `A torrent has at most ${tagsMax} tags.`);
  const long = words.tags.find((tag) => tag.length > tagCharsMax);
  if (long !== undefined) {
    refuse('tags', `The tag “${long.slice(0, 20)}…” is longer than ${tagCharsMax} characters.`);
  }
  if (words.description.length > descriptionCharsMax) {
    refuse('description', `The description is longer than ${descriptionCharsMax} characters.`);
  }
  return problems;
}

/** One line, without control and direction characters; empty when nothing of it can be seen. */
export function cleanTitle(text: string): string {
  return cleanLine(text);
}

/** Tags as typed, separated by commas: lower case, `-` for blanks, without repeats. */
export function parseTags(text: string): string[] {
  return cleanTags(text.slice(0, 4000).split(/[,;\n]/));
}

export function cleanTags(tags: readonly string[]): string[] {
  const cleaned = tags.map((tag) =>
    cleanLine(tag)
      .normalize('NFKC')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M}.+#]+/gu, '-')
      .replace(/^[-.]+|[-.]+$/g, ''),
  );
  return [...new Set(cleaned)].filter((tag) => tag !== '');
}

/** Lines end with `\n`; what no page can show is dropped. */
export function cleanDescription(text: string): string {
  return text
    .toWellFormed()
    .replace(/\r\n?/g, '\n')
    .replace(/[^\P{Cc}\n\t]/gu, '')
    .trim();
}

function cleanLine(text: string): string {
  const line = text
    .toWellFormed()
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .replace(/[\u202a-\u202e\u2066-\u2069]/g, '')
    .replace(/\s+/g, ' ')
    .trim();
  // Blanks without a width would be a link that nobody can press.
  return /[^\p{Default_Ignorable_Code_Point}\p{Z}\u2800]/u.test(line) ? line : '';
}
