// Cuts text into the words of the full-text index. Titles, file names and queries all go through
// here, and the engines are given finished words, so that SQLite and PostgreSQL find the same
// torrents for the same query.
//
// A word is a run of letters, digits and marks, folded: compatibility forms made plain, accents of
// Latin, Greek and Cyrillic letters dropped, lower case. "Ångström_v2.1.tar" is angstrom, v2, 1, tar.
// Scripts written without spaces (Han, Kana) give one word per character.

export const SEARCH_LIMITS = {
  /** Of a query; what is longer is cut. */
  queryCharsMax: 200,
  queryWordsMax: 16,
  wordCharsMax: 64,
  /** Of one text that is indexed; what comes after is not found. */
  textCharsMax: 65_536,
} as const;

const WORD = /[\p{L}\p{N}\p{M}]+/gu;
const SPACELESS = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u;
const SPACELESS_PARTS = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]\p{M}*|./gsu;

/** Words in the order of the text, repeats kept. */
export function wordsOf(text: string): string[] {
  const folded = foldText(text.slice(0, SEARCH_LIMITS.textCharsMax));
  const words: string[] = [];
  for (const [run] of folded.matchAll(WORD)) {
    if (SPACELESS.test(run)) pushSpaceless(run, words);
    else words.push(cut(run));
  }
  return words;
}

/** The distinct words of a query; the text must contain each, or a word that begins with it. */
export function queryWords(query: string): string[] {
  const words = new Set(wordsOf(query.slice(0, SEARCH_LIMITS.queryCharsMax)));
  return [...words].slice(0, SEARCH_LIMITS.queryWordsMax);
}

/** How a title is sorted: without case and accents, the same on every database. */
export function sortKey(title: string): string {
  return foldText(title.trim()).slice(0, 100).toWellFormed();
}

function foldText(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase()
    .normalize('NFC');
}

function pushSpaceless(run: string, words: string[]): void {
  let plain = '';
  for (const [part] of run.matchAll(SPACELESS_PARTS)) {
    if (!SPACELESS.test(part)) {
      plain += part;
      continue;
    }
    if (plain !== '') words.push(cut(plain));
    plain = '';
    words.push(part);
  }
  if (plain !== '') words.push(cut(plain));
}

function cut(word: string): string {
  return word.length <= SEARCH_LIMITS.wordCharsMax
    ? word
    : word
        .slice(0, SEARCH_LIMITS.wordCharsMax)
        .toWellFormed()
        .replace(/\ufffd$/, '');
}
