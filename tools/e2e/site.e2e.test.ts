// From the first run to the profile in a real browser, without scripts, against the real server: an
// operator opens the site, uploads a torrent, invites somebody, and the guest downloads it. Then
// every page that was met is inspected at three widths and in both themes.
//
// SWARMKEEP_PICTURES=folder keeps a picture of every page.

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { utf8 } from '#base/bytes.ts';
import { parseMetainfo } from '#wire/metainfo.ts';
import { makeMetainfo } from '#wire/metainfo-maker.ts';
import { browserMissing, inspectPages, openWindow, startBrowser } from './browser.ts';
import { TestServer } from './server.ts';

const PASSWORD = 'tortoise lamp river';
const skip = browserMissing() ?? false;
const TEST_MS_MAX = 120_000;

let server: TestServer;
let browser: Browser;
let operator: BrowserContext;
let guest: BrowserContext;
let page: Page;
let torrentPath = '';

before(async () => {
  if (skip !== false) return;
  server = await TestServer.prepare();
  [browser] = await Promise.all([startBrowser(), server.start()]);
  operator = await openWindow(browser);
  guest = await openWindow(browser);
  page = await operator.newPage();
});

after(async () => {
  if (skip !== false) return;
  await browser.close();
  await server.remove();
});

const options = { skip, timeout: TEST_MS_MAX };

test('the start page answers before the first run and says what to do', options, async () => {
  await page.goto(server.siteUrl);
  assert.match(await page.textContent('main').then(String), /waits for its operator/);
});

test('the printed link leads through the first run to the profile', options, async () => {
  const link = /first run: (\S+)/.exec(server.output)?.[1] ?? '';
  assert.match(link, /\/first-run\//);
  await page.goto(link);
  await page.getByLabel('Name of this site').fill('Meridian Archive');
  await page.getByLabel('Name', { exact: true }).fill('olga');
  await page.getByLabel('Password').fill(PASSWORD);
  assert.equal(await page.getByLabel('Tracker, HTTP').inputValue(), trackerUrl('http'));
  assert.equal(await page.getByLabel('Tracker, UDP').inputValue(), trackerUrl('udp'));
  await page.getByRole('button', { name: 'Open the site' }).click();
  await page.waitForURL('**/members/olga');
  assert.match(await page.title(), /olga · Meridian Archive/);
  const main = String(await page.textContent('main'));
  assert.match(main, /Meridian Archive is open/);
  assert.match(main, /You have not given or taken anything yet/);
});

test('the profile shows the announce address when asked for it', options, async () => {
  const address = page.locator('#announce .secret').first();
  assert.equal(await address.isVisible(), false);
  await page.getByText('Show my announce address').click();
  assert.equal(await address.isVisible(), true);
  const [member] = await server.json<{ announceUrls: { http: string } }>([
    'member',
    'show',
    'olga',
  ]);
  assert.equal(await address.textContent(), member?.announceUrls.http);
});

test('a torrent is uploaded, looked into, and found by a word of its title', options, async () => {
  await page.getByRole('link', { name: 'Upload' }).first().click();
  await page.getByLabel('Torrent file').setInputFiles({
    name: 'survey.torrent',
    mimeType: 'application/x-bittorrent',
    buffer: Buffer.from(await makeTorrent()),
  });
  await page.locator('main button[type=submit]').first().click();
  await page.waitForURL('**/upload/*');
  assert.match(String(await page.textContent('main')), /tile-1\.csv/);
  await page.getByLabel('Title').fill('Coastal survey 2026');
  await page.getByLabel('Tags').fill('survey, coast');
  await page.getByLabel('Description').fill('Lidar tiles, **checked** twice.');
  await page.locator('main button.button-primary').first().click();
  await page.waitForURL('**/torrents/*');
  torrentPath = new URL(page.url()).pathname;
  assert.match(String(await page.textContent('h1')), /Coastal survey 2026/);
  await page.getByLabel('Search torrents').fill('coastal');
  await page.getByRole('button', { name: 'Search' }).click();
  await page.getByRole('link', { name: 'Coastal survey 2026' }).click();
  assert.equal(new URL(page.url()).pathname, torrentPath);
});

test('an invited guest signs up, and their .torrent has their own address', options, async () => {
  await page.goto(`${server.siteUrl}/me/invites`);
  await page.getByLabel('For whom').fill('Mina');
  await page.getByRole('button', { name: 'Make an invite' }).click();
  const invite = String(await page.locator('.secret').textContent());
  const window = await guest.newPage();
  await window.goto(invite);
  await window.getByLabel('Name').fill('mina');
  await window.getByLabel('Password').fill(PASSWORD);
  await window.getByRole('button', { name: 'Sign up' }).click();
  await window.waitForURL('**/members/mina');
  const answer = await guest.request.get(`${server.siteUrl}${torrentPath}/download`);
  assert.equal(answer.headers()['content-type'], 'application/x-bittorrent');
  const bytes = await answer.body();
  const [member] = await server.json<{ passkey: string }>(['member', 'show', 'mina']);
  assert.ok(bytes.includes(`${trackerUrl('http')}/${member?.passkey}/announce`));
  assert.equal(parseMetainfo(bytes).ok, true);
  const [olga] = await server.json<{ passkey: string }>(['member', 'show', 'olga']);
  assert.ok(!bytes.includes(olga?.passkey ?? 'nothing'));
});

test('the menu, the theme and signing out work with the keyboard alone', options, async () => {
  const window = await guest.newPage();
  await window.goto(`${server.siteUrl}/torrents`);
  await window.keyboard.press('Tab');
  assert.equal(await window.locator(':focus').textContent(), 'Skip to the content');
  await window.locator('.menu > summary').focus();
  await window.keyboard.press('Enter');
  assert.equal(await window.getByRole('link', { name: 'Sessions' }).isVisible(), true);
  await window.getByRole('button', { name: 'Dark' }).focus();
  await window.keyboard.press('Enter');
  // The address stays the same, so it is the page itself that tells when it is there.
  await window.locator('html[data-theme=dark]').waitFor({ state: 'attached' });
  await window.getByRole('button', { name: 'System' }).focus();
  await window.keyboard.press('Enter');
  await window.close();
});

test('every page is fit for all at three widths and in two themes', options, async () => {
  const paths = [
    '/torrents',
    '/torrents?q=nothing-is-called-so',
    torrentPath,
    `${torrentPath}/files`,
    '/upload',
    '/members',
    '/members/olga',
    '/members/mina',
    '/me/invites',
    '/me/sessions',
    '/me/sessions/revoke-all',
    '/me/password',
    '/me/passkey/reset',
    '/console',
    '/console/settings',
    '/console/rules',
    '/console/rules/reset',
    '/console/freeleech',
    '/console/signals',
    '/console/classes',
    '/console/transfers',
    '/me/data',
    '/me/erase',
    '/console/jobs',
    '/console/jobs/ratio-watch',
    '/me/bonus',
    '/me/webdav',
    '/contribute',
    '/me/shares',
    '/console/shares',
    '/me/notices',
    '/console/members/mina',
    '/console/members/mina/ban',
    '/nothing-here',
  ];
  const signedOut = await openWindow(browser);
  const found = [
    ...(await inspectPages(browser, operator, { ...asked('operator'), paths })),
    ...(await inspectPages(browser, signedOut, { ...asked('visitor'), paths: ['/', '/sign-up'] })),
  ];
  const faults = found.filter(
    ({ violations, overflowPx, strangers }) =>
      violations.length > 0 || overflowPx > 0 || strangers.length > 0,
  );
  assert.deepEqual(faults, []);
});

test('a banned guest is signed out and reads why', options, async () => {
  await page.goto(`${server.siteUrl}/console/members/mina/ban`);
  await page.getByLabel('Reason').fill('shared a passkey');
  await page.getByRole('button', { name: 'Ban mina' }).click();
  await page.waitForURL('**/console/members/mina');
  const window = await guest.newPage();
  await window.goto(`${server.siteUrl}/torrents`);
  assert.match(window.url(), /\/sign-in/);
  await window.getByLabel('Name').fill('mina');
  await window.getByLabel('Password').fill(PASSWORD);
  await window.locator('main button[type=submit]').click();
  assert.match(String(await window.textContent('main')), /banned: shared a passkey/);
});

test('signing out everywhere ends the operator too', options, async () => {
  await page.goto(`${server.siteUrl}/me/sessions`);
  await page.getByRole('link', { name: 'Sign out everywhere' }).click();
  await page.locator('main').getByRole('button', { name: 'Sign out everywhere' }).click();
  await page.waitForURL('**/sign-in');
  await page.goto(`${server.siteUrl}/console`);
  assert.match(page.url(), /\/sign-in\?next=/);
});

function trackerUrl(scheme: 'http' | 'udp'): string {
  return `${scheme}://127.0.0.1:${server.trackerPort}`;
}

function asked(who: string) {
  const folder = process.env['SWARMKEEP_PICTURES'];
  if (folder === undefined) return { siteUrl: server.siteUrl };
  mkdirSync(folder, { recursive: true });
  return {
    siteUrl: server.siteUrl,
    onPicture: (
      path: string,
      look: { readonly widthPx: number; readonly theme: string },
      png: Buffer,
    ): void => {
      const name = path.replaceAll(/[^a-z0-9]+/gi, '-').slice(0, 40);
      writeFileSync(join(folder, `${who}${name}-${look.widthPx}-${look.theme}.png`), png);
    },
  };
}

async function makeTorrent(): Promise<Uint8Array> {
  const made = await makeMetainfo({
    version: 'hybrid',
    name: 'coastal-survey',
    singleFile: false,
    files: ['tile-1.csv', 'tile-2.csv', 'notes.txt'].map((name, at) => ({
      path: at === 2 ? [name] : ['tiles', name],
      sizeBytes: 50_000,
      async *read() {
        yield utf8(`${name} `.repeat(50_000)).subarray(0, 50_000);
      },
    })),
  });
  if (!made.ok) throw new Error('the torrent could not be made');
  return made.bytes;
}
