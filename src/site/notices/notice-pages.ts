// The page of a member's notices.

import { html } from 'hono/html';
import type { RouteHandlers } from '#site/admission.ts';
import { badge } from '#site/components/badge.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { timeAgo } from '#site/components/figures.ts';
import { postForm } from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import { pager } from '#site/components/pager.ts';
import { panel } from '#site/components/panel.ts';
import { plural } from '#site/format/number.ts';
import { href } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import { listNotices, markRead, type Notice, type NoticeKind, unreadNotices } from './notices.ts';

const LINES = 30;

export const noticeRoutes: RouteHandlers = {
  notices: { GET: showNotices, POST: postNoticesRead },
};

async function showNotices(visit: Visit): Promise<Response> {
  const { sql } = visit.parts;
  const { memberId } = visit.signedIn();
  const before = Number(/^\d{1,15}$/.exec(visit.query('before'))?.[0] ?? 0);
  const found = await listNotices(sql, memberId, {
    limit: LINES + 1,
    ...(before === 0 ? {} : { before }),
  });
  const notices = found.slice(0, LINES);
  const unread = await unreadNotices(sql, memberId);
  const main = noticesMain({
    notices,
    unread,
    csrf: visit.csrfToken,
    nowMs: visit.nowMs,
    ...(found.length > LINES ? { nextHref: href('notices', { before: notices.at(-1)?.id }) } : {}),
  });
  return await visit.page({ title: 'Notices', main, section: 'me' });
}

async function postNoticesRead(visit: Visit): Promise<Response> {
  const throughId = Number(/^\d{1,15}$/.exec(visit.form.text('through'))?.[0] ?? 0);
  const { memberId } = visit.signedIn();
  await markRead(visit.parts.sql, memberId, { throughId, nowMs: visit.nowMs });
  return visit.redirect(href('notices'));
}

interface NoticesView {
  readonly notices: readonly Notice[];
  readonly unread: number;
  readonly csrf: string;
  readonly nowMs: number;
  readonly nextHref?: string;
}

function noticesMain(view: NoticesView): Html {
  const { notices, unread } = view;
  const newest = notices.at(0)?.id ?? 0;
  const head = pageHead({
    title: 'Notices',
    lead: unread === 0 ? 'You have read everything.' : `${plural(unread, 'notice')} unread.`,
    ...(unread === 0
      ? {}
      : {
          actions: postForm({
            action: href('notices'),
            csrf: view.csrf,
            body: html`<input type="hidden" name="through" value="${newest}">${submitButton({ label: 'Mark as read' })}`,
            inline: true,
          }),
        }),
  });
  if (notices.length === 0) {
    return html`${head}${emptyState({
      title: 'Nothing was told to you yet',
      text: 'When a rule, a torrent of yours or the staff has something for you, it stands here. Until then: find something to take, or give something others lack.',
      icon: 'info',
      action: html`${linkButton({ label: 'Look at torrents', href: href('torrents'), kind: 'primary' })}${linkButton({ label: 'See what needs seeds', href: href('needsSeeds') })}`,
    })}`;
  }
  const items = notices.map((one) => noticeItem(one, view.nowMs));
  return html`${head}${panel({ title: 'All notices', body: html`<ul class="plain stack">${items}</ul>` })}${pager(
    {
      ...(view.nextHref === undefined ? {} : { nextHref: view.nextHref }),
      summary: 'newest first',
    },
  )}`;
}

const KIND_WORDS: Readonly<Record<NoticeKind, string>> = {
  info: 'For your information',
  good: 'Good news',
  warn: 'Please act',
  bad: 'Restricted',
};

const KIND_BADGES = { info: 'accent', good: 'good', warn: 'warn', bad: 'bad' } as const;

function noticeItem(one: Notice, nowMs: number): Html {
  const paragraphs = one.body.split('\n').map((line) => html`<p>${line}</p>`);
  const link =
    one.link === ''
      ? NOTHING
      : html`<p>${linkButton({ label: 'Show me', href: one.link, small: true })}</p>`;
  return html`<li class="stack-tight"><h3>${one.title} ${badge(KIND_BADGES[one.kind], KIND_WORDS[one.kind])}${one.isRead ? NOTHING : html` ${badge('plain', 'New')}`}</h3><p class="small muted">${timeAgo(one.createdMs, nowMs)}</p>${paragraphs}${link}</li>`;
}
