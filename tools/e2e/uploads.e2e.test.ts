// Chromium uploads by WebSocket and by tus while the line is cut and the server killed, and goes on where
// it stopped; and who may, as a browser and as a program meet it.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { browserMissing, startBrowser } from './browser.ts';
import { CuttingProxy, openUploadPage } from './browser-uploads.ts';
import { runProgram, TestServer } from './server.ts';

const skip = browserMissing() ?? false;
const MIB = 1024 * 1024;
const PASSWORD = 'tortoise lamp river';
const TEST_MS_MAX = 400_000;
/** The test's own page comes from no address, and is not let to this machine's unless told. */
const PAGE_ARGUMENTS = [
  '--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets',
];

let server: TestServer;
let proxy: CuttingProxy;
let browser: Browser;
let page: Page;
let root: string;

before(async () => {
  root = mkdtempSync(join(tmpdir(), 'swarmkeep-uploads-'));
  // The least that may be unanswered: so blobs are acknowledged before the line is cut.
  server = await TestServer.prepare({ settings: { 'upload.unansweredBytesMax': 16 * MIB } });
  await server.start();
  const alice = ['member', 'add', 'alice', '--role', 'admin', '--password-stdin'];
  await server.json(alice, `${PASSWORD}\n`);
  await server.json(['member', 'add', 'bob', '--password-stdin'], `${PASSWORD}\n`);
  if (skip !== false) return;
  proxy = await CuttingProxy.open(server.sitePort);
  browser = await startBrowser(PAGE_ARGUMENTS);
  page = await signIn('alice');
});

after(async () => {
  await browser?.close();
  proxy?.close();
  await server?.remove();
  rmSync(root, { recursive: true, force: true });
});

async function signIn(name: string): Promise<Page> {
  const window = await (await browser.newContext()).newPage();
  await window.goto(`${proxy.url}/sign-in`);
  await window.getByLabel('Name').fill(name);
  await window.getByLabel('Password').fill(PASSWORD);
  await window.getByRole('button', { name: 'Sign in' }).click();
  await window.waitForURL((url) => !url.pathname.includes('sign-in'));
  await openUploadPage(window, proxy.url);
  return window;
}

interface Uploaded {
  readonly refs: readonly string[];
  readonly hash: string;
}

/** Cuts the line, then kills the server and starts it again, each after so many bytes more. */
async function disturb(
  cutBytes: number,
  killBytes: number,
  resumed: () => Promise<unknown> = async () => undefined,
): Promise<void> {
  await proxy.cutAfter(cutBytes);
  proxy.reopen();
  await resumed();
  await proxy.cutAfter(killBytes);
  await server.end('SIGKILL');
  await server.start();
  proxy.reopen();
}

async function assertStored({ refs, hash }: Uploaded): Promise<void> {
  const path = join(root, 'got');
  await server.json(['store', 'get', ...refs, '-o', path]);
  assert.equal(createHash('sha256').update(readFileSync(path)).digest('hex'), hash);
}

test('Chromium uploads by WebSocket, goes on after a cut and after kill -9, and all of it is there', {
  skip,
  timeout: TEST_MS_MAX,
}, async () => {
  const [uploaded] = await Promise.all([
    page.evaluate(`bySocket(${48 * MIB}, ${MIB})`) as Promise<
      Uploaded & { readonly atCuts: readonly number[]; readonly sent: number }
    >,
    disturb(24 * MIB, 20 * MIB),
  ]);
  const { atCuts, sent } = uploaded;
  assert.equal(atCuts.length, 2);
  // What was acknowledged was not sent again: 24 MiB went, of which 16 may be unanswered.
  assert.ok(atCuts[0]! >= 6, `${atCuts[0]} acknowledged at the first cut`);
  assert.ok(atCuts[1]! > atCuts[0]!, `${atCuts[1]} acknowledged at the second`);
  assert.equal(sent, 48 + (48 - atCuts[0]!) + (48 - atCuts[1]!));
  await assertStored(uploaded);
});

test('Chromium uploads by tus, goes on after a cut and after kill -9, and all of it is there', {
  skip,
  timeout: TEST_MS_MAX,
}, async () => {
  const [uploaded] = await Promise.all([
    page.evaluate(`byTus(${64 * MIB})`) as Promise<
      Uploaded & { readonly resumedAt: readonly number[] }
    >,
    // Only then: what Chromium sends again by itself is not counted.
    disturb(16 * MIB, 12 * MIB, () => page.waitForFunction('globalThis.resumedAt.length === 1')),
  ]);
  const { resumedAt } = uploaded;
  assert.equal(resumedAt.length, 2);
  assert.ok(resumedAt[0]! > 0 && resumedAt[1]! >= resumedAt[0]!, `resumed at ${resumedAt}`);
  await assertStored(uploaded);
});

test('a member without the right is refused in the browser, and an ended session ends the socket', {
  skip,
  timeout: TEST_MS_MAX,
}, async () => {
  const bob = await signIn('bob');
  assert.equal(await bob.evaluate('opens()'), false);
  assert.equal(await bob.evaluate(`fetch('/api/store').then(({ status }) => status)`), 403);
  assert.equal(await page.evaluate('opens()'), true);
  await page.context().clearCookies();
  assert.equal(await page.evaluate('opens()'), false);
});

test('commands work on a far store by its URL and a token, and by a name that lies in one place', {
  timeout: TEST_MS_MAX,
}, async () => {
  const file = (name: string): string => join(root, name);
  const home = file('home');
  const env = { ...process.env, HOME: home, XDG_CONFIG_HOME: '' };
  const far = async (
    words: readonly string[],
    exitCode = 0,
  ): Promise<Record<string, unknown>[]> => {
    const data = ['--data', file('no such folder'), '--json'];
    const result = await runProgram(['store', ...words, ...data], '', env);
    assert.equal(result.exitCode, exitCode, result.stderr);
    const lines = result.stdout.split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  const refused = await server.command(['store-token', 'add', 'bob']);
  assert.match(refused.stderr, /may not "store"/);
  const [made] = await server.json<{ token: string }>(['store-token', 'add', 'alice']);
  writeFileSync(file('token'), `${made?.token}\n`);
  const bytes = Buffer.alloc(30 * MIB, 'far away ');
  writeFileSync(file('large'), bytes);
  const url = ['--url', server.siteUrl, '--token-file', file('token')];
  const put = await far(['put', file('large'), ...url]);
  assert.equal(put.length, 8);
  const add = ['remote', 'add', 'home', server.siteUrl, '--token-file', file('token')];
  const [remote] = await far(add);
  assert.equal(remote?.['path'], join(home, '.config/swarmkeep/remotes.json'));
  assert.equal(statSync(String(remote?.['path'])).mode & 0o777, 0o600);
  assert.deepEqual(await far(['remote', 'list']), [{ name: 'home', url: server.siteUrl }]);
  const refs = put.map((one) => String(one['ref']));
  await far(['get', ...refs, '-o', file('large again'), '--url', 'home']);
  assert.ok(readFileSync(file('large again')).equals(bytes));
  const [first = ''] = refs;
  assert.equal((await far(['stat', first, '--url', 'home']))[0]?.['bytes'], 4 * MIB);
  assert.ok((await far(['ls', '--limit', '2', '--url', 'home'])).length === 2);
  assert.deepEqual(await far(['rm', first, '--url', 'home']), [{ removed: 1 }]);
  assert.ok(Number((await far(['stats', '--url', 'home']))[0]?.['blobs']) >= 6);
  const tokens = await server.json<{ id: number }>(['store-token', 'list']);
  await server.json(['store-token', 'rm', String(tokens[0]?.id)]);
  const [failure] = await far(['ls', '--url', 'home'], 1);
  assert.match(JSON.stringify(failure), /STORE_DENIED/);
  await far(['remote', 'rm', 'home']);
  assert.match(JSON.stringify(await far(['ls', '--url', 'home'], 1)), /No remote is called/);
});
