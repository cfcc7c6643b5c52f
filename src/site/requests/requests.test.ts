// Requests and their points: put in, paid once, given back, whoever presses what twice.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bonusBalance, grantBonus } from '#accounting/bonus/bonus.ts';
import { type TestBrowser, TestSite } from '#site/test-site.ts';
import { forEachDatabase } from '#sql/test-databases.ts';

interface Community {
  readonly site: TestSite;
  readonly ids: Readonly<Record<'asker' | 'giver' | 'filler', number>>;
  readonly asker: TestBrowser;
  readonly giver: TestBrowser;
  readonly filler: TestBrowser;
  points(name: 'asker' | 'giver' | 'filler'): Promise<number>;
}

async function withRequest(
  open: Parameters<typeof TestSite.open>[0],
  run: (community: Community) => Promise<void>,
): Promise<void> {
  const site = await TestSite.open(open);
  try {
    const id = async (name: string): Promise<number> => (await site.addMember(name)).id;
    const ids = { asker: await id('asker'), giver: await id('giver'), filler: await id('filler') };
    for (const memberId of [ids.asker, ids.giver]) {
      const entry = {
        memberId,
        atMs: 0,
        milliPoints: 100_500,
        kind: 'seeding',
        once: 'a',
      } as const;
      await site.sql.transaction<never, void>(async (transaction) => {
        await grantBonus(transaction as never, [entry]);
      });
    }
    const asker = await site.signedIn('asker');
    const giver = await site.signedIn('giver');
    const filler = await site.signedIn('filler');
    await asker.get('/requests/new');
    const made = await asker.post('/requests/new', { title: 'Rain <i>1990</i>', description: '' });
    assert.equal(made.location, '/requests/1');
    const points = async (name: keyof typeof ids) =>
      (await bonusBalance(site.sql, ids[name])) / 1000;
    await run({ site, ids, asker, giver, filler, points });
  } finally {
    await site.close();
  }
}

async function putIn(browser: TestBrowser, points: string): Promise<number> {
  const { text } = await browser.get('/requests/1');
  const order = /name="order" value="([0-9a-f]+)"/.exec(text)?.[1] ?? '';
  const fields = { action: 'bounty', points, order };
  const first = await browser.post('/requests/1', fields);
  // The button pressed twice puts in once.
  await browser.post('/requests/1', fields);
  return first.status;
}

forEachDatabase((database, open) => {
  test(`${database}: points wait with a request and are paid once to whoever filled it`, async () => {
    await withRequest({ open }, async ({ site, ids, asker, giver, filler, points }) => {
      assert.equal(await putIn(asker, '30'), 303);
      assert.equal(await putIn(giver, '100'), 303);
      assert.equal(await putIn(giver, '1'), 422);
      for (const wrong of ['0', '-5', '1.5', 'many', ''])
        assert.equal(await putIn(giver, wrong), 422);
      assert.deepEqual([await points('asker'), await points('giver')], [70.5, 0.5]);
      const { infoHash: hash } = await site.addTorrent(ids.filler, 'Rain');
      await filler.get('/requests/1');
      const offer = { action: 'offer', torrent: `http://127.0.0.1:8080/torrents/${hash}` };
      assert.equal((await filler.post('/requests/1', offer)).status, 303);
      assert.match((await asker.get('/me/notices')).text, /Is “Rain” what you asked for\?/);
      // Only who asked decides.
      assert.equal((await giver.post('/requests/1', { action: 'accept' })).status, 403);
      const both = [0, 1].map(() => asker.post('/requests/1', { action: 'accept' }));
      const answers = (await Promise.all(both)).map((page) => page.status).toSorted();
      assert.deepEqual(answers, [303, 422]);
      assert.equal(await points('filler'), 130);
      assert.equal((await asker.post('/requests/1/withdraw')).status, 404);
      assert.deepEqual([await points('asker'), await points('giver')], [70.5, 0.5]);
      assert.match((await filler.get('/me/notices')).text, /130 points are yours/);
    });
  });
});

test('a withdrawn request gives everybody back what they put in, once', async () => {
  await withRequest({}, async ({ asker, giver, filler, points }) => {
    await putIn(asker, '10');
    await putIn(giver, '20');
    await putIn(giver, '30');
    assert.deepEqual([await points('asker'), await points('giver')], [90.5, 50.5]);
    assert.equal((await filler.post('/requests/1/withdraw')).status, 403);
    assert.match((await asker.get('/requests/1/withdraw')).text, /Withdraw “Rain &lt;i&gt;/);
    const both = [0, 1].map(() => asker.post('/requests/1/withdraw'));
    await Promise.all(both);
    assert.deepEqual([await points('asker'), await points('giver')], [100.5, 100.5]);
    assert.equal(await putIn(giver, '5'), 422);
    assert.match((await asker.get('/requests?state=withdrawn')).text, /Rain/);
  });
});

test('who asks cannot take the points of others, and what was refused can be offered anew', async () => {
  await withRequest({}, async ({ site, ids, asker, giver, filler, points }) => {
    await putIn(giver, '50');
    const own = await site.addTorrent(ids.asker, 'Mine', 5);
    await asker.get('/requests/1');
    const offerOwn = await asker.post('/requests/1', { action: 'offer', torrent: own.infoHash });
    assert.equal(offerOwn.status, 422);
    assert.match(offerOwn.text, /Who asks does not fill it/);
    await filler.get('/requests/1');
    const nothing = await filler.post('/requests/1', { action: 'offer', torrent: 'f'.repeat(40) });
    assert.equal(nothing.status, 422);
    const first = await site.addTorrent(ids.filler, 'Wrong', 6);
    const second = await site.addTorrent(ids.filler, 'Right', 7);
    await filler.post('/requests/1', { action: 'offer', torrent: first.infoHash });
    const busy = await filler.post('/requests/1', { action: 'offer', torrent: second.infoHash });
    assert.equal(busy.status, 422);
    await asker.post('/requests/1', { action: 'refuse' });
    assert.equal((await asker.post('/requests/1', { action: 'accept' })).status, 422);
    await filler.post('/requests/1', { action: 'offer', torrent: second.infoHash });
    await asker.post('/requests/1', { action: 'accept' });
    assert.equal(await points('filler'), 50);
  });
});

test('what is written in a request is text, whatever it looks like', async () => {
  await withRequest({}, async ({ asker }) => {
    const hostile = '"><script>alert(1)</script>[x](javascript:alert(1))';
    await asker.get('/requests/new');
    await asker.post('/requests/new', { title: hostile, description: hostile });
    for (const path of ['/requests', '/requests/2', '/requests/2/withdraw']) {
      const { text, status } = await asker.get(path);
      assert.equal(status, 200);
      assert.doesNotMatch(text, /<script>alert|href="javascript/, path);
    }
  });
});
