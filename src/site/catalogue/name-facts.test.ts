import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forEachDatabase } from '#sql/test-databases.ts';
import { entryNames } from './file-entries.ts';
import { nameFacts } from './name-facts.ts';
import { makeTorrent, openCatalogue } from './test-catalogue.ts';
import { listTorrents } from './torrent-list.ts';
import { addTorrent } from './torrents.ts';

const facts = (name: string): string => [...nameFacts(name)].join(' ');

test('dates and episodes are read from names, however they are written', () => {
  const day = '2024 03 15 20240315 march';
  for (const name of [
    'IMG_20240315.jpg',
    'backup 2024-03-15',
    '2024.03.15-notes.txt',
    'Bericht 15.03.2024.pdf',
  ]) {
    assert.equal(facts(name), day, name);
  }
  const seventh = 'season 3 s03 s03e07 s3e7 3x07 episode 7';
  for (const name of ['Show.S03E07.mkv', 'show s3e7', 'Show - 3x07 - Name.avi', 'a_S03.E07.srt']) {
    assert.equal(facts(name), seventh, name);
  }
  assert.equal(
    facts('Show S01E01-E02'),
    'season 1 s01 s01e01 s1e1 1x01 episode s01e02 s1e2 1x02 2',
  );
  assert.equal(facts('Show Season 2'), 'season 2 s02');
  assert.equal(facts('Show.S02.1080p'), 'season 2 s02');
});

test('what only looks like a date or an episode is none', () => {
  for (const name of [
    'film.x264.1920x1080',
    '20241315',
    '2023-02-29',
    '31.04.2024',
    '120240315',
    '202403151',
    '1234567890',
    'classes2e4',
    'res3',
    'v1.2.3',
    '18991231',
  ]) {
    assert.equal(facts(name), '', name);
  }
  assert.equal(facts(`${'1'.repeat(500_000)}s01e01`), '', 'in no time');
});

test('of many names the facts are bounded, and leave room for the names', () => {
  const entries = Array.from({ length: 20_000 }, (_, at) => ({ path: `a/s01e${at}.mkv` }));
  const text = entryNames(entries, 10_000);
  assert.ok(text.length <= 10_000);
  assert.match(text, /s01e1\.mkv/);
});

forEachDatabase((database, open) => {
  test(`${database}: a torrent is found by the dates and episodes in its names`, async () => {
    const world = await openCatalogue(open);
    const files = { 'Show.3x07.mkv': 1, 'pictures/IMG_20240315_1200.jpg': 2 };
    const bytes = await makeTorrent({ files });
    const words = { category: 'books', tags: [], description: '', title: 'Things of 24.12.2019' };
    assert.ok('torrent' in (await addTorrent(world, { ...words, bytes, uploaderId: 1 })));
    const found = async (asked: string): Promise<number> =>
      (await listTorrents(world.sql, { words: asked, tags: [], rowsMax: 10 })).rows.length;
    for (const asked of ['S03E07', 'season 3 episode 7', '2024-03-15', 'march 2024', '2019-12']) {
      assert.equal(await found(asked), 1, asked);
    }
    assert.equal(await found('S03E08'), 0);
    await world.sql.close();
  });
});
