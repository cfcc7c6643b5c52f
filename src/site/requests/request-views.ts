// Requests as pages show them.

import { html } from 'hono/html';
import type { Errors } from '#site/accounts/entry-views.ts';
import type { Torrent } from '#site/catalogue/find-torrent.ts';
import { badge } from '#site/components/badge.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { confirmation } from '#site/components/confirmation.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { facts } from '#site/components/facts.ts';
import { timeAgo, timeBoth } from '#site/components/figures.ts';
import { formActions, postForm, textArea, textField } from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { refusalNotice } from '#site/components/notice.ts';
import { columns, pageHead } from '#site/components/page-head.ts';
import { pager } from '#site/components/pager.ts';
import { panel } from '#site/components/panel.ts';
import { table } from '#site/components/table.ts';
import { markdown } from '#site/format/markdown.ts';
import { formatPoints } from '#site/format/points.ts';
import { href, hrefTo } from '#site/routes.ts';
import {
  DESCRIPTION_CHARS_MAX,
  offerVersion,
  type Request,
  type RequestState,
  TITLE_CHARS_MAX,
} from './requests.ts';

const STATE_LINKS: readonly { readonly state: RequestState; readonly label: string }[] = [
  { state: 'open', label: 'Open' },
  { state: 'filled', label: 'Filled' },
  { state: 'withdrawn', label: 'Withdrawn' },
];

export interface RequestsView {
  readonly requests: readonly Request[];
  readonly names: ReadonlyMap<number, string>;
  readonly state: RequestState;
  readonly mayAsk: boolean;
  readonly nextHref: string | undefined;
  readonly nowMs: number;
}

export function requestsMain(view: RequestsView): Html {
  const { requests, names, state, nowMs, nextHref } = view;
  const ask = view.mayAsk
    ? [linkButton({ label: 'Ask for something', href: href('requestNew'), kind: 'primary' })]
    : [];
  const needs = linkButton({ label: 'Torrents that need seeds', href: href('needsSeeds') });
  const head = pageHead({
    title: 'Requests',
    lead: 'What members look for. Whoever brings it gets the points that wait with it.',
    actions: [...ask, needs],
  });
  const others = STATE_LINKS.filter((one) => one.state !== state).map((one) =>
    linkButton({ label: one.label, href: href('requests', { state: one.state }), small: true }),
  );
  const list =
    requests.length === 0
      ? emptyState({
          title: state === 'open' ? 'Nobody looks for anything' : 'There is none',
          text: 'Do you miss something here? Ask for it, and others are told what would be welcome.',
          ...(view.mayAsk
            ? { action: linkButton({ label: 'Ask for something', href: href('requestNew') }) }
            : {}),
        })
      : html`${table({
          caption: 'Requests',
          rows: requests,
          columns: [
            {
              label: 'Request',
              kind: 'title',
              cell: (one) =>
                html`<a href="${hrefTo('request', { id: one.id })}">${one.title}</a>${one.state === 'open' && one.torrentId !== undefined ? html` ${badge('accent', 'Offered')}` : NOTHING}`,
            },
            { label: 'By', cell: (one) => names.get(one.memberId) ?? 'a former member' },
            { label: 'Points', kind: 'figure', cell: (one) => formatPoints(one.milliPoints) },
            { label: 'Asked', kind: 'figure', cell: (one) => timeAgo(one.createdMs, nowMs) },
          ],
        })}${pager({ ...(nextHref === undefined ? {} : { nextHref }), summary: 'newest first' })}`;
  return html`${head}<div class="stack"><div class="row">${others}</div>${list}</div>`;
}

export function newRequestMain(view: {
  readonly csrf: string;
  readonly typed: { readonly title: string; readonly description: string };
  readonly errors: Errors;
}): Html {
  const { typed, errors, csrf } = view;
  const fields = html`${textField({
    name: 'title',
    label: 'What do you look for',
    required: true,
    lengthMax: TITLE_CHARS_MAX,
    value: typed.title,
    autocomplete: 'off',
    error: errors['title'],
  })}${textArea({
    name: 'description',
    label: 'More about it',
    hint: 'Markdown. Which edition, which format, what would not do.',
    lengthMax: DESCRIPTION_CHARS_MAX,
    value: typed.description,
    error: errors['description'],
  })}${formActions(
    submitButton({ label: 'Ask for it', kind: 'primary' }),
    linkButton({ label: 'Back', href: href('requests'), kind: 'quiet' }),
  )}`;
  const head = pageHead({
    title: 'Ask for something',
    crumbs: [{ label: 'Requests', href: href('requests') }],
  });
  return html`<div class="medium">${head}${postForm({ action: href('requestNew'), csrf, body: fields })}</div>`;
}

export interface RequestView {
  readonly request: Request;
  /** Who asked; undefined when they are gone. */
  readonly by: string | undefined;
  /** Offered, or accepted. */
  readonly torrent: Torrent | undefined;
  /** The reader decides about offers. */
  readonly isTheirs: boolean;
  readonly mayAct: boolean;
  /** The reader's own. */
  readonly milliPoints: number;
  readonly order: string;
  readonly csrf: string;
  readonly errors: Errors;
  readonly nowMs: number;
}

const STATE_BADGES = {
  open: badge('accent', 'Open'),
  filled: badge('good', 'Filled'),
  withdrawn: badge('plain', 'Withdrawn'),
} as const;

export function requestMain(view: RequestView): Html {
  const { request, by, nowMs, isTheirs } = view;
  const isOpen = request.state === 'open';
  const withdraw = linkButton({
    label: 'Withdraw',
    href: hrefTo('requestWithdraw', { id: request.id }),
    kind: 'danger',
  });
  const head = pageHead({
    title: request.title,
    crumbs: [{ label: 'Requests', href: href('requests') }],
    actions: isOpen && isTheirs ? [withdraw] : [],
  });
  const words =
    request.description === ''
      ? html`<p class="muted">Nothing more was said about it.</p>`
      : html`<div class="markdown prose">${markdown(request.description)}</div>`;
  const about = panel({
    title: 'About',
    body: facts([
      { term: 'State', value: STATE_BADGES[request.state] },
      { term: 'Points', value: formatPoints(request.milliPoints) },
      {
        term: 'By',
        value:
          by === undefined
            ? 'a former member'
            : html`<a href="${hrefTo('member', { name: by })}">${by}</a>`,
      },
      { term: 'Asked', value: timeBoth(request.createdMs, nowMs) },
      ...(request.closedMs === undefined
        ? []
        : [{ term: 'Closed', value: timeBoth(request.closedMs, nowMs) }]),
    ]),
  });
  const main = html`${panel({ title: 'What is looked for', body: words })}${offerPanel(view)}`;
  return html`${head}${columns(main, html`${about}${isOpen && view.mayAct ? bountyPanel(view) : NOTHING}`)}`;
}

function offerPanel(view: RequestView): Html {
  const { request, torrent, isTheirs, csrf, errors } = view;
  const action = hrefTo('request', { id: request.id });
  if (torrent !== undefined) {
    const link = html`<p><a href="${hrefTo('torrent', { hash: torrent.infoHash })}">${torrent.title}</a></p>`;
    if (request.state !== 'open') return panel({ title: 'Filled by', body: link });
    const words = isTheirs
      ? html`<p>Is this what you asked for? Accepting it pays the points to whoever uploaded it; there is no way back.</p>`
      : html`<p class="muted">Whoever asked says whether it is right.</p>`;
    const accept = submitButton({
      label: 'Accept and pay',
      kind: 'primary',
      name: 'action',
      value: 'accept',
    });
    const shown = offerVersion(request);
    const late = errors['torrent'] === undefined ? NOTHING : refusalNotice(errors['torrent']);
    const refuse = submitButton({ label: 'It is not', name: 'action', value: 'refuse' });
    const form = isTheirs
      ? postForm({ action, csrf, shown, body: formActions(accept, refuse) })
      : NOTHING;
    return panel({ title: 'Offered', body: html`${late}${link}${words}${form}` });
  }
  if (request.state !== 'open' || !view.mayAct) return NOTHING;
  const fields = html`<input type="hidden" name="action" value="offer">${textField({
    name: 'torrent',
    label: 'The torrent',
    hint: 'The address of its page here, or its info hash. Upload it first.',
    required: true,
    autocomplete: 'off',
    autocapitalize: 'none',
    error: errors['torrent'],
  })}${formActions(submitButton({ label: 'Offer this torrent' }))}`;
  return panel({ title: 'Do you have it?', body: postForm({ action, csrf, body: fields }) });
}

function bountyPanel(view: RequestView): Html {
  const { request, milliPoints, order, csrf, errors } = view;
  const fields = html`<input type="hidden" name="action" value="bounty"><input type="hidden" name="order" value="${order}">${textField(
    {
      name: 'points',
      label: 'Points',
      type: 'number',
      hint: `You have ${formatPoints(milliPoints)}. They wait here until it is brought, and come back when it is withdrawn.`,
      required: true,
      error: errors['points'],
    },
  )}${formActions(submitButton({ label: 'Put points in' }))}`;
  const action = hrefTo('request', { id: request.id });
  return panel({ title: 'Put points in', body: postForm({ action, csrf, body: fields }) });
}

export function withdrawMain(csrf: string, request: Request): Html {
  return confirmation({
    question: `Withdraw “${request.title}”?`,
    consequence: 'Everybody gets back the points they put in. You can ask for it again later.',
    action: hrefTo('requestWithdraw', { id: request.id }),
    csrf,
    confirmLabel: 'Withdraw the request',
    cancelHref: hrefTo('request', { id: request.id }),
  });
}
