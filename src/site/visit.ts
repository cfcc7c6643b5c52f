// One request as handlers see it: who asks, what they sent, and the ways to answer. A handler takes a
// Visit, calls a model, gives what it got to a view, and returns `visit.page(…)` or
// `visit.redirect(…)`.

import type { Context } from 'hono';
import { memberTotals } from '#accounting/totals.ts';
import { assert } from '#base/assert.ts';
import type { Viewer } from './accounts/sessions.ts';
import { isSignUpOpen, type SiteSettings } from './accounts/settings.ts';
import { type Addresses, publicAddresses } from './announce-urls.ts';
import type { ScriptName } from './assets.ts';
import { SHOWN_FIELD } from './components/form.ts';
import type { Flash, FrameMember, NavLink, PageFrame } from './components/layout.ts';
import { layout } from './components/layout.ts';
import type { Html } from './components/markup.ts';
import type { Cookies } from './cookies.ts';
import { isCsrfToken, newCsrfToken } from './csrf-token.ts';
import { type ErrorWords, errorMain } from './error-pages.ts';
import { Form } from './form-data.ts';
import { unreadNotices } from './notices/notices.ts';
import { isPagePacked, packPage } from './packing.ts';
import type { Permission, Role } from './permissions.ts';
import { href, hrefTo } from './routes.ts';
import { rowIdOf } from './row-id.ts';
import { SCRIPT_POLICY } from './security-headers.ts';
import type { Shown } from './shown.ts';
import type { SiteParts } from './world.ts';

/** The parts of the site as the navigation names them. */
export type Section =
  | 'torrents'
  | 'upload'
  | 'requests'
  | 'collections'
  | 'members'
  | 'console'
  | 'me'
  | 'none';

export interface PageAnswer {
  /** Without the site's name. */
  readonly title: string;
  readonly main: Html;
  /** 200 unless given. A form that is sent back is 422. */
  readonly status?: 200 | 400 | 401 | 403 | 404 | 405 | 409 | 413 | 415 | 422 | 429 | 500 | 503;
  /** Of the site's own, that the page runs; it must do without, too. */
  readonly script?: ScriptName;
  /** Marked in the navigation. */
  readonly section?: Section;
}

export interface VisitStart {
  readonly parts: SiteParts;
  readonly context: Context;
  readonly cookies: Cookies;
  readonly settings: SiteSettings;
  readonly viewer: Viewer | undefined;
  /** Of the viewer's role and class, or of visitors. */
  readonly permissions: ReadonlySet<Permission>;
  /** Of the session, or of the visitor without one. */
  readonly cookieSecret: string;
  readonly requestId: string;
  /** The peer's, or what a trusted proxy says it is. */
  readonly address: string;
}

const PEERS_COUNTED_MAX = 1000;

export class Visit {
  readonly parts: SiteParts;
  readonly cookies: Cookies;
  readonly settings: SiteSettings;
  readonly viewer: Viewer | undefined;
  readonly permissions: ReadonlySet<Permission>;
  readonly requestId: string;
  readonly address: string;
  /** For `postForm`; another one at each visit. */
  readonly csrfToken: string;
  /** Unix milliseconds when the request came. */
  readonly nowMs: number;
  /** It was answered that nothing was done. */
  saidNo = false;
  /** Its page holds nothing that is the reader's secret: it may be sent packed. */
  isPackable = false;
  /** What was posted; empty in a GET. */
  form = new Form();
  readonly #context: Context;
  readonly #cookieSecret: string;
  #frameMember: Promise<FrameMember> | undefined;

  constructor(start: VisitStart) {
    this.parts = start.parts;
    this.cookies = start.cookies;
    this.settings = start.settings;
    this.viewer = start.viewer;
    this.permissions = start.permissions;
    this.requestId = start.requestId;
    this.address = start.address;
    this.csrfToken = newCsrfToken(start.cookieSecret, start.parts.random);
    this.#cookieSecret = start.cookieSecret;
    this.nowMs = start.parts.clock.nowMs();
    this.#context = start.context;
  }

  get request(): Request {
    return this.#context.req.raw;
  }

  get role(): Role | 'visitor' {
    return this.viewer?.role ?? 'visitor';
  }

  /** Public addresses of site and tracker, for links that leave the site. */
  get addresses(): Addresses {
    return publicAddresses(this.settings, this.parts.addresses);
  }

  /** Path and query of this page. */
  get path(): string {
    const url = new URL(this.request.url);
    return url.pathname + url.search;
  }

  /** The signed-in member; only where the permission table demands one. */
  signedIn(): Viewer {
    assert(this.viewer !== undefined, 'the permission table lets in members only');
    return this.viewer;
  }

  /** What the sender of a form or a change saw of the thing it changes. */
  get shown(): Shown {
    const version = this.form.text(SHOWN_FIELD);
    return version === '' ? [] : [version];
  }

  /** Whether a form or a program sent the token of one of this visitor's own pages. */
  isOwnToken(sent: string): boolean {
    return isCsrfToken(sent, this.#cookieSecret);
  }

  may(permission: Permission): boolean {
    return this.permissions.has(permission);
  }

  /** A parameter of the path, decoded; empty when the route has none of that name. */
  param(name: string): string {
    return this.#context.req.param(name) ?? '';
  }

  /** The number in a path such as an id; undefined unless it is one. */
  numberParam(name: string): number | undefined {
    return rowIdOf(this.param(name));
  }

  /** The first value in the query; empty when there is none. */
  query(name: string): string {
    return (this.#context.req.query(name) ?? '').replaceAll('\0', '');
  }

  /** As `numberParam`, of the query. */
  numberQuery(name: string): number | undefined {
    return rowIdOf(this.query(name));
  }

  queries(name: string): readonly string[] {
    return (this.#context.req.queries(name) ?? []).map((value) => value.replaceAll('\0', ''));
  }

  header(name: string): string {
    return this.#context.req.header(name) ?? '';
  }

  /** A page will be the answer: what its frame shows of the reader is asked for with what else is. */
  expectPage(): void {
    if (this.viewer === undefined || this.#frameMember !== undefined) return;
    this.#frameMember = frameMember(this.parts, this.viewer);
    // Should it fail, the page hears of it.
    this.#frameMember.catch(() => undefined);
  }

  async page(answer: PageAnswer): Promise<Response> {
    this.expectPage();
    const { script, status = 200 } = answer;
    const frame = await this.#frame(answer.section ?? 'none');
    const page =
      script === undefined
        ? layout(frame, answer)
        : layout({ ...frame, scriptHref: this.parts.assets.scriptHrefs[script] }, answer);
    const policy = script === undefined ? {} : { 'content-security-policy': SCRIPT_POLICY };
    if (!this.isPackable) return this.#context.html(page, status, policy);
    const headers = {
      'content-type': 'text/html; charset=UTF-8',
      vary: 'accept-encoding, sec-fetch-site',
      ...policy,
    };
    const text = String(await page);
    const request = {
      isSecure: this.cookies.isSecure,
      header: (name: string) => this.header(name),
    };
    if (!isPagePacked(request)) return this.#context.body(text, status, headers);
    return this.#context.body(packPage(text), status, { ...headers, 'content-encoding': 'gzip' });
  }

  /** To a path of this site (from routes.ts), after a POST. */
  redirect(path: string, flash?: Flash): Response {
    assert(path.startsWith('/') && !path.startsWith('//'), 'redirects stay on the site');
    if (flash?.kind === 'bad') this.saidNo = true;
    if (flash !== undefined) this.cookies.flash(flash);
    return this.#context.redirect(path, 303);
  }

  notFound(
    text = 'It may have been removed, or the address has a mistake in it.',
  ): Promise<Response> {
    return this.error({ status: 404, title: 'There is nothing here', text });
  }

  /** A page that says what went wrong and what to do. */
  error(words: ErrorWords): Promise<Response> {
    return this.page({ title: words.title, status: words.status, main: errorMain(words, this) });
  }

  /** A file to save. `fileName` may hold any characters. */
  download(bytes: Uint8Array, file: { readonly name: string; readonly type: string }): Response {
    return this.#context.body(new Uint8Array(bytes), 200, fileHeaders(file));
  }

  /** A file to save, made while it is sent. */
  stream(
    bytes: ReadableStream<Uint8Array>,
    file: { readonly name: string; readonly type: string },
  ): Response {
    return this.#context.body(bytes, 200, fileHeaders(file));
  }

  async #frame(section: Section): Promise<PageFrame> {
    const { settings, viewer, cookies } = this;
    const flash = cookies.takeFlash();
    return {
      siteName: settings.siteName,
      styleHref: this.parts.assets.styleHref,
      iconHref: this.parts.assets.iconHref,
      theme: cookies.theme(),
      csrf: this.csrfToken,
      path: this.request.method === 'GET' ? this.path : href('home'),
      nav: this.#nav(section),
      member: await this.#frameMember,
      memberLinks: this.#memberLinks(),
      status: this.may('administer') ? await this.parts.statusNow.lines() : [],
      flashes: flash === undefined ? [] : [flash],
      hrefs: {
        home: href('home'),
        search: href('torrents'),
        signIn: href('signIn'),
        signUp: isSignUpOpen(settings) ? href('signUp') : undefined,
        signOut: href('signOut'),
        theme: href('theme'),
        notices: href('notices'),
        profile: viewer === undefined ? href('signIn') : hrefTo('member', { name: viewer.name }),
      },
      searched: section === 'torrents' ? this.query('q').slice(0, 200) : '',
    };
  }

  #nav(section: Section): readonly NavLink[] {
    const links = [
      { section: 'torrents', permission: 'browse', label: 'Torrents', href: href('torrents') },
      { section: 'upload', permission: 'upload', label: 'Upload', href: href('upload') },
      { section: 'requests', permission: 'browse', label: 'Requests', href: href('requests') },
      {
        section: 'collections',
        permission: 'browse',
        label: 'Collections',
        href: href('collections'),
      },
      { section: 'members', permission: 'browse', label: 'Members', href: href('members') },
      { section: 'console', ...this.#desk() },
    ] as const;
    return links
      .filter((link) => this.may(link.permission))
      .map((link) => ({ label: link.label, href: link.href, current: link.section === section }));
  }

  /** Where the staff works: admins begin at the console, moderators at what was reported. */
  #desk(): { readonly permission: Permission; readonly label: string; readonly href: string } {
    return this.may('administer')
      ? { permission: 'administer', label: 'Console', href: href('console') }
      : { permission: 'moderate', label: 'Moderation', href: href('consoleReports') };
  }

  #memberLinks(): readonly NavLink[] {
    if (this.viewer === undefined) return [];
    const here = new URL(this.request.url).pathname;
    const links = [
      { label: 'Profile', href: hrefTo('member', { name: this.viewer.name }) },
      { label: 'Notices', href: href('notices') },
      { label: 'Bonus', href: href('bonus') },
      { label: 'Invites', href: href('invites') },
      ...(this.may('share') && this.parts.content !== undefined
        ? [{ label: 'Shares', href: href('shares') }]
        : []),
      { label: 'Bookmarks', href: href('bookmarks') },
      { label: 'Feeds', href: href('feeds') },
      { label: 'Sessions', href: href('sessions') },
      { label: 'Password', href: href('password') },
      { label: 'Second factor', href: href('secondFactor') },
      { label: 'Sign-in keys', href: href('signInKeys') },
      { label: 'E-mail', href: href('email') },
      { label: 'Privacy', href: href('privacy') },
      { label: 'Tokens', href: href('apiTokens') },
      ...(this.parts.content === undefined ? [] : [{ label: 'WebDAV', href: href('webDav') }]),
      { label: 'Your data', href: href('myData') },
    ];
    return links.map((link) => ({ ...link, current: link.href === here }));
  }
}

async function frameMember(parts: SiteParts, viewer: Viewer): Promise<FrameMember> {
  const [totals, unread] = await Promise.all([
    memberTotals(parts.sql, viewer.memberId),
    unreadNotices(parts.sql, viewer.memberId),
  ]);
  const torrents = { seeding: new Set<number>(), leeching: new Set<number>() };
  for (const peer of parts.swarms.peersOfMember(viewer.memberId, PEERS_COUNTED_MAX)) {
    torrents[peer.state === 'leecher' ? 'leeching' : 'seeding'].add(peer.torrentId);
  }
  return {
    name: viewer.name,
    uploadedBytes: totals.creditedUploadedBytes,
    downloadedBytes: totals.creditedDownloadedBytes,
    seeding: torrents.seeding.size,
    leeching: torrents.leeching.size,
    unread,
  };
}

/** By which a browser saves what it is sent, under that name. */
export function fileHeaders(file: {
  readonly name: string;
  readonly type: string;
}): Record<string, string> {
  const plain = file.name.replaceAll(/[^\x20-\x7e]|["\\%]/g, '_');
  const disposition = `attachment; filename="${plain}"; filename*=UTF-8''${encodeExtended(file.name)}`;
  return { 'content-type': file.type, 'content-disposition': disposition };
}

/** RFC 8187: what encodeURIComponent leaves, but for the characters that header values reserve. */
function encodeExtended(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** A path that was sent back to us, when it stays on this site. */
export function localPath(text: string): string | undefined {
  return /^\/(?![/\\])[^\\\p{Cc}]*$/u.test(text) && text.length <= 2000 ? text : undefined;
}
