// Tags that the staff renames and joins: every torrent follows, once, also after a crash.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JobContext } from '#base/job.ts';
import { findTorrent } from '#site/catalogue/find-torrent.ts';
import { NO_FILTERS } from '#site/catalogue/list-filters.ts';
import { listTorrents } from '#site/catalogue/torrent-list.ts';
import { removeTorrent, updateTorrent } from '#site/catalogue/torrents.ts';
import { Refusal } from '#site/refusal.ts';
import { savedSearchesOf, saveSearch } from '#site/searches/saved-searches.ts';
import { listActions } from '#site/staff-log/staff-log.ts';
import { TestSite } from '#site/test-site.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import {
  beginTagChange,
  carryOut,
  listTags,
  openTagChanges,
  planTagChange,
} from './tag-changes.ts';
import { tagChangesJob } from './tag-changes-job.ts';

/** One torrent for each list of tags; their ids. */
async function addTorrents(
  site: TestSite,
  uploaderId: number,
  lists: readonly (readonly string[])[],
): Promise<readonly number[]> {
  const ids: number[] = [];
  for (const [at, tags] of lists.entries()) {
    const { id, title, category, description } = await site.addTorrent(
      uploaderId,
      `T${at}`,
      at + 1,
    );
    await updateTorrent(site.world, id, { title, category, tags, description, changedBy: 1 });
    ids.push(id);
  }
  return ids;
}

async function tagsOf(site: TestSite, ids: readonly number[]): Promise<readonly string[]> {
  const torrents = await Promise.all(ids.map((id) => findTorrent(site.sql, id)));
  return torrents.map((torrent) => torrent?.tags.join(' ') ?? '');
}

forEachDatabase((database, open) => {
  test(`${database}: S16: a tag is joined with another on every torrent, in the search and the counts`, async () => {
    const site = await TestSite.open({ open });
    const mina = await site.addMember('mina');
    const lists = [
      ['sci-fi', 'film'],
      ['science-fiction'],
      ['sci-fi', 'science-fiction'],
      ['sci-fi'],
    ];
    const ids = await addTorrents(site, mina.id, lists);
    await removeTorrent(site.world, { torrentId: ids[3]!, removedBy: mina.id, reason: 'broken' });
    const filters = { ...NO_FILTERS, tags: ['film', 'sci-fi'] };
    await saveSearch(site.world, { memberId: mina.id, name: 'mine', filters });
    const asked = { from: 'sci-fi', into: 'Science Fiction', memberId: 7 };
    const planned = await planTagChange(site.sql, asked);
    assert.deepEqual(planned, {
      ...{ from: 'sci-fi', into: 'science-fiction', torrents: 2, isJoin: true },
    });
    const change = await beginTagChange(site.world, asked);
    assert.ok(!(change instanceof Refusal));
    assert.ok((await beginTagChange(site.world, asked)) instanceof Refusal, 'once at a time');
    // Cut off after one torrent; the job goes on with it.
    assert.equal(await carryOut(site.world, change, { torrentsMax: 1 }), false);
    assert.equal((await openTagChanges(site.sql)).length, 1);
    const signal = new AbortController().signal;
    const ran = await tagChangesJob(site.world).run({ signal } as JobContext);
    assert.equal(ran.summary, '1 of 1 changes of tags are done.');
    assert.deepEqual(await tagsOf(site, ids.slice(0, 3)), [
      'film science-fiction',
      'science-fiction',
      'science-fiction',
    ]);
    assert.deepEqual(await listTags(site.sql, { limit: 9 }), [
      { name: 'film', torrents: 1 },
      { name: 'science-fiction', torrents: 3 },
    ]);
    assert.deepEqual(await listTags(site.sql, { limit: 9, begin: 'fi' }), [
      { name: 'film', torrents: 1 },
    ]);
    const searched = async (tag: string): Promise<number> => {
      const found = await listTorrents(site.sql, { words: '', tags: [tag], rowsMax: 9 });
      return found.rows.length;
    };
    assert.deepEqual([await searched('sci-fi'), await searched('science-fiction')], [0, 3]);
    const [saved] = await savedSearchesOf(site.sql, mina.id);
    assert.deepEqual(saved?.filters.tags, ['film', 'science-fiction']);
    assert.deepEqual(await openTagChanges(site.sql), []);
    await site.close();
  });
});

test('S16: a tag is renamed and joined in the console after one question, and the staff log has it', async () => {
  const site = await TestSite.open();
  const olga = await site.addMember('olga', 'admin');
  await site.addMember('moss', 'moderator');
  const ids = await addTorrents(site, olga.id, [['rain'], ['wind']]);
  const browser = await site.signedIn('olga');
  const ask = (from: string, into: string) =>
    browser.get(`/console/tags/change?from=${from}&into=${encodeURIComponent(into)}`);
  assert.match((await ask('rain', 'wind')).text, /Join “rain” with “wind”\?[\s\S]*no way back/);
  const renaming = await ask('rain', 'Rain & <b>');
  assert.match(renaming.text, /Rename “rain” to “rain-b”\?[\s\S]*renamed back/);
  for (const [from, into, words] of [
    ['nothing', 'x', /There is no tag “nothing”/],
    ['rain', ' ', /1 to 40 letters/],
    ['rain', 'rain', /called so already/],
  ] as const) {
    const page = await ask(from, into);
    assert.equal(page.status, 422);
    assert.match(page.text, words);
  }
  assert.deepEqual(await tagsOf(site, ids), ['rain', 'wind'], 'a question changes nothing');
  await ask('rain', 'wind');
  const done = await browser.post('/console/tags/change', { from: 'rain', into: 'wind' });
  assert.equal(done.status, 303);
  assert.deepEqual(await tagsOf(site, ids), ['wind', 'wind']);
  const [line] = await listActions(site.sql, { limit: 1 });
  assert.deepEqual([line?.action, line?.words], ['consoleTagChange', 'from: rain; into: wind']);
  assert.match((await browser.get('/console/tags')).text, /“rain” is “wind” now[\s\S]*>wind</);
  const moss = await site.signedIn('moss');
  assert.equal((await moss.get('/console/tags')).status, 403);
  await site.close();
});
