// Bookmarks, thanks, collections and the list of what needs seeds.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type TestBrowser, TestSite } from '#site/test-site.ts';

const HOSTILE = '"><script>alert(1)</script>';

async function withSite(
  run: (site: TestSite, hash: string, vera: TestBrowser, mina: TestBrowser) => Promise<void>,
): Promise<void> {
  const site = await TestSite.open();
  try {
    const { id } = await site.addMember('mina');
    await site.addMember('vera');
    const { infoHash: hash } = await site.addTorrent(id, 'Rain');
    const vera = await site.signedIn('vera');
    const mina = await site.signedIn('mina');
    await vera.get(`/torrents/${hash}`);
    await mina.get(`/torrents/${hash}`);
    await run(site, hash, vera, mina);
  } finally {
    await site.close();
  }
}

test('a bookmark is set, listed for its member alone, and taken away', async () => {
  await withSite(async (_, hash, vera, mina) => {
    assert.match((await vera.get('/me/bookmarks')).text, /No bookmarks yet/);
    for (let time = 0; time < 2; time++) {
      assert.equal((await vera.post(`/torrents/${hash}/bookmark`, { mark: 'yes' })).status, 303);
    }
    assert.match((await vera.get('/me/bookmarks')).text, />Rain</);
    assert.match((await vera.get(`/torrents/${hash}`)).text, />Remove bookmark/);
    assert.match((await mina.get('/me/bookmarks')).text, /No bookmarks yet/);
    await vera.post(`/torrents/${hash}/bookmark`, { mark: 'no' });
    assert.match((await vera.get('/me/bookmarks')).text, /No bookmarks yet/);
  });
});

test('thanks are counted once a member, told once, and not for oneself', async () => {
  await withSite(async (_, hash, vera, mina) => {
    for (let time = 0; time < 2; time++) await vera.post(`/torrents/${hash}/thanks`, {});
    await mina.post(`/torrents/${hash}/thanks`, {});
    assert.match((await mina.get(`/torrents/${hash}`)).text, /1 member said thank you/);
    const notices = (await mina.get('/me/notices')).text;
    assert.equal(notices.match(/Somebody thanks you/g)?.length, 1);
    await vera.post(`/torrents/${hash}/thanks`, { mark: 'no' });
    assert.doesNotMatch((await mina.get(`/torrents/${hash}`)).text, /said thank you/);
  });
});

test('a collection is made, filled, changed and removed by its member, and read by all', async () => {
  await withSite(async (_, hash, vera, mina) => {
    assert.match((await vera.get('/collections')).text, /Nobody has put anything together/);
    await vera.get('/collections/new');
    for (const title of [' ', '\u200b\u2060']) {
      assert.equal((await vera.post('/collections/new', { title })).status, 422);
    }
    const words = { title: `Weather ${HOSTILE}`, description: `**all** ${HOSTILE}` };
    assert.equal((await vera.post('/collections/new', words)).location, '/collections/1');
    const collect = `/torrents/${hash}/collect`;
    assert.match((await vera.get(collect)).text, /Put in/);
    const other = await mina.post(collect, { collection: '1', in: 'yes' });
    assert.equal(other.status, 403);
    for (let time = 0; time < 2; time++) await vera.post(collect, { collection: '1', in: 'yes' });
    for (const path of ['/collections', '/collections/1', collect]) {
      const { text, status } = await (path === collect ? vera : mina).get(path);
      assert.equal(status, 200);
      assert.doesNotMatch(text, /<script>alert/, path);
      assert.match(text, /Weather/);
    }
    assert.match((await mina.get('/collections/1')).text, /1 torrent\./);
    assert.match((await mina.get('/collections/1')).text, /<strong>all<\/strong>/);
    for (const path of ['/collections/1/edit', '/collections/1/remove']) {
      assert.equal((await mina.get(path)).status, 403);
      assert.equal((await mina.post(path, { title: 'mine' })).status, 403);
    }
    await vera.get('/collections/1/edit');
    await vera.post('/collections/1/edit', { title: 'Rain and wind', description: '' });
    await vera.post(collect, { collection: '1', in: 'no' });
    assert.match((await mina.get('/collections/1')).text, /Nothing is in it yet/);
    assert.match((await vera.get('/collections/1/remove')).text, /Remove “Rain and wind”\?/);
    await vera.post('/collections/1/remove');
    assert.equal((await mina.get('/collections/1')).status, 404);
  });
});

test('what needs seeds is listed, and is not when somebody seeds it now', async () => {
  await withSite(async (site, hash, vera) => {
    const page = await vera.get('/needs-seeds');
    assert.match(page.text, /Others wait for these/);
    assert.ok(page.text.includes(hash));
    site.counts.set(1, { seeders: 1, leechers: 0, completed: 0 });
    assert.match((await vera.get('/needs-seeds')).text, /Everything is seeded/);
  });
});
