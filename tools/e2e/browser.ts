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
const STEP_MS_MAX = 60_000;

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

/** The widths and themes that every page is pictured in. */
const LOOKS: readonly Look[] = [360, 768, 1440].flatMap((widthPx) => [
  { widthPx, theme: 'light' },
  { widthPx, theme: 'dark' },
]);

/** Without pictures, since a theme changes no width. */
const WIDTHS: readonly Look[] = [
  { widthPx: 360, theme: 'dark' },
  { widthPx: 768, theme: 'light' },
  { widthPx: 1440, theme: 'light' },
];

/** Of every second page, in place of the widest. */
const FOUR_K: Look = { widthPx: 3840, theme: 'light' };

/**
 * Where axe-core runs, which takes a second a page: in the narrowest dark look and the widest light one,
 * turn by turn, as pages are made of the same parts.
 */
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
  for (const [index, path] of asked.paths.entries()) {
    const axeLook = AXE_LOOKS[index % AXE_LOOKS.length];
    await page.goto(asked.siteUrl + path);
    await page.evaluate(axe);
    const widths = axeLook?.widthPx === 360 ? [...WIDTHS.slice(0, 2), FOUR_K] : WIDTHS;
    for (const look of asked.onPicture === undefined ? widths : LOOKS) {
      await page.emulateMedia({ colorScheme: look.theme });
      await page.setViewportSize({ width: look.widthPx, height: 800 });
      asked.onPicture?.(path, look, await page.screenshot({ fullPage: true }));
      const overflowPx = (await page.evaluate(OVERFLOW)) as number;
      const isAxed = axeLook?.widthPx === look.widthPx && axeLook.theme === look.theme;
      const violations = isAxed ? await violationsOf(page) : [];
      found.push({ path, look, overflowPx, violations, strangers: [...strangers] });
    }
  }
  await context.close();
  return found;
}

/** What passes is not described one by one. */
const AXE_RUN = "axe.run({ resultTypes: ['violations'] })";
const OVERFLOW = 'document.documentElement.scrollWidth - window.innerWidth';

async function violationsOf(page: Page): Promise<readonly string[]> {
  const { violations } = (await page.evaluate(AXE_RUN)) as AxeResult;
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ impact, id, nodes }) => {
      const where = nodes.map((node) => node.target.join(' ')).slice(0, 3);
      return `${impact}: ${id} at ${where.join(' and ')}`;
    });
}
