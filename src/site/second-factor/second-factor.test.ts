// Signing in with a code beside the password, through the site's own pages.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TEST_PASSWORD, type TestBrowser, type TestPage, TestSite } from '#site/test-site.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import type { SecondFactorTables } from './second-factor.ts';
import { codeOf, stepAt } from './totp.ts';

const STEP_MS = 30_000;

async function codeNow(site: TestSite): Promise<string> {
  const { secret } = await site.sql
    .read<SecondFactorTables>()
    .selectFrom('second_factor')
    .select('secret')
    .executeTakeFirstOrThrow();
  return codeOf(secret, stepAt(site.clock.nowMs()));
}

/** Sets it up for whoever is signed in; returns the recovery codes. */
async function switchOn(site: TestSite, browser: TestBrowser): Promise<readonly string[]> {
  await browser.get('/me/second-factor');
  await browser.post('/me/second-factor', { current: TEST_PASSWORD });
  const page = await browser.post('/me/second-factor/confirm', { code: await codeNow(site) });
  await site.clock.advance(STEP_MS);
  return page.text.match(/[A-Z2-7]{4}-[A-Z2-7]{4}-[A-Z2-7]{4}/g) ?? [];
}

async function passwordShown(browser: TestBrowser, next = ''): Promise<TestPage> {
  await browser.get('/sign-in');
  const page = await browser.post('/sign-in', { name: 'mina', password: TEST_PASSWORD, next });
  assert.equal(page.location, '/sign-in/code');
  return await browser.get('/sign-in/code');
}

forEachDatabase((database, open) => {
  test(`${database}: a second factor is set up, asked for, used once a code, and switched off`, async () => {
    const site = await TestSite.open({ open });
    await site.addMember('mina');
    const mina = await site.signedIn('mina');
    await mina.get('/me/second-factor');
    const unproven = await mina.post('/me/second-factor', { current: 'a guess' });
    assert.equal(unproven.status, 422);
    await mina.post('/me/second-factor', { current: TEST_PASSWORD });
    assert.match((await mina.get('/me/second-factor')).text, /class="qr-code"/);
    assert.equal((await site.signedIn('mina')).cookies.has('swarmkeep'), true, 'not on yet');
    const wrong = await mina.post('/me/second-factor/confirm', { code: '000000' });
    assert.equal(wrong.status, 422);
    const codes = await switchOn(site, mina);
    assert.equal(codes.length, 10);
    assert.doesNotMatch((await mina.get('/me/second-factor')).text, new RegExp(codes[0] ?? '-'));
    assert.match((await mina.get('/me/notices')).text, /asks for a code now/);

    const there = site.browser();
    await passwordShown(there, '/me/sessions');
    assert.equal((await there.get('/torrents')).location, '/sign-in', 'no session before the code');
    const code = await codeNow(site);
    const done = await there.post('/sign-in/code', { code });
    assert.equal(done.location, '/me/sessions');
    assert.equal((await there.get('/torrents')).status, 200);
    const again = site.browser();
    await passwordShown(again);
    assert.equal((await again.post('/sign-in/code', { code })).status, 422, 'a code works once');
    const [recovery = ''] = codes;
    const saved = await again.post('/sign-in/code', { code: recovery.toLowerCase() });
    assert.equal(saved.location, '/torrents');
    const twice = site.browser();
    await passwordShown(twice);
    assert.equal((await twice.post('/sign-in/code', { code: recovery })).status, 422);
    assert.match((await mina.get('/me/second-factor')).text, /9 left/);

    await mina.post('/me/second-factor/off', { current: 'a guess' });
    assert.match((await mina.get('/me/second-factor')).text, /9 left/);
    await mina.post('/me/second-factor/off', { current: TEST_PASSWORD });
    assert.equal((await site.signedIn('mina')).cookies.has('swarmkeep'), true);
    assert.doesNotMatch(JSON.stringify(site.lines), new RegExp(`${recovery}|${code}`));
    await site.close();
  });

  test(`${database}: codes cannot be guessed: not in one sign-in, and not over many`, async () => {
    const site = await TestSite.open({ open, config: { signInsPerMinute: 1000 } });
    await site.addMember('mina');
    await switchOn(site, await site.signedIn('mina'));
    for (let round = 0; round < 4; round += 1) {
      const browser = site.browser();
      await passwordShown(browser);
      for (let attempt = 0; attempt < 5; attempt += 1) {
        assert.equal((await browser.post('/sign-in/code', { code: '000000' })).status, 422);
      }
      const over = await browser.post('/sign-in/code', { code: await codeNow(site) });
      assert.equal(over.location, '/sign-in', 'after five the password is asked for again');
      assert.equal(browser.cookies.has('swarmkeep-step'), false);
    }
    const browser = site.browser();
    await passwordShown(browser);
    const right = await browser.post('/sign-in/code', { code: await codeNow(site) });
    assert.match(right.text, /Too many wrong codes/);
    await site.clock.advance(3_600_000);
    await passwordShown(browser);
    const later = await browser.post('/sign-in/code', { code: await codeNow(site) });
    assert.equal(later.location, '/torrents');
    await site.close();
  });
});

test('a step of a sign-in is its browser’s, ends after ten minutes, and opens nothing itself', async () => {
  const site = await TestSite.open();
  await site.addMember('mina');
  await switchOn(site, await site.signedIn('mina'));
  const stranger = site.browser();
  await stranger.get('/sign-in');
  assert.equal((await stranger.get('/sign-in/code')).location, '/sign-in');
  const post = await stranger.post('/sign-in/code', { code: await codeNow(site) });
  assert.equal(post.location, '/sign-in');
  const browser = site.browser();
  await passwordShown(browser);
  const step = browser.cookies.get('swarmkeep-step') ?? '';
  stranger.cookies.set('swarmkeep', step);
  assert.equal((await stranger.get('/me/sessions')).status, 303, 'a step is no session');
  await site.clock.advance(600_000);
  const late = await browser.post('/sign-in/code', { code: await codeNow(site) });
  assert.equal(late.location, '/sign-in');
  await site.close();
});

test('the staff take a lost factor away: the member is told, and it is written down who did it', async () => {
  const site = await TestSite.open();
  const olga = await site.addMember('olga', 'admin');
  const { id } = await site.addMember('mina');
  const mina = await site.signedIn('mina');
  await switchOn(site, mina);
  const staff = await site.signedIn('olga');
  const path = '/console/members/mina/second-factor';
  assert.match((await staff.get(path)).text, /Be sure that it is mina/);
  await staff.post(path);
  assert.equal((await site.signedIn('mina')).cookies.has('swarmkeep'), true);
  assert.match((await mina.get('/me/notices')).text, /Done by olga/);
  const line = site.lines.find(({ message }) => /took a second factor away/.test(message));
  assert.deepEqual([line?.fields?.['memberId'], line?.fields?.['by']], [id, olga.id]);
  await site.close();
});
