// A member's bonus points: what there is, where it came from, and what it buys.

import { html } from 'hono/html';
import {
  type BonusKind,
  bonusBalance,
  bonusEntries,
  type KnownEntry,
} from '#accounting/bonus/bonus.ts';
import { toHex } from '#base/bytes.ts';
import type { RouteHandlers } from '#site/admission.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { stats } from '#site/components/facts.ts';
import { timeAgo } from '#site/components/figures.ts';
import { postForm } from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { table } from '#site/components/table.ts';
import { countTokens } from '#site/credit/credit-tokens.ts';
import { formatCount, plural } from '#site/format/number.ts';
import { formatPoints } from '#site/format/points.ts';
import { Refusal } from '#site/refusal.ts';
import { href } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import { buyToken } from './buy-token.ts';

const ENTRY_WORDS: Readonly<Record<BonusKind, string>> = {
  seeding: 'Seeding for an hour',
  token: 'Freeleech token',
  bounty: 'Put into a request, or back from one',
  request: 'Filled a request',
  keeping: 'Holding copies for the archive',
};

const ENTRIES_SHOWN = 50;
const ORDER_BYTES = 12;

export const bonusRoutes: RouteHandlers = { bonus: { GET: showBonus, POST: postBonus } };

async function showBonus(visit: Visit): Promise<Response> {
  const { parts, nowMs } = visit;
  const { memberId } = visit.signedIn();
  const before = Number(/^\d{1,15}$/.exec(visit.query('before'))?.[0] ?? Number.NaN);
  const entries = await bonusEntries(parts.sql, memberId, {
    limit: ENTRIES_SHOWN + 1,
    ...(Number.isNaN(before) ? {} : { before }),
  });
  const shown = entries.slice(0, ENTRIES_SHOWN);
  const last = shown.at(-1);
  const main = bonusMain({
    csrf: visit.csrfToken,
    order: toHex(parts.random.bytes(ORDER_BYTES)),
    nowMs,
    milliPoints: await bonusBalance(parts.sql, memberId),
    tokens: await countTokens(parts.sql, memberId, nowMs),
    tokenPoints: parts.bonusTokenPoints,
    entries: shown,
    moreHref:
      entries.length > ENTRIES_SHOWN && last !== undefined
        ? href('bonus', { before: last.id })
        : undefined,
  });
  return await visit.page({ title: 'Bonus', main, section: 'me' });
}

async function postBonus(visit: Visit): Promise<Response> {
  const { parts, nowMs } = visit;
  const order = visit.form.text('order');
  const refused = await buyToken(parts.sql, {
    memberId: visit.signedIn().memberId,
    points: parts.bonusTokenPoints,
    order,
    nowMs,
    validMs: parts.config.tokenValidMs,
  });
  const flash =
    refused instanceof Refusal
      ? ({ kind: 'bad', text: refused.message } as const)
      : ({ kind: 'good', text: 'You have one more token. Spend it on a torrent’s page.' } as const);
  return visit.redirect(href('bonus'), flash);
}

interface BonusView {
  readonly csrf: string;
  readonly order: string;
  readonly nowMs: number;
  readonly milliPoints: number;
  readonly tokens: number;
  readonly tokenPoints: number;
  readonly entries: readonly KnownEntry[];
  readonly moreHref: string | undefined;
}

function bonusMain(view: BonusView): Html {
  const head = pageHead({
    title: 'Bonus',
    lead: 'Points come by the hour for what you seed: more for what is large, old with you, and rare.',
  });
  const figures = stats([
    { label: 'Points', value: formatPoints(view.milliPoints) },
    {
      label: 'Tokens',
      value: formatCount(view.tokens),
      note: 'each frees one torrent for a while',
    },
  ]);
  return html`<div class="medium">${head}<div class="stack">${figures}${shopPanel(view)}${entriesPanel(view)}</div></div>`;
}

function shopPanel({ csrf, order, milliPoints, tokenPoints }: BonusView): Html {
  if (tokenPoints === 0) return NOTHING;
  const missing = tokenPoints * 1000 - milliPoints;
  const body =
    missing > 0
      ? html`<p>A token costs ${plural(tokenPoints, 'point')}; ${formatPoints(missing)} more are needed.</p>`
      : html`<p>A token costs ${plural(tokenPoints, 'point')}.</p>${postForm({
          action: href('bonus'),
          csrf,
          body: html`<input type="hidden" name="order" value="${order}">${submitButton({ label: 'Buy a token', kind: 'primary' })}`,
        })}`;
  return panel({ title: 'Freeleech token', body });
}

function entriesPanel({ entries, moreHref, nowMs }: BonusView): Html {
  if (entries.length === 0) {
    const body = html`<p class="muted">Nothing yet. Seed a torrent: points are granted when the hour is over. <a href="${href('needsSeeds')}">See what needs seeds</a></p>`;
    return panel({ title: 'Where they came from', body });
  }
  const more =
    moreHref === undefined
      ? NOTHING
      : html`<p>${linkButton({ label: 'Older', href: moreHref })}</p>`;
  return html`${panel({
    title: 'Where they came from',
    flush: true,
    body: table({
      caption: 'Grants and spendings',
      rows: entries,
      columns: [
        {
          label: 'What',
          kind: 'title',
          cell: (entry) => ENTRY_WORDS[entry.kind],
        },
        { label: 'When', cell: (entry) => timeAgo(entry.atMs, nowMs) },
        { label: 'Points', kind: 'figure', cell: (entry) => formatPoints(entry.milliPoints) },
      ],
    }),
  })}${more}`;
}
