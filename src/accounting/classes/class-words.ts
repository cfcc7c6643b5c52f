// What a class asks for beside what a member has of it, in words that fit the member's own page and a
// list of members alike.

import type { NumberWords } from '#accounting/strategies/verdict-words.ts';
import type { ClassFinding } from './class-watch.ts';

export function classFindingWords(finding: ClassFinding, words: NumberWords): string {
  const { kind, has, needs } = finding;
  switch (kind) {
    case 'given':
      return `Given: ${words.bytes(has)}; asked for: ${words.bytes(needs)}.`;
    case 'ratio':
      return `Ratio: ${words.quotient(has)}; asked for: ${words.quotient(needs)}.`;
    case 'age':
      return `Member for ${words.duration(has)}; asked for: ${words.duration(needs)}.`;
    case 'uploads':
      return `Torrents uploaded: ${has}; asked for: ${needs}.`;
    case 'seeded':
      return `Seeded for ${words.duration(has)}; asked for: ${words.duration(needs)}.`;
  }
}
