// What a class asks for beside what a member has of it, as sentences: to the member, and of them to others.

import type { NumberWords } from '#accounting/strategies/verdict-words.ts';
import type { ClassFinding } from './class-watch.ts';

/** `you`: to the member; `they`: of a member who was named before. */
export type ClassReader = 'you' | 'they';

export function classFindingWords(
  finding: ClassFinding,
  words: NumberWords,
  reader: ClassReader,
): string {
  const { kind, has, needs } = finding;
  const who = reader === 'you' ? 'You have' : 'Has';
  switch (kind) {
    case 'given':
      return `${who} given ${words.bytes(has)}; ${words.bytes(needs)} is required.`;
    case 'ratio': {
      const taken = reader === 'you' ? 'you took' : 'they took';
      const required = `${words.quotient(needs)} is required`;
      if (has === Number.POSITIVE_INFINITY) return `${who} taken nothing; ${required} later.`;
      return `${who} given ${words.quotient(has)} times what ${taken}; ${required}.`;
    }
    case 'age':
      return `${who} been a member for ${words.duration(has)}; ${words.duration(needs)} is required.`;
    case 'uploads':
      return `${who} uploaded ${has} ${has === 1 ? 'torrent' : 'torrents'}; ${needs} ${needs === 1 ? 'is' : 'are'} required.`;
    case 'seeded':
      return `${who} seeded for ${words.duration(has)}; ${words.duration(needs)} is required.`;
  }
}
