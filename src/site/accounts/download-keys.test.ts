// Keys of downloads, through the site's own pages, on both databases.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type TestBrowser, TestSite } from '#site/test-site.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { enqueueAllDownloadKeys, findDownloadKey } from './download-keys.ts';
import { removeMember } from './remove-member.ts';

async function keyIn(browser: TestBrowser, hash: string): Promise<string> {
  const file = await browser.get(`/torrents/${hash}/download`);
  assert.equal(file.status, 200);
  const text = Buffer.from(file.bytes).toString('latin1');
  return /:6969\/([\w-]+)\/announce/.exec(text)?.[1] ?? '';
}

async function keyMessages(site: TestSite): Promise<string[]> {
  const messages = await site.messages();
  return messages
    .filter((message) => message['kind'] === 'download-key')
    .map(({ key, memberId, torrentId, state }) => `${key} ${memberId} ${torrentId} ${state}`);
}

forEachDatabase((database, open) => {
  test(`${database}: T17: each .torrent has a key of its member and torrent, revoked alone`, async () => {
    const site = await TestSite.open({ open, config: { downloadKeys: true } });
    const alice = await site.addMember('alice');
    await site.addMember('bob');
    const one = await site.addTorrent(alice.id, 'First', 1);
    const two = await site.addTorrent(alice.id, 'Second', 2);
    const browser = await site.signedIn('alice');
    const other = await site.signedIn('bob');
    const first = await keyIn(browser, one.infoHash);
    const second = await keyIn(browser, two.infoHash);
    assert.equal(await keyIn(browser, one.infoHash), first, 'the same for every download');
    const keys = new Set([first, second, await keyIn(other, one.infoHash), alice.passkey]);
    assert.equal(keys.size, 4);
    assert.deepEqual((await keyMessages(site)).slice(0, 2), [
      `${first} ${alice.id} ${one.id} active`,
      `${second} ${alice.id} ${two.id} active`,
    ]);

    const page = await browser.get('/me/keys');
    assert.match(page.text, /First/);
    assert(!page.text.includes(first), 'nobody reads a key over a shoulder');
    assert.match((await browser.get('/members/alice')).text, /href="\/me\/keys"/);
    const leaked = await findDownloadKey(site.sql, first);
    assert.equal(leaked?.memberId, alice.id);
    const path = `/me/keys/${leaked?.id}/revoke`;
    await other.get('/me/keys');
    assert.equal((await other.post(path)).status, 404, 'not by somebody else');
    await browser.get('/me/keys');
    assert.equal((await browser.post(path)).status, 303);
    assert.equal((await browser.post(path)).status, 404);
    assert.equal((await keyMessages(site)).at(-1), `${first} ${alice.id} ${one.id} revoked`);
    assert.doesNotMatch((await browser.get('/me/keys')).text, /First/);
    assert.notEqual(
      (await findDownloadKey(site.sql, first))?.revokedMs,
      undefined,
      'it still names',
    );
    assert.notEqual(await keyIn(browser, one.infoHash), first);
    assert.equal(await keyIn(browser, two.infoHash), second);
    await site.close();
  });

  test(`${database}: T17: a reset passkey takes the download keys along, and a removed member too`, async () => {
    const site = await TestSite.open({ open, config: { downloadKeys: true } });
    const alice = await site.addMember('alice');
    await site.addMember('olga', 'admin');
    const torrent = await site.addTorrent(alice.id, 'First');
    const browser = await site.signedIn('alice');
    const first = await keyIn(browser, torrent.infoHash);
    await browser.get('/me/passkey/reset');
    const reset = await browser.post('/me/passkey/reset');
    assert.equal(reset.status, 303);
    assert.equal((await keyMessages(site)).at(-1), `${first} ${alice.id} ${torrent.id} revoked`);
    const second = await keyIn(browser, torrent.infoHash);
    const before = (await keyMessages(site)).length;
    await enqueueAllDownloadKeys(site.sql);
    const again = (await keyMessages(site)).slice(before);
    assert.deepEqual(again, [`${second} ${alice.id} ${torrent.id} active`]);
    await removeMember({ ...site.world, passwords: site.passwords }, 'alice');
    assert.equal((await keyMessages(site)).at(-1), `${second} ${alice.id} ${torrent.id} revoked`);
    await site.close();
  });

  test(`${database}: T17: without the setting downloads carry the passkey`, async () => {
    const site = await TestSite.open({ open });
    const alice = await site.addMember('alice');
    const torrent = await site.addTorrent(alice.id, 'First');
    assert.equal(await keyIn(await site.signedIn('alice'), torrent.infoHash), alice.passkey);
    assert.deepEqual(await keyMessages(site), []);
    await site.close();
  });
});
