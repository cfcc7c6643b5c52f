// For tests: somebody who opens every page that links lead to, and finds every form on them. Pages are
// read as text: their markup is our own, and regular.

import { ROUTES, type RouteName } from './routes.ts';
import type { TestBrowser, TestFields, TestPage } from './test-site.ts';

export interface WalkedField {
  readonly name: string;
  /** `text` for whatever a person can type into, `figure` where that is a number or a time. */
  readonly kind: 'text' | 'figure' | 'file' | 'hidden' | 'choice' | 'password' | 'tick';
  /** As the page has it; of a choice the one that is chosen. */
  readonly value: string;
  readonly charsMax: number;
}

export interface WalkedForm {
  readonly route: RouteName;
  readonly path: string;
  /** The page that it stands on. */
  readonly from: string;
  readonly fields: readonly WalkedField[];
}

export interface Walk {
  readonly pages: ReadonlyMap<string, TestPage>;
  /** Those that are posted; one of each route and set of fields. */
  readonly forms: readonly WalkedForm[];
  /** Routes of the pages that were there. */
  readonly routes: ReadonlySet<RouteName>;
}

/** Of one route as many pages are opened, with other parameters or another query. */
const PAGES_OF_ROUTE_MAX = 4;
const TYPED = new Set(['text', 'search', 'email', 'url']);

const PATTERNS = (Object.entries(ROUTES) as [RouteName, string][]).map(([name, path]) => ({
  name,
  // Those without parameters come first, as in the router.
  parameters: path.split(':').length - 1,
  pattern: new RegExp(`^${path.replaceAll(/:\w+/g, '[^/]+').replaceAll('*', '.*')}$`),
}));
PATTERNS.sort((a, b) => a.parameters - b.parameters);

export function routeOf(path: string): RouteName | undefined {
  const [pathname = ''] = path.split('?');
  return PATTERNS.find(({ pattern }) => pattern.test(pathname))?.name;
}

/** Opens `starts` and all that they lead to. */
export async function walkSite(browser: TestBrowser, starts: readonly string[]): Promise<Walk> {
  const pages = new Map<string, TestPage>();
  const routes = new Set<RouteName>();
  const forms = new Map<string, WalkedForm>();
  const opened = new Map<RouteName, number>();
  const waiting = [...starts];
  for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
    const route = routeOf(path);
    if (route === undefined || pages.has(path) || isEndless(route)) continue;
    const before = opened.get(route) ?? 0;
    if (before >= PAGES_OF_ROUTE_MAX) continue;
    opened.set(route, before + 1);
    const page = await browser.get(path);
    pages.set(path, page);
    if (page.status === 200) routes.add(route);
    if (page.location.startsWith('/')) waiting.push(page.location);
    if (!(page.headers.get('content-type') ?? '').startsWith('text/html')) continue;
    waiting.push(...linksOf(page.text));
    for (const form of formsOf(page.text, path)) {
      const names = form.fields.map(({ name }) => name);
      const key = `${form.route} ${form.path} ${[...new Set(names)].join(' ')}`;
      if (!forms.has(key)) forms.set(key, form);
    }
  }
  return { pages, routes, forms: [...forms.values()] };
}

/** Streams are never read to their end. */
function isEndless(route: RouteName): boolean {
  return route === 'transferEvents' || route === 'liveCounts';
}

export function linksOf(text: string): readonly string[] {
  // Those that are shown to be copied are whole addresses.
  const links = text.matchAll(/(?: (?:href|src)="|http:\/\/127\.0\.0\.1:8080)(\/[^"<\s]*)/g);
  return [...links].map(([, link = '']) => plain(link).replace(/#.*$/, ''));
}

function formsOf(text: string, from: string): readonly WalkedForm[] {
  const forms: WalkedForm[] = [];
  for (const [, tag = '', body = ''] of text.matchAll(/<form\b([^>]*)>(.*?)<\/form>/gs)) {
    const path = attributeOf(tag, 'action') ?? from;
    const route = routeOf(path);
    if (attributeOf(tag, 'method') !== 'post' || route === undefined) continue;
    forms.push({ route, path, from, fields: fieldsOf(body) });
  }
  return forms;
}

function fieldsOf(body: string): readonly WalkedField[] {
  const fields: WalkedField[] = [];
  for (const [, tag = ''] of body.matchAll(/<input\b([^>]*)>/g)) {
    const name = attributeOf(tag, 'name') ?? '';
    const type = attributeOf(tag, 'type') ?? 'text';
    const value = attributeOf(tag, 'value') ?? '';
    const charsMax = Number(attributeOf(tag, 'maxlength') ?? Infinity);
    const isTicked = / checked/.test(tag);
    if (name === 'csrf' || name === '') continue;
    if (type === 'radio' || type === 'checkbox') {
      if (isTicked || type === 'radio') fields.push({ name, kind: 'tick', value, charsMax });
      continue;
    }
    const kinds = {
      ...({ file: 'file', password: 'password', hidden: 'hidden' } as const),
      ...({ number: 'figure', 'datetime-local': 'figure', date: 'figure' } as const),
    };
    const kind = TYPED.has(type) ? 'text' : kinds[type as keyof typeof kinds];
    if (kind !== undefined) fields.push({ name, kind, value, charsMax });
  }
  for (const [, tag = '', value = ''] of body.matchAll(/<textarea\b([^>]*)>(.*?)<\/textarea>/gs)) {
    const charsMax = Number(attributeOf(tag, 'maxlength') ?? Infinity);
    const name = attributeOf(tag, 'name') ?? '';
    fields.push({ name, kind: 'text', value: plain(value.replace(/^\n/, '')), charsMax });
  }
  for (const [, tag = '', items = ''] of body.matchAll(/<select\b([^>]*)>(.*?)<\/select>/gs)) {
    const options = [...items.matchAll(/<option\b([^>]*)>/g)].map(([, one = '']) => one);
    const chosen = options.find((one) => / selected/.test(one)) ?? options[0] ?? '';
    const value = attributeOf(chosen, 'value') ?? '';
    fields.push({
      name: attributeOf(tag, 'name') ?? '',
      kind: 'choice',
      value,
      charsMax: Infinity,
    });
  }
  for (const [, tag = ''] of body.matchAll(/<button\b([^>]*)>/g)) {
    const name = attributeOf(tag, 'name');
    const value = attributeOf(tag, 'value') ?? '';
    if (name !== undefined) fields.push({ name, kind: 'hidden', value, charsMax: Infinity });
  }
  return fields;
}

/** What a browser would send of it, but for what `typed` says. */
export function filled(form: WalkedForm, typed: TestFields = {}): TestFields {
  const fields: Record<string, string | Blob> = {};
  // Of several of one name the first is sent: one button, one choice.
  for (const { name, kind, value } of form.fields) {
    if (kind !== 'file' && !(name in fields)) fields[name] = value;
  }
  return { ...fields, ...typed };
}

function attributeOf(tag: string, name: string): string | undefined {
  const value = new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1];
  return value === undefined ? undefined : plain(value);
}

function plain(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');
}
