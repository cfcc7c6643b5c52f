// From the first run to the profile in a real browser against the real server: an operator opens the site,
// uploads a torrent, invites somebody, and the guest downloads it, all without scripts; then with them a
// number changes by itself. Then every page that was met is inspected at three widths and in both themes.
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
const TEST_MS_MAX = 280_000;

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

test('members talk, ask and collect, and the staff answers, without scripts', options, async () => {
  const window = await guest.newPage();
  await window.goto(`${server.siteUrl}${torrentPath}`);
  await window.getByLabel('Your comment').fill('Which datum is this, **ETRS89**?');
  await window.getByRole('button', { name: 'Send the comment' }).click();
  await window.locator('#comment-1').waitFor();
  await window.getByRole('button', { name: 'Thanks' }).click();
  await window.getByText('1 member said thank you').waitFor();
  await window.getByRole('link', { name: 'Report', exact: true }).first().click();
  await window.getByLabel('What is wrong').fill('The tiles of the north are missing.');
  await window.getByRole('button', { name: 'Send the report' }).click();
  await window.goto(`${server.siteUrl}/requests/new`);
  await window.getByLabel('What do you look for').fill('Coastal survey 2025');
  await window.getByRole('button', { name: 'Ask for it' }).click();
  await window.waitForURL('**/requests/1');
  await window.goto(`${server.siteUrl}/collections/new`);
  await window.getByLabel('Title').fill('Coasts');
  await window.getByRole('button', { name: 'Make the collection' }).click();
  await window.goto(`${server.siteUrl}${torrentPath}/collect`);
  await window.getByRole('button', { name: 'Put in' }).click();
  await window.getByRole('button', { name: 'Take out' }).waitFor();
  await window.close();
  await page.goto(`${server.siteUrl}/console/reports/1`);
  await page.getByRole('button', { name: 'I look at it' }).click();
  await page.getByRole('button', { name: 'Give it back' }).waitFor();
  await page.goto(`${server.siteUrl}/console/networks`);
  await page.getByLabel('Address or network').fill('203.0.113.0/24');
  await page.getByLabel('Reason').fill('a rented botnet');
  await page.getByRole('button', { name: 'Ban this network' }).click();
  await page.getByRole('link', { name: 'End' }).waitFor();
  await page.goto(`${server.siteUrl}/console/members/mina/moderation`);
  await page.getByLabel('Reason').fill('Be kind to each other.');
  await page.getByRole('button', { name: 'Warn mina' }).click();
  await page.getByText('In force').waitFor();
});

test('a real announce changes the numbers on open pages within seconds', options, async () => {
  const window = await browser.newContext({ storageState: await operator.storageState() });
  const [list, item] = [await window.newPage(), await window.newPage()];
  const errors: string[] = [];
  for (const open of [list, item]) open.on('console', (said) => errors.push(said.text()));
  await list.goto(`${server.siteUrl}/torrents`);
  await item.goto(server.siteUrl + torrentPath);
  const seeders = list.locator('[data-live^=s]').first();
  assert.equal(await seeders.textContent(), '0');
  const before = await list.locator('tbody tr').first().boundingBox();
  const [mina] = await server.json<{ passkey: string }>(['member', 'show', 'mina']);
  const infoHash = torrentPath.slice(-40).replaceAll(/../g, '%$&');
  const announce = (event: string): Promise<Response> =>
    fetch(
      `${trackerUrl('http')}/${mina?.passkey}/announce?info_hash=${infoHash}&peer_id=-XX0001-aaaaaaaaaaaa&port=6881&uploaded=0&downloaded=0&left=0&event=${event}`,
    );
  assert.match(await (await announce('started')).text(), /interval/);
  await list.locator('[data-live^=s]', { hasText: '1' }).first().waitFor();
  await list.locator('.health-warn', { hasText: 'One seeder' }).waitFor();
  await item.getByText('1 seeder, 0 leechers').waitFor();
  await item.getByText('One client alone keeps it alive.').waitFor();
  assert.deepEqual(await list.locator('tbody tr').first().boundingBox(), before, 'nothing moves');
  // Who has no scripts loads the page again, and finds the same.
  await page.goto(`${server.siteUrl}/torrents`);
  assert.equal(await page.locator('[data-live^=s]').first().textContent(), '1');
  await page.locator('.health-warn', { hasText: 'One seeder' }).waitFor();
  await announce('stopped');
  await list.locator('.health-none', { hasText: 'Nobody here' }).waitFor();
  assert.deepEqual(errors, [], 'the policy lets the script do what it does');
  await window.close();
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

// Some seventy pages.
const walk = { ...options, timeout: 3 * TEST_MS_MAX };
test('every page is fit for all at three widths and in two themes', walk, async () => {
  const paths = [
    '/torrents',
    '/torrents?q=nothing-is-called-so',
    '/torrents?added=365&size-from=1+KiB&mine=never',
    '/me/searches',
    torrentPath,
    `${torrentPath}/files`,
    '/upload',
    '/members',
    '/docs',
    '/docs/getting-started',
    '/docs/generated/api',
    '/members/olga',
    '/members/mina',
    '/me/invites',
    '/me/sessions',
    '/me/sessions/revoke-all',
    '/me/password',
    '/me/tokens',
    '/me/second-factor',
    '/me/sign-in-keys',
    '/me/email',
    '/me/privacy',
    '/me/invites/tree',
    '/console/roles',
    '/console/roles/moderator',
    '/console/applications',
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
    '/me/bookmarks',
    '/me/feeds',
    '/me/feeds/reset',
    '/requests',
    '/requests/new',
    '/requests/1',
    '/requests/1/withdraw',
    '/collections',
    '/collections/1',
    '/needs-seeds',
    `${torrentPath}/collect`,
    `${torrentPath}/edit`,
    `${torrentPath}/remove`,
    `/console${torrentPath}/freeleech`,
    '/collections/new',
    '/me/keys',
    '/console/members/mina/reset',
    '/console/class-rights/0',
    `${torrentPath}/history`,
    '/comments/1',
    '/comments/1/remove',
    '/comments/1/history',
    '/report/comment/1',
    '/console/reports',
    '/console/reports/1',
    '/console/networks',
    '/console/networks/1/end',
    '/console/staff-log?check=all',
    '/console/members/mina/moderation',
    '/console/log',
    '/console/archive',
    '/console/stores',
    '/console/nodes',
    '/console/logging',
    '/console/categories',
    '/console/tags',
    '/console/clients',
    '/me/webdav',
    '/contribute',
    '/me/shares',
    '/console/keepers',
    '/console/shares',
    '/me/notices',
    '/console/members/mina',
    '/console/members/mina/ban',
    '/nothing-here',
  ];
  const signedOut = await openWindow(browser);
  const found = [
    ...(await inspectPages(browser, operator, { ...asked('operator'), paths })),
    ...(await inspectPages(browser, signedOut, {
      ...asked('visitor'),
      paths: ['/', '/sign-in', '/sign-up', '/nothing-here'],
    })),
    // What is not open to them.
    ...(await inspectPages(browser, guest, {
      ...asked('guest'),
      paths: ['/console', '/me/notices'],
    })),
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
