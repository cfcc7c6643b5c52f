// The operator's pages of categories, clients, the event log and the archive.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type TestBrowser, TestSite } from '#site/test-site.ts';

async function withAdmin(run: (site: TestSite, olga: TestBrowser) => Promise<void>): Promise<void> {
  const site = await TestSite.open();
  try {
    await site.addMember('olga', 'admin');
    await run(site, await site.signedIn('olga'));
  } finally {
    await site.close();
  }
}

test('categories are added, renamed, moved, and removed while nothing is in them', async () => {
  await withAdmin(async (site, olga) => {
    await site.addTorrent(1, 'Rain');
    await olga.get('/console/categories');
    const act = (action: string, slug: string, name = '') =>
      olga.post('/console/categories', { action, slug, name });
    assert.equal((await act('add', 'maps', '<b>Maps</b>')).status, 303);
    assert.equal((await act('add', 'maps', 'Again')).status, 422);
    assert.equal((await act('add', '-x', 'Wrong')).status, 422);
    assert.equal((await act('add', 'globes', ' ')).status, 422);
    assert.equal((await act('rename', 'maps', 'Maps & globes')).status, 303);
    assert.equal((await act('rename', 'nothing', 'x')).status, 422);
    const order = async (): Promise<readonly string[]> =>
      [...(await olga.get('/console/categories')).text.matchAll(/<code>([a-z]+)<\/code>/g)].map(
        ([, slug]) => String(slug),
      );
    const before = await order();
    assert.equal(before.at(-1), 'maps');
    await act('up', 'maps');
    assert.equal((await order()).at(-2), 'maps');
    assert.equal((await act('remove', 'other')).status, 422);
    assert.equal((await act('remove', 'maps')).status, 303);
    assert.deepEqual(await order(), before.slice(0, -1));
  });
});

test('client lists are in force at the trackers, together with the mode, until they are given back', async () => {
  await withAdmin(async (site, olga) => {
    await olga.get('/console/clients');
    const wrong = await olga.post('/console/clients', { action: 'save', denied: 'has space' });
    assert.equal(wrong.status, 422);
    const lists = { action: 'save', denied: ' -XL0012\n\n-SD\n-SD', allowed: '' };
    assert.equal((await olga.post('/console/clients', lists)).status, 303);
    const newest = async () => (await site.messages()).at(-1);
    assert.deepEqual((await newest())?.['clientsDenied'], ['-XL0012', '-SD']);
    site.clock.advance(2000);
    assert.match((await olga.get('/console/clients')).text, /-XL0012\n-SD/);
    await olga.post('/console/clients', { action: 'reset' });
    assert.deepEqual((await newest())?.['clientsDenied'], []);
    assert.equal((await newest())?.['mode'], 'private');
  });
});

test('the event log shows each topic and who is how far behind', async () => {
  await withAdmin(async (site, olga) => {
    await site.log.append('transfers', [
      { value: new Uint8Array(3) },
      { value: new Uint8Array(3) },
    ]);
    await site.sql.transaction<{ consumer_position: Position }, void>(async (transaction) => {
      const row = { consumer: 'ledger', log_id: site.log.id, epoch: 1, next_offset: 1 };
      await transaction.insertInto('consumer_position').values(row).execute();
    });
    const { text } = await olga.get('/console/log');
    assert.match(text, /1 reader with something left to read/);
    assert.match(text, /<code>transfers<\/code>/);
  });
});

interface Position {
  consumer: string;
  log_id: string;
  epoch: number;
  next_offset: number;
}

test('an empty archive says how content comes in', async () => {
  await withAdmin(async (_, olga) => {
    const { text } = await olga.get('/console/archive');
    assert.match(text, /The archive keeps nothing yet/);
    assert.match(text, /swarmkeep put/);
  });
});
