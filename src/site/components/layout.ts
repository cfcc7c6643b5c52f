// The document around every page: head, skip link, header, strip, messages, footer. It knows no
// route by heart and no session; handlers give it a PageFrame (visit.ts makes it).

import { html, raw } from 'hono/html';
import { formatBytes } from '#site/format/bytes.ts';
import { ratioFigure } from '#site/format/ratio.ts';
import { linkButton } from './button.ts';
import { csrfField, postForm } from './form.ts';
import { icon, mark } from './icon.ts';
import { attribute, classes, type Html, NOTHING } from './markup.ts';
import { type NoticeKind, notice } from './notice.ts';
import { type StatusLine, statusCorner } from './status-corner.ts';

export type ThemeChoice = 'system' | 'light' | 'dark';

export interface Flash {
  readonly kind: NoticeKind;
  readonly text: string;
}

export interface NavLink {
  readonly label: string;
  readonly href: string;
  readonly current: boolean;
}

/** The signed-in member as the header shows them. */
export interface FrameMember {
  readonly name: string;
  readonly uploadedBytes: number;
  readonly downloadedBytes: number;
  readonly seeding: number;
  readonly leeching: number;
  /** Notices that they have not read. */
  readonly unread: number;
}

export interface PageFrame {
  readonly siteName: string;
  readonly styleHref: string;
  readonly iconHref: string;
  readonly scriptHref?: string;
  readonly theme: ThemeChoice;
  readonly csrf: string;
  /** This page's own path, to come back to after changing the theme. */
  readonly path: string;
  readonly nav: readonly NavLink[];
  readonly member: FrameMember | undefined;
  readonly memberLinks: readonly NavLink[];
  /** How the whole stands, for those who look after it; none for others. */
  readonly status: readonly StatusLine[];
  readonly flashes: readonly Flash[];
  /** Where forms and links of the frame go. */
  readonly hrefs: {
    readonly home: string;
    readonly search: string;
    readonly signIn: string;
    readonly signUp: string | undefined;
    readonly signOut: string;
    readonly theme: string;
    readonly profile: string;
    readonly notices: string;
  };
  /** What was searched for, to stand in the box. */
  readonly searched: string;
}

export interface Page {
  /** Without the site's name, which is added. */
  readonly title: string;
  readonly main: Html;
}

export function layout(frame: PageFrame, page: Page): Html {
  const theme = frame.theme === 'system' ? undefined : frame.theme;
  const title = page.title === frame.siteName ? page.title : `${page.title} · ${frame.siteName}`;
  return html`${raw('<!doctype html>')}
<html lang="en"${attribute('data-theme', theme)}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="${theme ?? 'light dark'}">
<title>${title}</title>
<link rel="stylesheet" href="${frame.styleHref}">
<link rel="icon" href="${frame.iconHref}" type="image/svg+xml">${frame.scriptHref === undefined ? NOTHING : html`<script src="${frame.scriptHref}" defer></script>`}
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
${header(frame)}
<main id="main" class="wrap" tabindex="-1">
${flashes(frame.flashes)}${page.main}
</main>
${footer(frame)}
</body>
</html>`;
}

function header(frame: PageFrame): Html {
  const { member, hrefs, siteName } = frame;
  const links = frame.nav.map((link) => html`<li>${navLink(link)}</li>`);
  const nav =
    links.length === 0 ? NOTHING : html`<nav class="nav" aria-label="Main"><ul>${links}</ul></nav>`;
  const side = member === undefined ? signedOut(frame) : memberMenu(frame, member);
  return html`<header class="${classes('site-header', member === undefined && 'bare')}"><div class="${classes('wrap', member === undefined && 'signed-out')}">
<a class="brand" href="${hrefs.home}">${mark()}<span>${siteName}</span></a>
${nav}${member === undefined ? NOTHING : searchBox(frame)}
<div class="member-area">${side}</div>
</div>${member === undefined ? NOTHING : strip(member, hrefs.profile)}</header>
`;
}

function navLink({ label, href, current }: NavLink): Html {
  return html`<a href="${href}"${attribute('aria-current', current ? 'page' : undefined)}>${label}</a>`;
}

function searchBox({ hrefs, searched }: PageFrame): Html {
  return html`<form class="search" role="search" action="${hrefs.search}"><label class="visually-hidden" for="header-search">Search torrents</label><input id="header-search" type="search" name="q" value="${searched}" placeholder="Search torrents" maxlength="200" autocapitalize="none"><button class="button" type="submit">${icon('search')}<span class="visually-hidden">Search</span></button></form>`;
}

function signedOut({ hrefs }: PageFrame): Html {
  const join =
    hrefs.signUp === undefined
      ? NOTHING
      : linkButton({ label: 'Sign up', href: hrefs.signUp, kind: 'quiet', small: true });
  return html`${join}${linkButton({ label: 'Sign in', href: hrefs.signIn, small: true })}`;
}

function memberMenu(frame: PageFrame, member: FrameMember): Html {
  const links = frame.memberLinks.map((link) => html`<li>${navLink(link)}</li>`);
  const status = frame.status.length === 0 ? NOTHING : statusCorner(frame.status);
  return html`${status}${unreadLink(frame, member)}<details class="menu"><summary><span class="initial" aria-hidden="true">${initial(member.name)}</span><span class="visually-hidden">Menu of </span><span class="name">${member.name}</span>${icon('open')}</summary><div class="menu-items"><ul>${links}</ul><hr><form method="post" action="${frame.hrefs.signOut}">${csrfField(frame.csrf)}<button class="menu-button" type="submit">Sign out</button></form></div></details>`;
}

function unreadLink({ hrefs }: PageFrame, { unread }: FrameMember): Html {
  if (unread === 0) return NOTHING;
  const label = html`${unread} new<span class="visually-hidden"> notices</span>`;
  return linkButton({ label, href: hrefs.notices, small: true });
}

function initial(name: string): string {
  return (Array.from(name)[0] ?? '?').toUpperCase();
}

function strip(member: FrameMember, profileHref: string): Html {
  return html`<div class="strip"><div class="wrap"><a href="${profileHref}"><span>Given <strong>${formatBytes(member.uploadedBytes)}</strong></span><span>Taken <strong>${formatBytes(member.downloadedBytes)}</strong></span><span>Ratio <strong>${ratioFigure(member)}</strong></span><span class="wide">Seeding <strong>${member.seeding}</strong></span><span class="wide">Leeching <strong>${member.leeching}</strong></span></a></div></div>`;
}

function flashes(messages: readonly Flash[]): Html {
  if (messages.length === 0) return NOTHING;
  return html`<div class="flashes">${messages.map(({ kind, text }) => notice(kind, text))}</div>`;
}

function footer(frame: PageFrame): Html {
  const choices: readonly (readonly [ThemeChoice, string])[] = [
    ['system', 'System'],
    ['light', 'Light'],
    ['dark', 'Dark'],
  ];
  const buttons = choices.map(
    ([value, label]) =>
      html`<button class="button button-quiet button-small" type="submit" name="theme" value="${value}" aria-pressed="${String(value === frame.theme)}">${label}</button>`,
  );
  const body = html`<input type="hidden" name="back" value="${frame.path}"><div class="theme-choice" role="group" aria-label="Colours"><span>Colours</span>${buttons}</div>`;
  return html`<footer class="site-footer"><div class="wrap"><p>Runs on Swarmkeep</p>${postForm({ action: frame.hrefs.theme, csrf: frame.csrf, body, inline: true })}</div></footer>`;
}
