// Comments: written, changed, looked back at, removed, by whom they may.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type TestBrowser, TestSite } from '#site/test-site.ts';

async function withSite(
  run: (site: TestSite, hash: string, browsers: Record<string, TestBrowser>) => Promise<void>,
): Promise<void> {
  const site = await TestSite.open();
  try {
    const { id } = await site.addMember('mina');
    await site.addMember('vera');
    await site.addMember('mona', 'moderator');
    const { infoHash: hash } = await site.addTorrent(id, 'Rain');
    const [mina, vera, mona] = [
      await site.signedIn('mina'),
      await site.signedIn('vera'),
      await site.signedIn('mona'),
    ];
    for (const browser of [mina, vera, mona]) await browser.get(`/torrents/${hash}`);
    await run(site, hash, { mina, vera, mona });
  } finally {
    await site.close();
  }
}

test('a comment is Markdown, is changed, and what stood there before stays readable', async () => {
  await withSite(async (_, hash, { mina, vera }) => {
    assert.ok(mina !== undefined && vera !== undefined);
    const empty = await vera.post(`/torrents/${hash}/comments`, { text: ' ' });
    assert.equal(empty.status, 422);
    const made = await vera.post(`/torrents/${hash}/comments`, {
      text: 'Thanks for **all** of it',
    });
    assert.equal(made.location, `/torrents/${hash}#comment-1`);
    const page = await mina.get(`/torrents/${hash}`);
    assert.match(page.text, /Thanks for <strong>all<\/strong> of it/);
    assert.match((await mina.get('/me/notices')).text, /“Rain” has a new comment/);
    assert.doesNotMatch(page.text, /changed <time/);
    await vera.post('/comments/1', { text: 'Thanks for most of it' });
    assert.match((await mina.get(`/torrents/${hash}`)).text, /changed <time/);
    const history = await mina.get('/comments/1/history');
    assert.match(history.text, /Thanks for most of it/);
    assert.match(history.text, /<strong>all<\/strong>/);
  });
});

test('others cannot change or remove a comment, moderators can, and a removed one is gone', async () => {
  await withSite(async (_, hash, { mina, vera, mona }) => {
    assert.ok(mina !== undefined && vera !== undefined && mona !== undefined);
    await vera.post(`/torrents/${hash}/comments`, { text: 'a secret that slipped' });
    await vera.post('/comments/1', { text: 'nothing' });
    for (const path of ['/comments/1', '/comments/1/remove']) {
      assert.equal((await mina.get(path)).status, 403, path);
      assert.equal((await mina.post(path, { text: 'mine now' })).status, 403, path);
    }
    assert.match((await mona.get('/comments/1/remove')).text, /Remove the comment of vera\?/);
    assert.equal((await mona.post('/comments/1/remove')).status, 303);
    assert.equal((await mina.get('/comments/1/history')).status, 404);
    assert.doesNotMatch((await mina.get(`/torrents/${hash}`)).text, /slipped/);
  });
});

test('what is written in a comment is text, whatever it looks like', async () => {
  await withSite(async (_, hash, { mina, vera, mona }) => {
    assert.ok(mina !== undefined && vera !== undefined && mona !== undefined);
    const text =
      '<script>alert(1)</script>\n\n[x](javascript:alert(1)) ![y](https://evil.example/z)';
    await vera.post(`/torrents/${hash}/comments`, { text });
    await vera.post('/comments/1', { text: `${text} again` });
    const paths = [`/torrents/${hash}`, '/comments/1/history'];
    for (const page of [
      ...(await Promise.all(paths.map((path) => mina.get(path)))),
      await vera.get('/comments/1'),
      await mona.get('/comments/1/remove'),
    ]) {
      assert.equal(page.status, 200);
      assert.doesNotMatch(page.text, /<script(?! src="\/assets\/)|href="javascript|<img/);
    }
  });
});

test('many comments are pages, and somebody who writes without end waits', async () => {
  await withSite(async (_, hash, { vera }) => {
    assert.ok(vera !== undefined);
    for (let n = 1; n <= 60; n++) {
      const made = await vera.post(`/torrents/${hash}/comments`, { text: `number ${n}.` });
      assert.equal(made.status, 303, `${n}`);
    }
    const refused = await vera.post(`/torrents/${hash}/comments`, { text: 'one more' });
    assert.equal(refused.status, 422);
    const newest = (await vera.get(`/torrents/${hash}`)).text;
    assert.match(newest, /number 60\./);
    assert.doesNotMatch(newest, /number 30\./);
    const earlier = /href="([^"]+before=\d+)#comments"/.exec(newest)?.[1] ?? '';
    const before = (await vera.get(earlier)).text;
    assert.match(before, /number 30\./);
    assert.match(before, /number 1\./);
  });
});
