import assert from 'node:assert/strict';
import { test } from 'node:test';
import { below, type Random, SeededRandom } from '#base/random.ts';
import { testSeed } from '#sim/seed.ts';
import { Refusal } from '#site/refusal.ts';
import { forEachDatabase, type OpenTestSql } from '#sql/test-databases.ts';
import { makeTorrent, openCatalogue } from './test-catalogue.ts';
import { listTorrents } from './torrent-list.ts';
import { addTorrent } from './torrents.ts';

const PARTS = [
  'Élan',
  'elan',
  'TAR',
  'tar.gz',
  'v1.2',
  '3.14e5',
  '-12',
  "o'neill",
  'foo_bar',
  '東京',
  'ひらがな',
  'straße',
  'STRASSE',
  'ﬁn',
  'https://a.example/x?y=1',
  'me@b.example',
  '<b>',
  'ab',
  'abc',
  'abcd',
  '12',
  '123',
  'हिन्दी',
  'Ёлка',
  '1,000',
  'C++',
  '🦉',
  'x',
  'glacier',
  'measurements',
];

/** Each in two orders. */
const QUERIES = 1000;

function words(random: Random, max: number): string {
  const count = 1 + below(random, max);
  return Array.from({ length: count }, () => PARTS[below(random, PARTS.length)] ?? '').join(' ');
}

const databases: (readonly [string, OpenTestSql])[] = [];
forEachDatabase((name, open) => {
  databases.push([name, open]);
});

/** Two neighbours exchanged, so that the word is there no more. */
function mistyped(query: string): string {
  const letters = [...query];
  const at = Math.floor(letters.length / 2);
  return [
    ...letters.slice(0, at),
    ...letters.slice(at, at + 2).reverse(),
    ...letters.slice(at + 2),
  ].join('');
}

test('every database finds the same torrents for the same queries, in the same order', async (context) => {
  const seed = testSeed(context, 60);
  const found = new Map<string, string[]>();
  for (const [name, open] of databases) {
    const random = new SeededRandom(seed);
    const world = await openCatalogue(open);
    for (let at = 0; at < 40; at++) {
      const bytes = await makeTorrent({
        name: `n${at}`,
        seed: at + 1,
        files: { [`f${at % 7}.bin`]: 1000 },
      });
      const result = await addTorrent(world, {
        bytes,
        uploaderId: 1,
        title: words(random, 4),
        category: 'other',
        tags: [words(random, 1)],
        description: words(random, 10),
      });
      assert.ok(!(result instanceof Refusal) && result.kind === 'added');
    }
    const answers: string[] = [];
    for (let at = 0; at < QUERIES / 2; at++) {
      const asked = words(random, 3).slice(0, 1 + below(random, 14));
      const query = at % 4 === 0 ? mistyped(asked) : asked;
      const sizeBytesMin = at % 5 === 0 ? { sizeBytesMin: 1000 + below(random, 2) } : {};
      const category = at % 7 === 0 ? { category: 'other' } : {};
      for (const sort of [undefined, { by: 'title', descending: false } as const]) {
        const list = await listTorrents(world.sql, {
          words: query,
          ...sizeBytesMin,
          ...category,
          tags: [],
          rowsMax: 50,
          ...(sort === undefined ? {} : { sort }),
        });
        const ids = list.rows.map((row) => row.id);
        const read = list.corrections.flatMap((one) => one.read).join(',');
        answers.push(`${query} (${read}): ${list.total}: ${ids.join(' ')}`);
      }
    }
    found.set(name, answers);
    await world.sql.close();
  }
  const [first, ...others] = [...found.values()];
  assert.equal(first?.length, QUERIES);
  assert.ok(first.some((answer) => !answer.endsWith(': ')));
  assert.ok(first.some((answer) => answer.includes('(glacier)')));
  for (const other of others) assert.deepEqual(other, first);
});
