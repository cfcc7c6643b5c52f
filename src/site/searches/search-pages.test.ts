import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import { keepTorrent } from '#archive/catalogue/kept-torrents.ts';
import { catalogueConfig } from '#site/catalogue/catalogue-config.ts';
import { makeTorrent } from '#site/catalogue/test-catalogue.ts';
import { openPages } from '#site/catalogue/test-pages.ts';
import { addTorrent } from '#site/catalogue/torrents.ts';
import { openWindow } from '#site/credit/credit-windows.ts';
import { Refusal } from '#site/refusal.ts';
import { openTestSqlite } from '#sql/test-databases.ts';

test('S10: a list narrowed by a form is saved under a name, found again, and removed by its member alone', async () => {
  const pages = await openPages(openTestSqlite);
  const [anna, bert] = [await pages.signIn('anna'), await pages.signIn('bert')];
  const world = {
    ...{ sql: pages.sql, clock: pages.clock },
    ...{ config: catalogueConfig.parse({}), changed() {} },
  };
  for (const [at, title] of ['Rain gauges', 'Glacier survey'].entries()) {
    const bytes = await makeTorrent({
      name: `n${at}`,
      seed: at,
      files: { 'a.bin': 20_000 * (at + 1) },
    });
    const words = { category: 'other', tags: ['csv'], description: '' };
    const added = await addTorrent(world, { bytes, uploaderId: anna.memberId, title, ...words });
    assert.ok(!(added instanceof Refusal) && added.kind === 'added');
  }
  const text = async (path: string, who = anna) => await (await who.get(path)).text();
  const narrowed = await text('/torrents?size-from=30+KiB&added=7&mine=never&tags=csv');
  assert.match(narrowed, /Glacier survey/);
  assert.doesNotMatch(narrowed, /Rain gauges/);
  for (const said of ['from 30 KiB', 'in the last week', 'never yours', 'csv']) {
    assert.ok(narrowed.includes(`badge-accent`) && narrowed.includes(said), said);
  }
  // Each filter has a link that takes it away and leaves the others.
  assert.match(narrowed, /href="\/torrents\?tags=csv&amp;added=7&amp;mine=never"/);
  assert.match(await text('/torrents?q=galcier'), /Nothing has the word “galcier”.*“glacier”/);

  const filters = 'tags=csv&size-from=30+KiB';
  const saved = await anna.post('/me/searches', { name: 'Large tables', filters });
  assert.equal(saved.status, 303);
  const path = saved.headers.get('location') ?? '';
  assert.match(await text(path), /This is your saved search “Large tables”/);
  assert.match(await text('/torrents'), /Your saved searches.*Large tables/s);
  assert.doesNotMatch(await text('/torrents', bert), /Large tables/);
  assert.match(await text('/me/searches'), /Large tables/);
  const refused = await anna.post('/me/searches', { name: ' ', filters });
  assert.equal(refused.status, 422);
  assert.equal((await bert.post('/me/searches/1/remove')).status, 404);
  assert.equal((await anna.post('/me/searches/1/remove')).status, 303);
  assert.match(await text('/me/searches'), /No saved searches yet/);
  await pages.sql.close();
});

test('S11: the list says what the archive keeps, and what is free', async () => {
  const pages = await openPages(openTestSqlite);
  const anna = await pages.signIn('anna');
  const world = {
    ...{ sql: pages.sql, clock: pages.clock },
    ...{ config: catalogueConfig.parse({}), changed() {} },
  };
  const bytes = await makeTorrent();
  const added = await addTorrent(world, {
    ...{ bytes, uploaderId: 0, title: 'Letters', category: 'other', tags: [], description: '' },
  });
  assert.ok(!(added instanceof Refusal) && added.kind === 'added');
  const list = async () => await (await anna.get('/torrents')).text();
  assert.doesNotMatch(await list(), /Kept by the archive|Freeleech/);
  await keepTorrent(pages.sql, { id: added.torrent.id, files: [], nowMs: 1 });
  const nowMs = pages.clock.nowMs();
  const window = { memberId: 0, torrentId: 0, openedBy: 0, uploadCreditPercent: 100 };
  const span = { fromMs: nowMs - 1, untilMs: nowMs + 60_000, downloadCreditPercent: 0 };
  assert.ok(!((await openWindow(world, { ...window, ...span })) instanceof Refusal));
  assert.match(await list(), /Freeleech.*Kept by the archive/s);
  await pages.sql.transaction<ArchiveTables, void>(async (tables) => {
    const file = { id: 1, root: new Uint8Array(32), size_bytes: 1, map_ref: 'sha256:0' };
    await tables
      .insertInto('archive_file')
      .values({ ...file, stored_ms: 1, checked_ms: 1 })
      .execute();
    const entry = { torrent_id: added.torrent.id, position: 0, file_id: 1 };
    await tables.insertInto('archive_entry').values(entry).execute();
    const damage = { file_id: 1, segment: 0, kind: 'corrupt', found_ms: 1 } as const;
    await tables.insertInto('archive_damage').values(damage).execute();
  });
  assert.match(await list(), /Damaged in the archive/);
  assert.doesNotMatch(await list(), /Kept by the archive/);
  await pages.sql.close();
});
