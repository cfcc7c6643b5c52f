// The page of banned networks.

import { html } from 'hono/html';
import type { Errors } from '#site/accounts/entry-views.ts';
import { memberNames } from '#site/accounts/members.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { confirmation } from '#site/components/confirmation.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { timeAgo, timeUntil } from '#site/components/figures.ts';
import { formActions, postForm, textField } from '#site/components/form.ts';
import type { Html } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { table } from '#site/components/table.ts';
import { readUtc } from '#site/credit/credit-form.ts';
import { plural } from '#site/format/number.ts';
import { Refusal } from '#site/refusal.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import { type AddressBan, banAddress, endAddressBan, listAddressBans } from './address-bans.ts';
import { inModeration } from './moderation-frame.ts';

interface Typed {
  readonly network: string;
  readonly reason: string;
  readonly until: string;
}

const NOTHING_TYPED: Typed = { network: '', reason: '', until: '' };
const TYPED_CHARS_MAX = 300;

export async function showNetworks(visit: Visit): Promise<Response> {
  return await networksPage(visit, NOTHING_TYPED, {});
}

export async function postNetwork(visit: Visit): Promise<Response> {
  const { form, parts } = visit;
  const text = (name: string): string => form.text(name).trim().slice(0, TYPED_CHARS_MAX);
  const typed = { network: text('network'), reason: text('reason'), until: text('until') };
  const untilMs = typed.until === '' ? undefined : readUtc(typed.until);
  if (typed.until !== '' && (untilMs === undefined || untilMs <= visit.nowMs)) {
    return await networksPage(visit, typed, { until: 'A time that lies ahead is needed, in UTC.' });
  }
  const { memberId: bannedBy } = visit.signedIn();
  const { network, reason } = typed;
  const asked = { network, reason, bannedBy, untilMs, ownAddress: visit.address };
  const made = await banAddress(parts, asked);
  if (made instanceof Refusal) {
    return await networksPage(visit, typed, { [made.field ?? 'network']: made.message });
  }
  parts.addressBans.forget();
  const words = `${made.network} is banned, here at once and at the trackers within a second.`;
  return visit.redirect(href('consoleNetworks'), { kind: 'good', text: words });
}

export async function showNetworkEnd(visit: Visit): Promise<Response> {
  const id = visit.numberParam('id');
  const ban = (await listAddressBans(visit.parts.sql)).find((one) => one.id === id);
  if (ban === undefined) return await visit.notFound('This ban is over already.');
  const main = confirmation({
    question: `Let ${ban.network} in again?`,
    consequence: 'Members there can use the site and announce again, within a second.',
    action: hrefTo('consoleNetworkEnd', { id: ban.id }),
    csrf: visit.csrfToken,
    confirmLabel: 'End the ban',
    cancelHref: href('consoleNetworks'),
  });
  return await visit.page({ title: 'End a ban', main, section: 'console' });
}

export async function postNetworkEnd(visit: Visit): Promise<Response> {
  const id = visit.numberParam('id');
  const ended = id === undefined ? undefined : await endAddressBan(visit.parts, id);
  if (ended === undefined) return await visit.notFound('This ban is over already.');
  visit.parts.addressBans.forget();
  const text = `${ended.network} is let in again.`;
  return visit.redirect(href('consoleNetworks'), { kind: 'good', text });
}

async function networksPage(visit: Visit, typed: Typed, errors: Errors): Promise<Response> {
  const { sql } = visit.parts;
  const bans = await listAddressBans(sql);
  const names = await memberNames(
    sql,
    bans.map((ban) => ban.bannedBy),
  );
  const main = inModeration('networks', networksMain({ visit, typed, errors, bans, names }));
  const status = Object.keys(errors).length === 0 ? 200 : 422;
  return await visit.page({ title: 'Banned networks', main, section: 'console', status });
}

interface NetworksView {
  readonly visit: Visit;
  readonly typed: Typed;
  readonly errors: Errors;
  readonly bans: readonly AddressBan[];
  readonly names: ReadonlyMap<number, string>;
}

function networksMain({ visit, typed, errors, bans, names }: NetworksView): Html {
  const { nowMs, csrfToken: csrf } = visit;
  const lead =
    bans.length === 0 ? 'Everybody is let in.' : `${plural(bans.length, 'network')} banned.`;
  const fields = html`${textField({
    name: 'network',
    label: 'Address or network',
    hint: 'An address alone, or with the length of its prefix: 203.0.113.0/24, 2001:db8::/48. One customer of a provider has a /64 of IPv6.',
    value: typed.network,
    required: true,
    autocomplete: 'off',
    autocapitalize: 'none',
    error: errors['network'],
  })}${textField({
    name: 'reason',
    label: 'Reason',
    hint: 'Everybody there reads it, here and in their clients.',
    value: typed.reason,
    lengthMax: 200,
    autocomplete: 'off',
    error: errors['reason'],
  })}${textField({
    name: 'until',
    label: 'Ends',
    type: 'datetime-local',
    hint: 'In UTC. Empty is when you end it.',
    value: typed.until,
    error: errors['until'],
  })}${formActions(submitButton({ label: 'Ban this network', kind: 'danger-solid' }))}`;
  const form = panel({
    title: 'Ban a network',
    body: html`<p>Nobody from there reaches the site, and trackers refuse their clients, whoever they are. Members who share a line share the ban.</p>${postForm({ action: href('consoleNetworks'), csrf, body: fields })}`,
  });
  const list =
    bans.length === 0
      ? emptyState({
          title: 'No network is banned',
          text: 'When somebody comes again under other names, ban where they come from.',
          icon: 'info',
        })
      : table({
          caption: 'Banned networks',
          rows: bans,
          columns: [
            { label: 'Network', kind: 'title', cell: (ban) => html`<code>${ban.network}</code>` },
            { label: 'Reason', cell: (ban) => (ban.reason === '' ? 'none given' : ban.reason) },
            { label: 'By', cell: (ban) => names.get(ban.bannedBy) ?? 'somebody' },
            { label: 'Since', kind: 'figure', cell: (ban) => timeAgo(ban.fromMs, nowMs) },
            {
              label: 'Ends',
              kind: 'figure',
              cell: (ban) =>
                ban.untilMs === undefined ? 'when ended' : timeUntil(ban.untilMs, nowMs),
            },
            {
              label: 'Actions',
              kind: 'actions',
              cell: (ban) =>
                linkButton({
                  label: 'End',
                  about: `the ban of ${ban.network}`,
                  href: hrefTo('consoleNetworkEnd', { id: ban.id }),
                  small: true,
                }),
            },
          ],
        });
  return html`${pageHead({ title: 'Banned networks', lead })}<div class="stack">${list}${form}</div>`;
}
