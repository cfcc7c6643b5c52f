// The kinds of pages that the benchmark of the site asks for, each with its next address.

import { below, type Random } from '#base/random.ts';
import { type Community, hashOf, zipf } from './community.ts';

const SORTS = ['added', 'title', 'size', 'files', 'seeders', 'leechers', 'completed'];

export type MakePath = (random: Random, community: Community) => string;

/** Each kind of page, and its next address. */
export function pageKinds(torrents: number): Readonly<Record<string, MakePath>> {
  return {
    'list page': (random) => {
      const sort = SORTS[below(random, SORTS.length)];
      return below(random, 2) === 0 ? '/torrents' : `/torrents?sort=${sort}`;
    },
    'three filters': (random, { tags }) => {
      const tag = tags[zipf(random, tags.length)];
      const sort = below(random, 2) === 0 ? '' : `&sort=-${SORTS[below(random, SORTS.length)]}`;
      const third = ['size-from=1+GiB', 'added=365', 'seeds=many', 'seeds=none'][below(random, 4)];
      const category = ['datasets', 'software', 'video', 'audio'][below(random, 4)];
      return `/torrents?category=${category}&tags=${tag}&${third}${sort}`;
    },
    'full-text search': (random, { words }) => {
      const asked = Array.from(
        { length: 1 + below(random, 3) },
        () => words[zipf(random, words.length)] ?? '',
      );
      // Every eighth is mistyped: two letters exchanged.
      if (below(random, 8) === 0) asked[0] = mistyped(asked[0] ?? '');
      return `/torrents?q=${asked.join('+')}`;
    },
    'torrent page': (random) => `/torrents/${hashOf(1 + below(random, torrents))}`,
    profile: () => '/me',
  };
}

function mistyped(word: string): string {
  const at = Math.max(0, Math.floor(word.length / 2) - 1);
  return word.slice(0, at) + (word[at + 1] ?? '') + (word[at] ?? '') + word.slice(at + 2);
}
