// What a person does with an account, through the site's own pages, on both databases.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TEST_PASSWORD, TestSite } from '#site/test-site.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import type { AccountTables } from './account-tables.ts';
import { firstRunPath } from './first-run.ts';
import { enqueueStoredSettings, readSettings } from './settings.ts';

const ADMIN = { siteName: 'Reading Room', name: 'olga', password: TEST_PASSWORD };

forEachDatabase((database, open) => {
  test(`${database}: the first run makes the admin, names the site and works once`, async () => {
    const site = await TestSite.open({ open });
    const browser = site.browser();
    assert.match((await browser.get('/')).text, /waits for its operator/);
    const path = await firstRunPath(site.world);
    assert.ok(path !== undefined);
    assert.equal((await browser.get(path)).status, 200);
    const done = await browser.post(path, {
      ...ADMIN,
      publicUrl: 'http://swarm.example.org/',
      trackerHttpUrl: 'http://tracker.example.org:6969',
      trackerUdpUrl: 'udp://tracker.example.org:6969',
    });
    assert.equal(done.status, 303);
    assert.equal(done.location, '/members/olga');
    const profile = await browser.get('/members/olga');
    assert.match(profile.text, /Reading Room is open/);
    assert.match(profile.text, /http:\/\/tracker\.example\.org:6969\/[\w-]{32}\/announce/);
    assert.match(profile.text, /udp:\/\/tracker\.example\.org:6969\/[\w-]{32}\/announce/);
    assert.doesNotMatch((await browser.get('/members/olga')).text, /is open/);
    assert.equal((await browser.get(path)).status, 404);
    assert.equal((await site.browser().get(path)).status, 404);
    assert.equal(await firstRunPath(site.world), undefined);
    await site.close();
  });

  test(`${database}: T28: a member is told on the profile that the tracker was reached elsewhere`, async () => {
    const told = /The tracker has a new address\..+http:\/\/old\.example\.org:6969/;
    const site = await TestSite.open({ open, formerUrls: ['http://old.example.org:6969'] });
    const olga = site.browser();
    const path = (await firstRunPath(site.world)) ?? '';
    await olga.get(path);
    await olga.post(path, ADMIN);
    assert.match((await olga.get('/members/olga')).text, told);
    await site.close();
    const unmoved = await TestSite.open({ open });
    const otto = unmoved.browser();
    const other = (await firstRunPath(unmoved.world)) ?? '';
    await otto.get(other);
    await otto.post(other, ADMIN);
    assert.match((await otto.get('/members/olga')).text, /Announce address/);
    assert.doesNotMatch((await otto.get('/members/olga')).text, told);
    await unmoved.close();
  });

  test(`${database}: a first-run link stops working when the server prints the next one`, async () => {
    const site = await TestSite.open({ open });
    const first = (await firstRunPath(site.world)) ?? '';
    const second = (await firstRunPath(site.world)) ?? '';
    const browser = site.browser();
    assert.equal((await browser.get(first)).status, 404);
    assert.equal((await browser.get(second)).status, 200);
    assert.equal((await browser.get(`/first-run/${'A'.repeat(43)}`)).status, 404);
    await site.close();
  });

  test(`${database}: the first run keeps what was typed and says what is wrong`, async () => {
    const site = await TestSite.open({ open });
    const path = (await firstRunPath(site.world)) ?? '';
    const browser = site.browser();
    await browser.get(path);
    const sent = await browser.post(path, {
      siteName: '<b>Room</b>',
      name: 'x',
      password: TEST_PASSWORD,
      publicUrl: 'javascript:alert(1)',
      trackerUdpUrl: 'http://tracker.example.org',
    });
    assert.equal(sent.status, 422);
    assert.match(sent.text, /&lt;b&gt;Room&lt;\/b&gt;/);
    assert.match(sent.text, /id="publicUrl-error"/);
    assert.match(sent.text, /id="trackerUdpUrl-error"/);
    const again = await browser.post(path, { ...ADMIN, name: 'x' });
    assert.match(again.text, /A name has 3 to 32 characters/);
    const listening = { publicUrl: 'http://127.0.0.1:8080', trackerHttpUrl: 'http://t.example' };
    assert.equal((await browser.post(path, { ...ADMIN, ...listening })).status, 303);
    const settings = await readSettings(site.sql.read());
    assert.equal(settings.publicUrl, '', 'an address that is listened on is not kept');
    assert.equal(settings.trackerHttpUrl, 'http://t.example');
    await site.close();
  });

  test(`${database}: an invite brings in one member, and the trackers learn of them`, async () => {
    const site = await TestSite.open({ open });
    await site.addMember('olga', 'admin');
    const olga = await site.signedIn('olga');
    await olga.get('/me/invites');
    const made = await olga.post('/me/invites', { note: 'Pavel' });
    assert.equal(made.status, 200);
    const path = /\/join\/[\w-]{43}/.exec(made.text)?.[0] ?? '';
    assert.doesNotMatch((await olga.get('/me/invites')).text, /\/join\//);
    const pavel = site.browser();
    assert.match((await pavel.get(path)).text, /<strong>olga<\/strong> invites you/);
    const changesBefore = site.changes;
    const joined = await pavel.post(path, { name: 'Pavel', password: TEST_PASSWORD });
    assert.equal(joined.location, '/members/Pavel');
    assert.equal(site.changes, changesBefore + 1);
    const message = (await site.messages()).at(-1);
    assert.equal(message?.['kind'], 'member');
    assert.equal(message?.['state'], 'active');
    assert.ok(Array.isArray(message?.['passkeys']) && message['passkeys'].length === 1);
    const late = site.browser();
    assert.equal((await late.get(path)).status, 404);
    assert.equal((await late.post(path, { name: 'Late', password: TEST_PASSWORD })).status, 404);
    assert.match((await olga.get('/me/invites')).text, /Used.*Pavel/s);
    await site.close();
  });

  test(`${database}: of two people with one invite at the same moment one gets in`, async () => {
    const site = await TestSite.open({ open, config: { passwordsAtOnce: 8 } });
    await site.addMember('olga', 'admin');
    const olga = await site.signedIn('olga');
    await olga.get('/me/invites');
    const made = await olga.post('/me/invites');
    const path = /\/join\/[\w-]{43}/.exec(made.text)?.[0] ?? '';
    const names = ['anna', 'boris', 'clara', 'dora', 'emil', 'fred', 'greta', 'hugo'];
    const people = await Promise.all(
      names.map(async (name) => {
        const browser = site.browser();
        await browser.get(path);
        return { browser, name };
      }),
    );
    const answers = await Promise.all(
      people.map(({ browser, name }) => browser.post(path, { name, password: TEST_PASSWORD })),
    );
    assert.equal(answers.filter((page) => page.status === 303).length, 1);
    const members = (await olga.get('/members')).text;
    assert.match(members, /2 members/);
    await site.close();
  });

  test(`${database}: names differ in more than case, also when they arrive together`, async () => {
    const site = await TestSite.open({ open });
    await site.addMember('olga', 'admin');
    const olga = await site.signedIn('olga');
    await olga.get('/console/settings');
    const saved = await olga.post('/console/settings', {
      siteName: 'Room',
      signUpMode: 'open',
      trackerMode: '',
    });
    assert.equal(saved.status, 303);
    const names = ['Pavel', 'pavel', 'PAVEL'];
    const answers = await Promise.all(
      names.map(async (name) => {
        const browser = site.browser();
        await browser.get('/sign-up');
        return await browser.post('/sign-up', { name, password: TEST_PASSWORD });
      }),
    );
    assert.equal(answers.filter((page) => page.status === 303).length, 1);
    assert.equal(answers.filter((page) => page.status === 422).length, 2);
    await site.close();
  });

  test(`${database}: signing out on one device leaves the others, everywhere ends all`, async () => {
    const site = await TestSite.open({ open });
    await site.addMember('olga');
    const phone = await site.signedIn('olga');
    const desk = await site.signedIn('olga');
    const third = await site.signedIn('olga');
    assert.match((await desk.get('/me/sessions')).text, /signed in on 3 devices/);
    await phone.get('/me/sessions');
    assert.equal((await phone.post('/sign-out')).location, '/sign-in');
    assert.equal((await phone.get('/me/sessions')).status, 303);
    const page = await desk.get('/me/sessions');
    const ids = [...page.text.matchAll(/\/me\/sessions\/(\d+)\/revoke/g)].map((match) => match[1]);
    assert.equal(ids.length, 2);
    for (const id of ids) {
      const answer = await desk.post(`/me/sessions/${id}/revoke`);
      if (answer.location === '/sign-in') break;
    }
    const alive = [await desk.get('/me/sessions'), await third.get('/me/sessions')];
    assert.ok(alive.some((answer) => answer.status === 303));
    const last = await site.signedIn('olga');
    await last.get('/me/sessions/revoke-all');
    assert.equal((await last.post('/me/sessions/revoke-all')).location, '/sign-in');
    for (const browser of [desk, third, last]) {
      assert.equal((await browser.get('/me/sessions')).status, 303);
    }
    await site.close();
  });

  test(`${database}: a session ends when it was idle too long, and is renewed by visits`, async () => {
    const site = await TestSite.open({ open, config: { sessionIdleDays: 2 } });
    await site.addMember('olga');
    const browser = await site.signedIn('olga');
    const day = 86_400_000;
    for (let visit = 0; visit < 3; visit++) {
      site.clock.advance(1.5 * day);
      assert.equal((await browser.get('/me/sessions')).status, 200);
    }
    site.clock.advance(2.1 * day);
    assert.equal((await browser.get('/me/sessions')).status, 303);
    await site.close();
  });

  test(`${database}: a reset passkey is replaced in the message to the trackers`, async () => {
    const site = await TestSite.open({ open });
    const before = await site.addMember('olga');
    const browser = await site.signedIn('olga');
    assert.match((await browser.get('/me/passkey/reset')).text, /Reset your passkey\?/);
    const answer = await browser.post('/me/passkey/reset');
    assert.equal(answer.status, 303);
    const page = await browser.get('/members/olga');
    const passkey = /6969\/([\w-]{32})\/announce/.exec(page.text)?.[1] ?? '';
    assert.notEqual(passkey, before.passkey);
    const message = (await site.messages()).at(-1);
    assert.deepEqual(message?.['passkeys'], [passkey]);
    await site.close();
  });

  test(`${database}: changing the password needs the old one and signs other devices out`, async () => {
    const site = await TestSite.open({ open });
    await site.addMember('olga');
    const here = await site.signedIn('olga');
    const there = await site.signedIn('olga');
    await here.get('/me/password');
    const wrong = await here.post('/me/password', { current: 'no', password: 'a new password' });
    assert.equal(wrong.status, 422);
    assert.match(wrong.text, /not your current password/);
    const fields = { current: TEST_PASSWORD, password: 'a new password' };
    assert.equal((await here.post('/me/password', fields)).status, 303);
    assert.equal((await here.get('/me/sessions')).status, 200);
    assert.equal((await there.get('/me/sessions')).status, 303);
    const back = site.browser();
    await back.get('/sign-in');
    const old = await back.post('/sign-in', { name: 'olga', password: TEST_PASSWORD });
    assert.equal(old.status, 422);
    const now = await back.post('/sign-in', { name: 'OLGA', password: 'a new password' });
    assert.equal(now.status, 303);
    await site.close();
  });

  test(`${database}: a ban ends sessions, refuses sign-in with the reason, and is lifted`, async () => {
    const site = await TestSite.open({ open });
    await site.addMember('olga', 'admin');
    await site.addMember('pavel');
    const olga = await site.signedIn('olga');
    const pavel = await site.signedIn('pavel');
    assert.match((await olga.get('/console/members/pavel/ban')).text, /Ban pavel\?/);
    await olga.post('/console/members/pavel/ban', { reason: 'shared  a key' });
    assert.equal((await pavel.get('/me/sessions')).status, 303);
    const ban = (await site.messages()).at(-1);
    assert.equal(ban?.['state'], 'banned');
    assert.equal(ban?.['reason'], 'shared a key');
    await pavel.get('/sign-in');
    const refused = await pavel.post('/sign-in', { name: 'pavel', password: TEST_PASSWORD });
    assert.match(refused.text, /banned: shared a key/);
    await olga.get('/console/members/pavel');
    await olga.post('/console/members/pavel/unban');
    assert.equal((await site.messages()).at(-1)?.['state'], 'active');
    assert.equal((await pavel.get('/me/sessions')).status, 303, 'old sessions do not come back');
    const again = await site.signedIn('pavel');
    // Whatever sets the state, a session counts for active members alone.
    await site.sql.transaction<AccountTables, unknown>((transaction) =>
      transaction
        .updateTable('member')
        .set({ state: 'banned' })
        .where('name', '=', 'pavel')
        .execute(),
    );
    assert.equal((await again.get('/me/sessions')).status, 303);
    await site.close();
  });

  test(`${database}: the only admin can neither be banned nor made a member`, async () => {
    const site = await TestSite.open({ open });
    await site.addMember('olga', 'admin');
    const olga = await site.signedIn('olga');
    await olga.get('/console/members/olga');
    await olga.post('/console/members/olga/role', { role: 'member' });
    assert.match((await olga.get('/console/members/olga')).text, /olga is the only admin/);
    const self = await olga.post('/console/members/olga/ban', { reason: '' });
    assert.match(self.text, /cannot ban yourself/);
    await site.addMember('pavel', 'admin');
    await olga.post('/console/members/olga/role', { role: 'member' });
    assert.equal((await olga.get('/console')).status, 403);
    await site.close();
  });

  test(`${database}: the trackers learn a mode that is changed, and nothing when it stays`, async () => {
    const site = await TestSite.open({ open });
    await site.addMember('olga', 'admin');
    const olga = await site.signedIn('olga');
    await olga.get('/console/settings');
    const settings = { siteName: 'Room', signUpMode: 'closed' };
    await olga.post('/console/settings', { ...settings, trackerMode: '' });
    assert.equal((await site.messages()).at(-1)?.['kind'], 'member');
    await olga.post('/console/settings', { ...settings, trackerMode: 'listed' });
    await enqueueStoredSettings(site.sql, site.world.trackerDefaults);
    assert.deepEqual((await site.messages()).at(-1), (await site.messages()).at(-2));
    assert.deepEqual((await site.messages()).at(-1), {
      kind: 'settings',
      mode: 'listed',
      clientsAllowed: [],
      clientsDenied: [],
    });
    await olga.post('/console/settings', { ...settings, trackerMode: '' });
    assert.equal((await site.messages()).at(-1)?.['mode'], 'private');
    await site.close();
  });
});
