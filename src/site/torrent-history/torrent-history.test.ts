// A torrent's past: put together from everything that happened to it, for who may know what.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_END_MS } from '#accounting/credit.ts';
import { keepTorrent, releaseTorrent } from '#archive/catalogue/kept-torrents.ts';
import { findTorrent, type Torrent } from '#site/catalogue/find-torrent.ts';
import { removeTorrent, updateTorrent } from '#site/catalogue/torrents.ts';
import { addComment, removeComment } from '#site/comments/comments.ts';
import { openWindow } from '#site/credit/credit-windows.ts';
import { setExempt } from '#site/credit/exemption.ts';
import { Refusal } from '#site/refusal.ts';
import { TestSite } from '#site/test-site.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { historyWords } from './history-views.ts';
import { torrentHistory } from './torrent-history.ts';

const DAY_MS = 86_400_000;

async function words(site: TestSite, torrent: Torrent): Promise<readonly string[]> {
  const now = await findTorrent(site.sql, torrent.id);
  assert.ok(now !== undefined);
  const { entries } = await torrentHistory(site.sql, now, { limit: 100 });
  return entries.map(historyWords);
}

async function edit(site: TestSite, torrent: Torrent, by: number, title: string): Promise<unknown> {
  const { category, tags, description } = torrent;
  const written = { title, category, tags, description, changedBy: by };
  return await updateTorrent(site.world, torrent.id, written);
}

/** Everything that can become of one, a minute apart. */
async function live(site: TestSite, torrent: Torrent, minaId: number): Promise<void> {
  const { sql, world, clock } = site;
  const { id } = torrent;
  const step = (): number => {
    clock.advance(60_000);
    return clock.nowMs();
  };
  step();
  await updateTorrent(world, id, {
    ...{ title: 'Rain, daily', category: 'datasets', tags: ['rain'], description: 'Since 1900.' },
    changedBy: minaId,
  });
  for (const kept of [1, 2]) await keepTorrent(sql, { id, files: [], nowMs: step() + kept });
  await releaseTorrent(sql, id, step());
  await openWindow(world, {
    ...{ memberId: 0, torrentId: id, openedBy: 7, fromMs: step(), untilMs: NO_END_MS },
    ...{ uploadCreditPercent: 100, downloadCreditPercent: 0 },
  });
  await openWindow(world, {
    ...{ memberId: minaId, torrentId: id, openedBy: minaId, fromMs: step(), untilMs: NO_END_MS },
    ...{ uploadCreditPercent: 100, downloadCreditPercent: 50 },
  });
  step();
  await setExempt(world, { torrentId: id, isExempt: true, memberId: 7 });
  await setExempt(world, { torrentId: id, isExempt: true, memberId: 7 });
  for (const text of ['one', 'two']) {
    const said = await addComment(world, { torrentId: id, memberId: minaId, text });
    assert.ok(!(said instanceof Refusal));
    step();
    await removeComment(world, said.id);
  }
}

forEachDatabase((database, open) => {
  test(`${database}: S12: a torrent’s history tells all that became of it, once, newest first`, async () => {
    const site = await TestSite.open({ open });
    const mina = await site.addMember('mina');
    const torrent = await site.addTorrent(mina.id, 'Rain');
    await live(site, torrent, mina.id);
    assert.deepEqual(await words(site, torrent), [
      '2 comments removed.',
      'It asks nothing of those who take it.',
      'Freeleech.',
      'The archive keeps it no longer.',
      'The archive keeps it from here on.',
      'Renamed from “Rain” to “Rain, daily”. Moved from Other to Datasets. Tags changed from none to “rain”. Description changed from 0 to 11 characters.',
      'Uploaded.',
    ]);
    const other = await site.addTorrent(mina.id, 'Other rain', 2);
    site.clock.advance(1);
    await removeTorrent(site.world, { torrentId: torrent.id, removedBy: 7, reason: 'Broken.' });
    assert.equal((await words(site, torrent))[0], 'Removed: Broken.');
    assert.deepEqual(await words(site, other), ['Uploaded.']);
    await site.close();
  });

  test(`${database}: S12: pages of a history miss nothing and repeat nothing, also within one moment`, async () => {
    const site = await TestSite.open({ open });
    const mina = await site.addMember('mina');
    const torrent = await site.addTorrent(mina.id, 'Rain');
    // All of it at the same moment, from several sources.
    for (const title of ['a', 'b', 'c', 'd']) await edit(site, torrent, mina.id, title);
    const nowMs = site.clock.nowMs();
    await keepTorrent(site.sql, { id: torrent.id, files: [], nowMs });
    await releaseTorrent(site.sql, torrent.id, nowMs);
    await setExempt(site.world, { torrentId: torrent.id, isExempt: true, memberId: 7 });
    const whole = await words(site, torrent);
    assert.equal(whole.length, 8);
    for (const limit of [1, 2, 3, 7]) {
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = { limit, ...(cursor === undefined ? {} : { cursor }) };
        const found = await torrentHistory(site.sql, torrent, page);
        assert.ok(found.entries.length <= limit);
        seen.push(...found.entries.map(historyWords));
        cursor = found.nextCursor;
      } while (cursor !== undefined && seen.length < 100);
      assert.deepEqual(seen, whole, `pages of ${limit}`);
    }
    await site.close();
  });
});

test('S12: an edit that changes nothing leaves no line, and edits of a day are bounded', async () => {
  const site = await TestSite.open();
  const mina = await site.addMember('mina');
  const torrent = await site.addTorrent(mina.id, 'Rain');
  await edit(site, torrent, mina.id, 'Rain');
  assert.deepEqual(await words(site, torrent), ['Uploaded.']);
  for (let at = 0; at < 50; at++) await edit(site, torrent, mina.id, `Rain ${at}`);
  assert.ok((await edit(site, torrent, mina.id, 'Too much')) instanceof Refusal);
  assert.equal((await findTorrent(site.sql, torrent.id))?.title, 'Rain 49');
  site.clock.advance(DAY_MS);
  assert.ok(!((await edit(site, torrent, mina.id, 'Rain again')) instanceof Refusal));
  await site.close();
});

test('S12: the torrent page shows its newest history; who did what, and former words, are for moderators', async () => {
  const site = await TestSite.open();
  const { id } = await site.addMember('mina');
  await site.addMember('moss', 'moderator');
  await site.addMember('piet');
  const torrent = await site.addTorrent(id, 'Rain');
  const moss = await site.signedIn('moss');
  const piet = await site.signedIn('piet');
  const path = `/torrents/${torrent.infoHash}`;
  for (const description of ['secret words', 'fit words']) {
    await moss.get(`${path}/edit`);
    await moss.post(`${path}/edit`, { title: 'Rain', category: 'other', tags: '', description });
  }
  for (const place of [path, `${path}/history`]) {
    const seen = (await piet.get(place)).text;
    assert.match(seen, /Description changed from 12 to 9 characters/);
    assert.match(seen, /the staff/);
    assert.match(seen, /Uploaded\./);
    assert.doesNotMatch(seen, /moss|secret words/);
    assert.match((await moss.get(place)).text, /\/members\/moss[\s\S]*secret words/);
  }
  assert.equal((await piet.get(`${path}/history?from=rubbish`)).status, 200);
  assert.equal((await piet.get('/torrents/0123/history')).status, 404);
  await site.close();
});
