// Sign-up by application, through the site's own pages.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TEST_PASSWORD, type TestBrowser, TestSite } from '#site/test-site.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import type { ApplicationTables } from './applications.ts';

const WORDS = 'I map coasts, and have <b>forty</b> surveys to share.';

async function openFor(site: TestSite, mode: string): Promise<TestBrowser> {
  const olga = await site.signedIn('olga');
  await olga.get('/console/settings');
  await olga.post('/console/settings', { siteName: 'Room', signUpMode: mode, trackerMode: '' });
  return olga;
}

async function applyAs(site: TestSite, name: string, words = WORDS) {
  const browser = site.browser();
  await browser.get('/sign-up');
  const page = await browser.post('/sign-up', { name, password: TEST_PASSWORD, words });
  return { browser, page, path: /\/application\/[\w-]{43}/.exec(page.text)?.[0] ?? '' };
}

forEachDatabase((database, open) => {
  test(`${database}: who applies waits, is accepted by a moderator, and signs in with what they chose`, async () => {
    const site = await TestSite.open({ open });
    await site.addMember('olga', 'admin');
    await site.addMember('moss', 'moderator');
    await openFor(site, 'application');
    const short = await applyAs(site, 'pavel', 'Hello');
    assert.equal(short.page.status, 422);
    const { browser, path } = await applyAs(site, 'pavel');
    assert.match((await browser.get(path)).text, /It waits/);
    const early = await browser.post('/sign-in', { name: 'pavel', password: TEST_PASSWORD });
    assert.equal(early.status, 422, 'an applicant is no member');
    const again = await applyAs(site, 'PAVEL');
    assert.match(again.page.text, /is taken/);
    const moss = await site.signedIn('moss');
    assert.match((await moss.get('/console/applications')).text, /pavel/);
    const shown = await moss.get('/console/applications/1');
    assert.match(shown.text, /&lt;b&gt;forty&lt;\/b&gt;/);
    await moss.post('/console/applications/1', { deed: 'accept', reason: '' });
    assert.equal((await site.messages()).at(-1)?.['kind'], 'member');
    const twice = await moss.post('/console/applications/1', { deed: 'accept', reason: '' });
    assert.match(twice.text, /decided on this application already/);
    assert.match((await browser.get(path)).text, /It was accepted/);
    await browser.get('/sign-in');
    const done = await browser.post('/sign-in', { name: 'pavel', password: TEST_PASSWORD });
    assert.equal(done.status, 303);
    await site.close();
  });

  test(`${database}: a refusal says why, and keeps neither password nor words`, async () => {
    const site = await TestSite.open({ open });
    await site.addMember('olga', 'admin');
    const olga = await openFor(site, 'application');
    const { browser, path } = await applyAs(site, 'pavel');
    await olga.get('/console/applications/1');
    const mute = await olga.post('/console/applications/1', { deed: 'refuse', reason: ' ' });
    assert.match(mute.text, /Say why/);
    const reason = 'We are about <maps> of rivers.';
    await olga.post('/console/applications/1', { deed: 'refuse', reason });
    assert.match((await browser.get(path)).text, /about &lt;maps&gt; of rivers/);
    const row = await site.sql
      .read<ApplicationTables>()
      .selectFrom('application')
      .selectAll()
      .executeTakeFirstOrThrow();
    assert.deepEqual([row.password_hash, row.words], ['', '']);
    assert.equal((await applyAs(site, 'pavel')).page.status, 200, 'the name is free again');
    await site.close();
  });
});

test('applications are taken in their mode alone, and invites work beside them', async () => {
  const site = await TestSite.open({ config: { signUpsPerHour: 3 } });
  await site.addMember('olga', 'admin');
  const closed = await applyAs(site, 'pavel');
  assert.equal(closed.path, '', 'by invite only');
  const olga = await openFor(site, 'application');
  await olga.get('/me/invites');
  const made = await olga.post('/me/invites', { note: '' });
  const invite = /\/join\/[\w-]{43}/.exec(made.text)?.[0] ?? '';
  const mina = site.browser();
  await mina.get(invite);
  const joined = await mina.post(invite, { name: 'mina', password: TEST_PASSWORD });
  assert.equal(joined.location, '/members/mina');
  assert.notEqual((await applyAs(site, 'pavel')).path, '');
  assert.equal((await applyAs(site, 'vera')).page.status, 429, 'as many as sign-ups');
  await site.close();
});
