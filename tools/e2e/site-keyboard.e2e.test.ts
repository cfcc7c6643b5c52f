// The main stories with the keyboard alone, in Chromium, with scripts and without: set up, join, sign in,
// search, filter, upload with its preview, comment, bookmark, report, moderate, change a setting. Whatever
// has the focus on the way shows it, and a form that was refused has it where it says why. The site is the
// real one, served by this process.

import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { type ServerType, serve } from '@hono/node-server';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { firstRunPath } from '#site/accounts/first-run.ts';
import { makeTorrent } from '#site/catalogue/test-catalogue.ts';
import { TEST_PASSWORD, TestSite } from '#site/test-site.ts';
import { browserMissing, startBrowser } from './browser.ts';

const skip = browserMissing() ?? false;
const STEP_MS_MAX = 60_000;
/** From the beginning of a page's content to any control in it. */
const TABS_MAX = 60;

let site: TestSite;
let server: ServerType;
let browser: Browser;
let url = '';

before(async () => {
  if (skip !== false) return;
  site = await TestSite.open();
  const { id } = await site.addMember('olga', 'admin');
  await site.addMember('mina');
  // A member reports a thing once.
  await site.addTorrent(id, 'Coastal survey, with scripts', 1);
  await site.addTorrent(id, 'Coastal survey, without scripts', 2);
  ({ server, url } = await serveSite(site));
  browser = await startBrowser();
});

async function serveSite(served: TestSite): Promise<{ server: ServerType; url: string }> {
  const fetch = (request: Request) => served.site.fetch(request, { peerAddress: '127.0.0.1' });
  return await new Promise((resolve) => {
    const started: ServerType = serve(
      { fetch, port: 0, hostname: '127.0.0.1' },
      ({ port }: AddressInfo) => resolve({ server: started, url: `http://127.0.0.1:${port}` }),
    );
  });
}

after(async () => {
  if (skip !== false) return;
  await browser.close();
  server.close();
  await site.close();
});

/** One person at a keyboard. */
class Keyboard {
  readonly page: Page;
  readonly #site: string;

  constructor(page: Page, siteUrl = url) {
    this.page = page;
    this.#site = siteUrl;
  }

  /** Past the header, by the link that is there for it. */
  async toContent(path?: string): Promise<void> {
    if (path !== undefined) await this.page.goto(this.#site + path);
    await this.page.keyboard.press('Tab');
    const skipLink = this.page.locator(':focus');
    assert.equal(await skipLink.textContent(), 'Skip to the content');
    assert.ok(((await skipLink.boundingBox())?.y ?? -1) >= 0, 'the skip link can be seen');
    await this.page.keyboard.press('Enter');
  }

  /** By Tab alone; every stop on the way has a ring around it. */
  async tabTo(target: Locator, key: 'Tab' | 'Shift+Tab' = 'Tab'): Promise<void> {
    for (let tabs = 0; tabs < TABS_MAX; tabs++) {
      await this.page.keyboard.press(key);
      const { isHere, ring, what } = await target.evaluate((element) => {
        const focused = element.ownerDocument.activeElement ?? element;
        const style = focused.ownerDocument.defaultView?.getComputedStyle(focused);
        const width =
          style?.outlineStyle === 'none' ? 0 : Number.parseFloat(style?.outlineWidth ?? '0');
        return { isHere: focused === element, ring: width, what: focused.outerHTML.slice(0, 200) };
      });
      // Between the last control and the first one the window itself has it.
      assert.ok(
        ring >= 2 || what.startsWith('<body'),
        `nothing shows that this has the focus: ${what}`,
      );
      if (isHere) return;
    }
    assert.fail(`${target} cannot be reached by Tab`);
  }

  async fill(label: string, text: string): Promise<void> {
    await this.tabTo(this.page.getByLabel(label, { exact: true }));
    await this.page.keyboard.press('ControlOrMeta+A');
    await this.page.keyboard.type(text);
  }

  async press(role: 'button' | 'link', name: string | RegExp): Promise<void> {
    await this.tabTo(this.page.locator('main').getByRole(role, { name }).first());
    await this.page.keyboard.press('Enter');
  }

  async signIn(name: string): Promise<void> {
    await this.toContent('/sign-in');
    await this.fill('Name', name);
    await this.fill('Password', 'not the password');
    await this.page.keyboard.press('Enter');
    const refusal = this.page.locator(':focus');
    await this.page.locator('[role=alert]').waitFor();
    assert.match(String(await refusal.textContent()), /password/i);
    await this.fill('Name', name);
    await this.fill('Password', TEST_PASSWORD);
    await this.page.keyboard.press('Enter');
    await this.page.waitForURL('**/torrents');
  }
}

/** A new site is set up, and its first member invites the second. */
async function joinByKeyboard(fresh: TestSite, hasScripts: boolean): Promise<void> {
  const { server: own, url: siteUrl } = await serveSite(fresh);
  const operator = await browser.newContext({ javaScriptEnabled: hasScripts });
  const guest = await browser.newContext({ javaScriptEnabled: hasScripts });
  try {
    const invite = await inviteFrom(await sittingAt(operator, siteUrl), fresh);
    await joinBy(await sittingAt(guest, siteUrl), invite);
  } finally {
    await operator.close();
    await guest.close();
    own.close();
  }
}

async function sittingAt(window: BrowserContext, siteUrl: string): Promise<Keyboard> {
  window.setDefaultTimeout(STEP_MS_MAX);
  return new Keyboard(await window.newPage(), siteUrl);
}

/** The path of the link. */
async function inviteFrom(keyboard: Keyboard, fresh: TestSite): Promise<string> {
  const { page } = keyboard;
  await keyboard.toContent(await firstRunPath(fresh.world));
  await keyboard.fill('Name of this site', 'Meridian');
  await keyboard.fill('Name', 'olga');
  await keyboard.fill('Password', TEST_PASSWORD);
  await page.keyboard.press('Enter');
  await page.waitForURL('**/members/olga');
  await keyboard.tabTo(page.locator('.menu > summary', { hasText: 'Menu of' }));
  await page.keyboard.press('Enter');
  await keyboard.tabTo(page.getByRole('link', { name: 'Invites' }));
  await page.keyboard.press('Enter');
  await page.waitForURL('**/me/invites');
  await keyboard.toContent();
  await keyboard.fill('For whom', 'Mina');
  await page.keyboard.press('Enter');
  return new URL(String(await page.locator('.secret').textContent())).pathname;
}

async function joinBy(keyboard: Keyboard, invite: string): Promise<void> {
  const { page } = keyboard;
  await keyboard.toContent(invite);
  await keyboard.fill('Name', 'olga');
  await keyboard.fill('Password', TEST_PASSWORD);
  await keyboard.press('button', 'Sign up');
  // It says what is wrong, and the way from there leads to the field.
  await page.locator('[role=alert]').waitFor();
  assert.match(String(await page.locator(':focus').textContent()), /taken/);
  await keyboard.fill('Name', 'mina');
  await keyboard.fill('Password', TEST_PASSWORD);
  await page.keyboard.press('Enter');
  await page.waitForURL('**/members/mina');
  await page.getByText('Welcome, mina.').waitFor();
  await keyboard.tabTo(page.locator('.menu > summary', { hasText: 'Menu of' }));
  await page.keyboard.press('Enter');
  await keyboard.tabTo(page.getByRole('button', { name: 'Sign out' }));
  await page.keyboard.press('Enter');
  await page.waitForURL('**/sign-in');
  await keyboard.signIn('mina');
  // The link was for one.
  await page.context().clearCookies();
  await keyboard.toContent(invite);
  assert.equal(await page.getByLabel('Name', { exact: true }).count(), 0);
}

async function sitDown(name: string, hasScripts: boolean) {
  const window: BrowserContext = await browser.newContext({ javaScriptEnabled: hasScripts });
  window.setDefaultTimeout(STEP_MS_MAX);
  const keyboard = new Keyboard(await window.newPage());
  await keyboard.signIn(name);
  return { window, keyboard, page: keyboard.page };
}

for (const hasScripts of [false, true]) {
  const how = hasScripts ? 'with scripts' : 'without scripts';
  const options = { skip, timeout: 600_000 };

  test(`a member finds, comments, bookmarks and reports by keyboard, ${how}`, options, async () => {
    const { window, keyboard, page } = await sitDown('mina', hasScripts);
    await keyboard.tabTo(page.getByLabel('Search torrents'));
    await page.keyboard.type('coastal');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/torrents?q=coastal');
    await keyboard.toContent();
    await keyboard.tabTo(page.locator('.more-filters > summary'));
    await page.keyboard.press('Enter');
    await keyboard.tabTo(page.getByLabel('Yours', { exact: true }));
    await page.keyboard.type('Never');
    await keyboard.tabTo(page.getByLabel('Size from'), 'Shift+Tab');
    await page.keyboard.type('1 KiB');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/torrents?*size-from=1+KiB*mine=never*');
    await keyboard.toContent();
    await keyboard.press('link', `Coastal survey, ${how}`);
    await page.waitForURL('**/torrents/*');
    await keyboard.toContent();
    await keyboard.press('button', 'Bookmark');
    await page.getByRole('button', { name: 'Remove bookmark' }).waitFor();
    await keyboard.toContent();
    await keyboard.press('button', 'Remove bookmark');
    await page.getByRole('button', { name: /^Bookmark/ }).waitFor();
    await keyboard.toContent();
    await keyboard.fill('Your comment', `Which datum is it, ${how}?`);
    await keyboard.press('button', 'Send the comment');
    await page.getByText(`Which datum is it, ${how}?`).waitFor();
    // The page is at the comment, and so is the focus; the report is asked for above.
    await keyboard.toContent(new URL(page.url()).pathname);
    await keyboard.press('link', 'Report');
    await page.waitForURL('**/report/**');
    await keyboard.toContent();
    await keyboard.press('button', 'Send the report');
    // The browser itself goes back to what was left empty.
    assert.equal(await page.locator(':focus').getAttribute('required'), '');
    await page.keyboard.type(`The north is missing, ${how}.`);
    await keyboard.press('button', 'Send the report');
    await page.waitForURL((at) => !at.pathname.startsWith('/report'));
    await window.close();
  });

  test(`a site is set up, and joined by an invite, by keyboard, ${how}`, options, async () => {
    const fresh = await TestSite.open();
    try {
      await joinByKeyboard(fresh, hasScripts);
    } finally {
      await fresh.close();
    }
  });

  test(
    `an operator uploads, moderates and changes a setting by keyboard, ${how}`,
    options,
    async () => {
      const { window, keyboard, page } = await sitDown('olga', hasScripts);
      const chooser = page.waitForEvent('filechooser');
      await keyboard.toContent('/upload');
      await keyboard.tabTo(page.getByLabel('Torrent file'));
      await page.keyboard.press('Space');
      const name = `Bird calls ${how}`;
      await (await chooser).setFiles({
        ...{ name: 'birds.torrent', mimeType: 'application/x-bittorrent' },
        buffer: Buffer.from(await makeTorrent({ name, seed: hasScripts ? 8 : 9 })),
      });
      await keyboard.press('button', 'Look into it');
      await page.waitForURL('**/upload/*');
      await keyboard.toContent();
      await keyboard.fill('Title', ' ');
      await page.keyboard.press('Enter');
      await page.locator('[role=alert]').waitFor();
      assert.match(String(await page.locator(':focus').textContent()), /title/i);
      await keyboard.fill('Title', name);
      await page.keyboard.press('Enter');
      await page.waitForURL('**/torrents/*');
      assert.match(String(await page.textContent('h1')), new RegExp(name));
      await keyboard.toContent('/console/reports');
      await keyboard.press('link', `The north is missing, ${how}`);
      await page.waitForURL('**/console/reports/*');
      await keyboard.toContent();
      await keyboard.press('button', 'I look at it');
      await page.getByRole('button', { name: 'Give it back' }).waitFor();
      await keyboard.toContent('/console/settings');
      await keyboard.fill('Name', `Meridian ${how}`);
      await page.keyboard.press('Enter');
      await page.getByRole('link', { name: `Meridian ${how}` }).waitFor();
      await window.close();
    },
  );
}
