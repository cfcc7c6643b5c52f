import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '#base/random.ts';
import { mutate } from '#sim/mutations.ts';
import { testSeed } from '#sim/seed.ts';
import { Refusal } from '#site/refusal.ts';
import { openTestSqlite } from '#sql/test-databases.ts';
import { catalogueConfig } from './catalogue-config.ts';
import { prepareTorrent } from './prepared-torrent.ts';
import { makeTorrent, openCatalogue } from './test-catalogue.ts';
import { openPages } from './test-pages.ts';
import { addTorrent } from './torrents.ts';

const CASES = 10_000;

async function goldens(): Promise<Uint8Array[]> {
  const versions = ['v1', 'v2', 'hybrid'] as const;
  return await Promise.all(
    versions.map((version, at) =>
      makeTorrent({ version, seed: at, name: `n${at}`, files: { 'a/b.txt': 40_000, 'c.txt': 7 } }),
    ),
  );
}

test('10,000 damaged .torrent files are taken or refused in a sentence, and never anything else', async (context) => {
  const random = new SeededRandom(testSeed(context, 40));
  const config = catalogueConfig.parse({});
  const files = await goldens();
  let refused = 0;
  const accepted: Uint8Array[] = [];
  for (let at = 0; at < CASES; at++) {
    const bytes = mutate(files[at % files.length] ?? new Uint8Array(), random);
    const result = prepareTorrent(config, bytes);
    if (result instanceof Refusal) {
      refused += 1;
      assert.equal(result.field, 'file');
      assert.match(result.message, /^[A-Z"].{10,}\.$/su);
      assert.ok(result.message.length < 500);
    } else if (accepted.length < 60) accepted.push(bytes);
  }
  assert.ok(refused > CASES / 4);
  const world = await openCatalogue(openTestSqlite);
  for (const bytes of accepted) {
    const words = { category: 'other', tags: [], description: '' };
    await addTorrent(world, { bytes, uploaderId: 1, ...words });
  }
  await world.sql.close();
});

test('damaged .torrent files that are uploaded to the page are answered with a page', async (context) => {
  const random = new SeededRandom(testSeed(context, 41));
  const pages = await openPages(openTestSqlite);
  const alice = await pages.signIn('alice');
  const files = await goldens();
  for (let at = 0; at < 150; at++) {
    const file = mutate(files[at % files.length] ?? new Uint8Array(), random);
    const response = await alice.post('/upload', { file });
    assert.ok([303, 409, 422].includes(response.status), String(response.status));
    if (response.status !== 303) continue;
    const draft = response.headers.get('location') ?? '';
    assert.equal((await alice.get(draft)).status, 200);
    const saved = await alice.post(draft, { title: 'x', category: 'other' });
    assert.ok([303, 409].includes(saved.status), String(saved.status));
    if (saved.status === 303) {
      assert.equal((await alice.get(saved.headers.get('location') ?? '')).status, 200);
    }
  }
  await pages.sql.close();
});
