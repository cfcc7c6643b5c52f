// Debian's Chromium through Playwright, for the tests of pages. Pages are visited without scripts, as
// the site promises; a second window with scripts is only for axe-core and for measuring.

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';

const EXECUTABLES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const STEP_MS_MAX = 15_000;

/** Why pages cannot be tested on this machine; undefined when they can. */
export function browserMissing(): string | undefined {
  return executable() === undefined
    ? 'Chromium is not installed (apt install chromium)'
    : undefined;
}

function executable(): string | undefined {
  return EXECUTABLES.find((path) => existsSync(path));
}

export async function startBrowser(more: readonly string[] = []): Promise<Browser> {
  const executablePath = executable();
  if (executablePath === undefined) throw new Error('Chromium is not installed');
  return await chromium.launch({ executablePath, args: [...ARGUMENTS, ...more] });
}

/** A window of one person, with cookies of its own and scripts switched off. */
export async function openWindow(browser: Browser): Promise<BrowserContext> {
  const context = await browser.newContext({ javaScriptEnabled: false });
  context.setDefaultTimeout(STEP_MS_MAX);
  return context;
}

export interface Look {
  readonly widthPx: number;
  readonly theme: 'light' | 'dark';
}

/** The widths and themes that every page is looked at in. */
const LOOKS: readonly Look[] = [360, 768, 1440].flatMap((widthPx) => [
  { widthPx, theme: 'light' },
  { widthPx, theme: 'dark' },
]);

/** Where axe-core runs, which takes a second a page: the narrowest dark and the widest light one. */
const AXE_LOOKS: readonly Look[] = [
  { widthPx: 360, theme: 'dark' },
  { widthPx: 1440, theme: 'light' },
];

export interface Inspection {
  readonly path: string;
  readonly look: Look;
  /** `serious: color-contrast at .badge`, of axe-core's rules; serious and critical ones only. */
  readonly violations: readonly string[];
  /** By how much the page is wider than its window. */
  readonly overflowPx: number;
  /** Addresses on other hosts that the page asked for. */
  readonly strangers: readonly string[];
}

interface AxeResult {
  readonly violations: readonly {
    readonly impact: string | null;
    readonly id: string;
    readonly nodes: readonly { readonly target: readonly unknown[] }[];
  }[];
}

/** Opens each path as the person whose cookies `window` has, and inspects it in each look. */
export async function inspectPages(
  browser: Browser,
  window: BrowserContext,
  asked: {
    readonly siteUrl: string;
    readonly paths: readonly string[];
    /** Called with a picture of each page in each look, when pictures are wanted. */
    readonly onPicture?: (path: string, look: Look, png: Buffer) => void;
  },
): Promise<readonly Inspection[]> {
  const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  // The site's policy forbids scripts, axe's too; everything else about the page is as served.
  const context = await browser.newContext({
    storageState: await window.storageState(),
    bypassCSP: true,
  });
  context.setDefaultTimeout(STEP_MS_MAX);
  const page = await context.newPage();
  const strangers: string[] = [];
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(asked.siteUrl) && !url.startsWith('data:')) strangers.push(url);
  });
  const found: Inspection[] = [];
  for (const path of asked.paths) {
    await page.goto(asked.siteUrl + path);
    await page.evaluate(axe);
    for (const look of LOOKS) {
      await page.emulateMedia({ colorScheme: look.theme });
      await page.setViewportSize({ width: look.widthPx, height: 800 });
      asked.onPicture?.(path, look, await page.screenshot({ fullPage: true }));
      const overflowPx = (await page.evaluate(OVERFLOW)) as number;
      const isAxed = AXE_LOOKS.some(
        ({ widthPx, theme }) => widthPx === look.widthPx && theme === look.theme,
      );
      const violations = isAxed ? await violationsOf(page) : [];
      found.push({ path, look, overflowPx, violations, strangers: [...strangers] });
    }
  }
  await context.close();
  return found;
}

const OVERFLOW = 'document.documentElement.scrollWidth - window.innerWidth';

async function violationsOf(page: Page): Promise<readonly string[]> {
  const { violations } = (await page.evaluate('axe.run()')) as AxeResult;
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ impact, id, nodes }) => {
      const where = nodes.map((node) => node.target.join(' ')).slice(0, 3);
      return `${impact}: ${id} at ${where.join(' and ')}`;
    });
}
