// Pages of freeleech: the console's list of windows, the switch of one torrent, spending a token.

import { html } from 'hono/html';
import type { Errors } from '#site/accounts/entry-views.ts';
import { badge } from '#site/components/badge.ts';
import { submitButton } from '#site/components/button.ts';
import { confirmation } from '#site/components/confirmation.ts';
import { timeAgo, timeUntil } from '#site/components/figures.ts';
import { errorSummary, formActions, postForm, textField } from '#site/components/form.ts';
import type { Html } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel, panels } from '#site/components/panel.ts';
import { table } from '#site/components/table.ts';
import { inConsole } from '#site/console/console-views.ts';
import { plural } from '#site/format/number.ts';
import { formatDuration } from '#site/format/time.ts';
import { href, hrefTo } from '#site/routes.ts';
import { type CreditValues, creditFields, creditWords } from './credit-form.ts';
import { hasEnd, type OpenWindow } from './credit-windows.ts';

export interface NamedWindow extends OpenWindow {
  /** Undefined: everybody. */
  readonly member: string | undefined;
  /** Undefined: every torrent. */
  readonly torrent: { readonly title: string; readonly infoHash: string | undefined } | undefined;
}

export interface TokenValues {
  readonly who: string;
  readonly count: string;
}

interface Shown {
  readonly csrf: string;
  readonly nowMs: number;
  readonly windows: readonly NamedWindow[];
  readonly values: CreditValues;
  readonly errors: Errors;
}

export function creditMain(
  view: Shown & { readonly who: string; readonly tokens: TokenValues },
): Html {
  const { csrf, values, errors, who, tokens } = view;
  const open = panel({
    title: 'On all torrents',
    body: postForm({
      action: href('consoleCredit'),
      csrf,
      body: html`${textField({
        name: 'who',
        label: 'For',
        hint: 'A member’s name; empty is everybody.',
        value: who,
        error: errors['who'],
        lengthMax: 32,
        autocomplete: 'off',
        autocapitalize: 'none',
      })}${creditFields(values, errors)}${formActions(submitButton({ label: 'Put in force', kind: 'primary' }))}`,
    }),
  });
  const give = panel({
    title: 'Tokens',
    body: html`<p class="muted">A member spends a token on one torrent, which then is free to take for them for a while.</p>${postForm(
      {
        action: href('consoleTokens'),
        csrf,
        body: html`${textField({
          name: 'holder',
          label: 'Give to',
          hint: 'A member’s name; empty is every active member.',
          value: tokens.who,
          error: errors['holder'],
          lengthMax: 32,
          autocomplete: 'off',
          autocapitalize: 'none',
        })}${textField({
          name: 'count',
          label: 'How many each',
          value: tokens.count,
          error: errors['count'],
          lengthMax: 3,
          autocomplete: 'off',
        })}${formActions(submitButton({ label: 'Give tokens' }))}`,
      },
    )}`,
  });
  const head = pageHead({
    title: 'Freeleech',
    lead: 'Changes what is counted, never what is recorded. The trackers keep to begin and end by the second.',
  });
  return inConsole(
    'credit',
    html`${head}<div class="stack">${errorSummary(errors)}${windowsPanel(view, false)}${panels(open, give)}</div>`,
  );
}

function windowsPanel({ windows, csrf, nowMs }: Shown, isOneTorrent: boolean): Html {
  if (windows.length === 0) {
    return panel({
      title: 'Open now and coming',
      body: html`<p class="muted">Everything counts in full. Freeleech for everybody or a member begins here, for one torrent on its page.</p>`,
    });
  }
  const end = (window: NamedWindow): Html =>
    postForm({
      action: hrefTo('consoleCreditEnd', { id: window.id }),
      csrf,
      inline: true,
      body: submitButton({ label: 'End now', small: true, about: creditWords(window) }),
    });
  return panel({
    title: 'Open now and coming',
    aside: plural(windows.length, 'window'),
    flush: true,
    body: table({
      caption: 'Windows of credit',
      isWide: true,
      rows: windows,
      columns: [
        { label: 'What counts', kind: 'title', cell: (window) => creditWords(window) },
        { label: 'For', cell: whoOf },
        ...(isOneTorrent ? [] : [{ label: 'On', cell: whatOf }]),
        { label: 'State', cell: (window) => stateOf(window, nowMs) },
        {
          label: 'Ends',
          cell: (window) => (hasEnd(window) ? timeUntil(window.untilMs, nowMs) : 'when ended'),
        },
        { label: 'Steer', kind: 'actions', cell: end },
      ],
    }),
  });
}

function whoOf({ member }: NamedWindow): Html | string {
  if (member === undefined) return 'everybody';
  return html`<a href="${hrefTo('member', { name: member })}">${member}</a>`;
}

function whatOf({ torrent, torrentId }: NamedWindow): Html | string {
  if (torrent?.infoHash !== undefined) {
    return html`<a href="${hrefTo('torrent', { hash: torrent.infoHash })}">${torrent.title}</a>`;
  }
  return torrentId === 0 ? 'all torrents' : 'a removed torrent';
}

function stateOf({ fromMs }: OpenWindow, nowMs: number): Html {
  if (fromMs <= nowMs) return html`${badge('good', 'Open')} ${timeAgo(fromMs, nowMs)}`;
  return html`${badge('plain', 'Coming')} ${timeUntil(fromMs, nowMs)}`;
}

export function torrentCreditMain(
  view: Shown & { readonly title: string; readonly hash: string; readonly isFreed: boolean },
): Html {
  const { title, hash, csrf, values, errors } = view;
  const head = pageHead({
    title: 'Freeleech',
    lead: title,
    crumbs: [{ label: title, href: hrefTo('torrent', { hash }) }],
  });
  const form = panel({
    title: 'For everybody, on this torrent',
    body: postForm({
      action: hrefTo('torrentCredit', { hash }),
      csrf,
      body: html`${creditFields(values, errors)}${formActions(submitButton({ label: 'Put in force', kind: 'primary' }))}`,
    }),
  });
  return html`<div class="medium">${head}<div class="stack">${errorSummary(errors)}${windowsPanel(view, true)}${form}${exemptPanel(view)}</div></div>`;
}

function exemptPanel(view: {
  readonly csrf: string;
  readonly hash: string;
  readonly isFreed: boolean;
}): Html {
  const { csrf, hash, isFreed } = view;
  const words = isFreed
    ? 'Nobody owes anything for having taken it: no hit and run, no torrent to seed.'
    : 'Whoever takes it owes what the rules ask. Exempt it when that would be unfair: broken, huge, or replaced.';
  return panel({
    title: 'What it asks of those who take it',
    body: html`<p class="muted">${words}</p>${postForm({
      action: hrefTo('torrentExempt', { hash }),
      csrf,
      body: html`<input type="hidden" name="exempt" value="${isFreed ? 'no' : 'yes'}">${formActions(submitButton({ label: isFreed ? 'Let it count again' : 'Exempt it' }))}`,
    })}`,
  });
}

export function tokenMain(view: {
  readonly csrf: string;
  readonly title: string;
  readonly hash: string;
  readonly tokens: number;
  readonly windowMs: number;
}): Html {
  const { csrf, title, hash, tokens, windowMs } = view;
  return confirmation({
    question: `Spend a token on “${title}”?`,
    consequence: html`<p>For ${formatDuration(windowMs)} from now what you take of it does not count; what you give counts as ever. You have ${plural(tokens, 'token')}; a spent one does not come back.</p>`,
    action: hrefTo('torrentToken', { hash }),
    csrf,
    confirmLabel: 'Spend a token',
    cancelHref: hrefTo('torrent', { hash }),
  });
}
