// A key of the device in Chromium itself, with its virtual authenticator: made with the password, used
// without it, and refused once it is removed. The site is the real one, served by this process.

import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { type ServerType, serve } from '@hono/node-server';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { TEST_PASSWORD, TestSite } from '#site/test-site.ts';
import { browserMissing, startBrowser } from './browser.ts';

const skip = browserMissing() ?? false;
const options = { skip, timeout: 400_000 };
const STEP_MS_MAX = 60_000;

let site: TestSite;
let server: ServerType;
let browser: Browser;
let url = '';

before(async () => {
  if (skip !== false) return;
  site = await TestSite.open();
  await site.addMember('mina');
  const fetch = (request: Request) => site.site.fetch(request, { peerAddress: '127.0.0.1' });
  const address = await new Promise<AddressInfo>((resolve) => {
    server = serve({ fetch, port: 0, hostname: '127.0.0.1' }, resolve);
  });
  // Keys belong to a name; an address that is only a number has none.
  url = `http://localhost:${address.port}`;
  browser = await startBrowser();
});

after(async () => {
  if (skip !== false) return;
  await browser.close();
  server.close();
  await site.close();
});

/** A window with scripts and a device that lets its owner in. */
async function openWithDevice(): Promise<{ window: BrowserContext; page: Page }> {
  const window = await browser.newContext();
  window.setDefaultTimeout(STEP_MS_MAX);
  const page = await window.newPage();
  const protocol = await window.newCDPSession(page);
  await protocol.send('WebAuthn.enable');
  await protocol.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      ...{ protocol: 'ctap2', transport: 'internal', hasResidentKey: true },
      ...{ hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
    },
  });
  return { window, page };
}

async function signInByKey(page: Page): Promise<void> {
  await page.goto(`${url}/sign-in?next=/me/sessions`);
  await page.getByRole('link', { name: 'Sign in with a key of this device' }).click();
  await page.getByRole('button', { name: 'Use a key' }).click();
  await page.waitForURL((address) => address.pathname !== '/sign-in/key');
}

test(
  'a key of the device is made and used in Chromium, and opens nothing once removed',
  options,
  async () => {
    const { window, page } = await openWithDevice();
    await page.goto(`${url}/sign-in?next=/me/sign-in-keys`);
    await page.getByLabel('Name').fill('mina');
    await page.getByLabel('Password').fill(TEST_PASSWORD);
    await page.locator('main button[type=submit]').click();
    await page.getByLabel('What you call it').fill('The laptop');
    await page.getByLabel('Current password').fill(TEST_PASSWORD);
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByRole('button', { name: 'Make the key' }).click();
    // The page before has the same address.
    await page.locator('main').getByRole('button', { name: 'Remove' }).waitFor();
    const main = String(await page.textContent('main'));
    assert.match(main, /sign in with it alone/);
    assert.match(main, /The laptop/);
    await window.clearCookies();
    await signInByKey(page);
    assert.equal(new URL(page.url()).pathname, '/me/sessions');
    await page.goto(`${url}/me/sign-in-keys`);
    const remove = page.locator('main').getByRole('button', { name: 'Remove' });
    await remove.click();
    await remove.waitFor({ state: 'detached' });
    await window.clearCookies();
    await signInByKey(page);
    assert.equal(new URL(page.url()).pathname, '/sign-in');
    assert.match(String(await page.textContent('main, .flashes')), /./);
    await window.close();
  },
);
