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
];

function words(random: Random, max: number): string {
  const count = 1 + below(random, max);
  return Array.from({ length: count }, () => PARTS[below(random, PARTS.length)] ?? '').join(' ');
}

const databases: (readonly [string, OpenTestSql])[] = [];
forEachDatabase((name, open) => {
  databases.push([name, open]);
});

test('every database finds the same torrents for the same queries', async (context) => {
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
    for (let at = 0; at < 150; at++) {
      const query = words(random, 3).slice(0, 1 + below(random, 12));
      for (const sort of [undefined, { by: 'title', descending: false } as const]) {
        const list = await listTorrents(world.sql, {
          words: query,
          tags: [],
          rowsMax: 50,
          ...(sort === undefined ? {} : { sort }),
        });
        const ids = list.rows.map((row) => row.id);
        // Ranks are the engine's own; which torrents are found is not.
        if (sort === undefined) ids.sort((a, b) => a - b);
        answers.push(`${query}: ${ids.join(' ')}`);
      }
    }
    found.set(name, answers);
    await world.sql.close();
  }
  const [first, ...others] = [...found.values()];
  assert.ok(first?.some((answer) => !answer.endsWith(': ')));
  for (const other of others) assert.deepEqual(other, first);
});
