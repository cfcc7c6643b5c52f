// What was written on a page comes back when it cannot be taken any more, and nothing else does.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type TestBrowser, TestSite } from './test-site.ts';

const OWN = { 'sec-fetch-site': 'same-origin' };
const WORDS = 'Soil moisture, 1998 to 2026 <all of it>\nin one folder';
const WRITTEN = { title: 'A survey', description: WORDS, points: '0' };

let site: TestSite;
before(async () => {
  site = await TestSite.open();
  await site.addMember('mina');
});
after(async () => {
  await site.close();
});

async function isAskedFor(browser: TestBrowser): Promise<boolean> {
  return /A survey/.test((await browser.get('/requests')).text);
}

test('S1: what was written is not lost with the session: it is sent after signing in', async () => {
  const mina = await site.signedIn('mina');
  await mina.get('/requests/new');
  mina.cookies.delete('swarmkeep');
  const signedOut = await mina.post('/requests/new', WRITTEN, OWN);
  assert.equal(signedOut.status, 401);
  assert.match(signedOut.text, /what you wrote is still here/);
  assert.match(signedOut.text, /Soil moisture, 1998 to 2026 &lt;all of it&gt;\nin one folder/);
  assert.match(signedOut.text, /<form class="form" method="post" action="\/requests\/new">/);
  assert.match(signedOut.text, /name="points" value="0"/);

  // In another tab; the form on this page has the token of a visitor still.
  const { csrf } = mina;
  for (const [name, value] of (await site.signedIn('mina')).cookies) mina.cookies.set(name, value);
  const stale = await mina.post('/requests/new', { ...WRITTEN, csrf }, OWN);
  assert.equal(stale.status, 403);
  assert.match(stale.text, /Look it over, then send it/);
  assert.equal(await isAskedFor(mina), false, 'nothing is done before it is sent again');
  await mina.get('/requests/new');
  const again = await mina.post('/requests/new', { ...WRITTEN, csrf: csrfOf(stale.text) }, OWN);
  assert.equal(again.status, 303, again.text.slice(0, 2000));
  assert.ok(await isAskedFor(mina));
});

test('a form that may be from elsewhere does not come back with what it says', async () => {
  const visitor = site.browser();
  await visitor.get('/sign-in');
  for (const headers of [{}, { 'sec-fetch-site': 'none' }, { 'sec-fetch-site': 'cross-site' }]) {
    const page = await visitor.post('/requests/new', WRITTEN, headers);
    assert.equal(page.status, 401);
    assert.doesNotMatch(page.text, /Soil moisture/);
  }
});

test('secrets and files do not come back, and a form with them is filled in anew', async () => {
  const visitor = site.browser();
  await visitor.get('/sign-in');
  const secret = { ...WRITTEN, password: 'not for any page' };
  const page = await visitor.post('/requests/new', secret, OWN);
  assert.match(page.text, /Copy it from below[\s\S]*Soil moisture/);
  assert.doesNotMatch(page.text, /not for any page/);
  assert.doesNotMatch(page.text, /action="\/requests\/new"/);

  const file = { ...WRITTEN, cover: new File(['picture'], 'cover.png') };
  const withFile = await visitor.post('/requests/new', file, OWN);
  assert.match(withFile.text, /Copy it from below[\s\S]*Soil moisture/);
  assert.doesNotMatch(withFile.text, /action="\/requests\/new"/);
});

test('a form in which nothing was written is refused as before', async () => {
  const visitor = site.browser();
  await visitor.get('/sign-in');
  const page = await visitor.post('/me/passkey/reset', {}, OWN);
  assert.equal(page.status, 401);
  assert.match(page.text, /Sign in, then do it again/);
  assert.doesNotMatch(page.text, /action="\/me\/passkey\/reset"/);
});

function csrfOf(page: string): string {
  return (
    /action="\/requests\/new"><input type="hidden" name="csrf" value="([^"]+)"/.exec(page)?.[1] ??
    ''
  );
}
