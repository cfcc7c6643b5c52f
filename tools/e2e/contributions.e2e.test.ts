// Content uploaded in a real browser into the archive: with a line that is cut, a page that is closed and
// opened again, and without scripts.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { browserMissing, openWindow, startBrowser } from './browser.ts';
import { CuttingProxy } from './browser-uploads.ts';
import { pause, TestServer } from './server.ts';
import { SiteVisitor } from './site-visitor.ts';

const MIB = 1024 * 1024;
const PASSWORD = 'tortoise lamp river';
const skip = browserMissing() ?? false;
const options = { skip, timeout: 400_000 };
const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-contributions-'));

let server: TestServer;
let proxy: CuttingProxy;
let browser: Browser;

before(async () => {
  if (skip !== false) return;
  server = await TestServer.prepare();
  [browser] = await Promise.all([startBrowser(), server.start()]);
  proxy = await CuttingProxy.open(server.sitePort);
  for (const words of [['olga', '--role', 'admin'], ['mina']]) {
    await server.json(['member', 'add', ...words, '--password-stdin'], PASSWORD);
  }
});

after(async () => {
  await browser?.close();
  proxy?.close();
  await server?.remove();
  rmSync(folder, { recursive: true, force: true });
});

async function signIn(window: BrowserContext, url: string): Promise<Page> {
  const page = await window.newPage();
  await page.goto(`${url}/sign-in`);
  await page.getByLabel('Name').fill('olga');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.locator('main button[type=submit]').click();
  await page.waitForURL((at) => !at.pathname.startsWith('/sign-in'));
  return page;
}

/** Writes a folder of such files and gives its path. */
function written(name: string, files: Readonly<Record<string, number>>): string {
  for (const [path, size] of Object.entries(files)) {
    const to = join(folder, name, path);
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, contentOf(path, size));
  }
  return join(folder, name);
}

function contentOf(path: string, size: number): Uint8Array {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at += 4096) {
    bytes.write(createHash('sha256').update(`${path} ${at}`).digest('hex'), at);
  }
  return bytes;
}

/** What the page of a torrent gives, by name. */
async function given(path: string, name: string): Promise<Buffer> {
  const visitor = await SiteVisitor.signIn(server.siteUrl, 'mina', PASSWORD);
  const page = await (await visitor.get(path)).text();
  assert.match(page, /Kept whole/);
  const link = new RegExp(`href="(/torrents/[0-9a-f]+/content/\\d+)">${name}<`).exec(page)?.[1];
  assert.ok(link !== undefined, `${name} is on the page`);
  return Buffer.from(await (await visitor.get(link)).arrayBuffer());
}

test(
  'a folder comes in over a line that is cut and a page that is closed, and is kept',
  options,
  async () => {
    const large = 12 * MIB + 5;
    const path = written('survey', { 'a b/large.bin': large, 'a b/empty': 0, 'notes.txt': 300 });
    const window = await browser.newContext();
    window.setDefaultTimeout(60_000);
    const first = await signIn(window, proxy.url);
    await first.goto(`${proxy.url}/contribute`);
    await first.locator('#folder').setInputFiles(path);
    assert.match(String(await first.textContent('[data-chosen]')), /3 files, 12\.0 MiB/);
    await first.getByLabel('Tags').fill('coast');
    const cut = proxy.cutAfter(9 * MIB);
    await first.getByRole('button', { name: 'Upload and keep' }).click();
    await cut;
    await first.getByText('Waiting to go on').waitFor();
    await first.close();
    proxy.reopen();

    const second = await window.newPage();
    const offsets: number[] = [];
    second.on('request', (request) => {
      if (request.method() === 'PATCH') offsets.push(Number(request.headers()['upload-offset']));
    });
    await second.goto(`${proxy.url}/contribute`);
    await second.locator('#folder').setInputFiles(path);
    const cutAgain = proxy.cutAfter(2 * MIB);
    await second.getByRole('button', { name: 'Upload and keep' }).click();
    await cutAgain;
    await pause(200);
    proxy.reopen();
    await second.waitForURL('**/torrents/*');
    assert.ok((offsets[0] ?? 0) > 0, 'it went on where the first page was');
    assert.ok(offsets.length > 1, 'and again after the second cut');
    assert.match(String(await second.textContent('main')), /is kept by the archive/);
    assert.equal(await second.textContent('h1'), 'survey');
    const torrent = new URL(second.url()).pathname;
    assert.ok((await given(torrent, 'large.bin')).equals(contentOf('a b/large.bin', large)));
    assert.ok((await given(torrent, 'notes.txt')).equals(contentOf('notes.txt', 300)));
    await window.close();
  },
);

test(
  'without scripts a plain form does the same, and keeps what was typed when it is refused',
  options,
  async () => {
    const window = await openWindow(browser);
    const page = await signIn(window, server.siteUrl);
    await page.goto(`${server.siteUrl}/upload`);
    await page.getByRole('link', { name: 'Upload content instead' }).click();
    const one = join(written('plain', { 'one.txt': 5000 }), 'one.txt');
    await page.locator('#files').setInputFiles(one);
    await page.getByLabel('Title').fill('One file');
    await page.getByLabel('Tags').fill('x'.repeat(60));
    await page.getByRole('button', { name: 'Upload and keep' }).click();
    assert.match(String(await page.textContent('main')), /longer than 40 characters/);
    assert.equal(await page.getByLabel('Title').inputValue(), 'One file');
    await page.getByLabel('Tags').fill('one');
    await page.locator('#files').setInputFiles(one);
    await page.getByRole('button', { name: 'Upload and keep' }).click();
    await page.waitForURL('**/torrents/*');
    const path = new URL(page.url()).pathname;
    assert.ok((await given(path, 'one.txt')).equals(contentOf('one.txt', 5000)));
    await page.goto(`${server.siteUrl}/contribute`);
    await page.locator('#files').setInputFiles(one);
    await page.getByRole('button', { name: 'Upload and keep' }).click();
    await page.waitForURL('**/torrents/*');
    assert.match(String(await page.textContent('main')), /was here already/);
    await window.close();
  },
);

test(
  'the page is for those who may use the store, and its script is the only one that runs',
  options,
  async () => {
    const member = await SiteVisitor.signIn(server.siteUrl, 'mina', PASSWORD);
    assert.equal((await member.get('/contribute')).status, 403);
    assert.doesNotMatch(await (await member.get('/upload')).text(), /Upload content/);
    const staff = await SiteVisitor.signIn(server.siteUrl, 'olga', PASSWORD);
    const page = await staff.get('/contribute');
    assert.match(page.headers.get('content-security-policy') ?? '', /script-src 'self'; connect/);
    const others = await staff.get('/upload');
    assert.doesNotMatch(others.headers.get('content-security-policy') ?? '', /script-src/);
    for (const upload of ['x', '../x', '0'.repeat(32)]) {
      await staff.get('/contribute');
      const refused = await staff.post('/contribute', { upload, title: 'T', category: 'other' });
      assert.equal(refused.status, 422, upload);
      assert.match(await refused.text(), /not here, or not all of it/);
    }
  },
);
