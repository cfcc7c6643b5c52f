// The console's page of cheat signals: hints with their evidence, for a person to judge.

import { html } from 'hono/html';
import {
  countSignals,
  dismissSignal,
  type KnownSignal,
  listSignals,
} from '#accounting/signals/signals.ts';
import { torrentNames } from '#site/accounts/history.ts';
import { memberNames } from '#site/accounts/members.ts';
import type { RouteHandlers } from '#site/admission.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { timeAgo } from '#site/components/figures.ts';
import { postForm } from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { table } from '#site/components/table.ts';
import { inConsole } from '#site/console/console-views.ts';
import { plural } from '#site/format/number.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import { signalHonest, signalLabel, signalSeen } from './signal-words.ts';

const SHOWN_MAX = 50;

export const signalRoutes: RouteHandlers = {
  consoleSignals: { GET: showSignals },
  consoleSignalDismiss: { POST: postDismiss },
};

interface NamedSignal extends KnownSignal {
  readonly member: string | undefined;
  readonly torrent: { readonly title: string; readonly infoHash: string | undefined } | undefined;
}

async function showSignals(visit: Visit): Promise<Response> {
  const { sql } = visit.parts;
  const beforeMs = Number(/^\d{1,15}$/.exec(visit.query('before'))?.[0] ?? Number.NaN);
  const found = await listSignals(sql, {
    limit: SHOWN_MAX + 1,
    ...(Number.isNaN(beforeMs) ? {} : { beforeMs }),
  });
  const shown = found.slice(0, SHOWN_MAX);
  const last = shown.at(-1);
  const members = await memberNames(
    sql,
    shown.map((one) => one.memberId),
  );
  const torrents = await torrentNames(
    sql,
    shown.map((one) => one.torrentId),
  );
  const main = signalsMain({
    csrf: visit.csrfToken,
    nowMs: visit.nowMs,
    count: await countSignals(sql),
    signals: shown.map((one) => ({
      ...one,
      member: members.get(one.memberId),
      torrent: torrents.get(one.torrentId),
    })),
    moreHref:
      found.length > SHOWN_MAX && last !== undefined
        ? href('consoleSignals', { before: last.lastMs })
        : undefined,
  });
  return await visit.page({ title: 'Signals', main, section: 'console' });
}

async function postDismiss(visit: Visit): Promise<Response> {
  const id = visit.numberParam('id');
  const { memberId } = visit.signedIn();
  const by = { memberId, nowMs: visit.nowMs };
  if (id === undefined || !(await dismissSignal(visit.parts.sql, id, by))) {
    return await visit.notFound('Somebody dismissed it already.');
  }
  visit.parts.logger.info('A cheat signal was dismissed', { id, by: memberId });
  const text = 'Dismissed. When it happens again it is shown again.';
  return visit.redirect(href('consoleSignals'), { kind: 'good', text });
}

function signalsMain(view: {
  readonly csrf: string;
  readonly nowMs: number;
  readonly count: number;
  readonly signals: readonly NamedSignal[];
  readonly moreHref: string | undefined;
}): Html {
  const { csrf, nowMs, count, signals, moreHref } = view;
  const head = pageHead({
    title: 'Signals',
    lead: 'What honest clients seldom do. A signal proves nothing and bans nobody: look, ask, then decide.',
  });
  if (signals.length === 0) {
    const empty = emptyState({
      title: 'Nothing to look at',
      text: 'Transfers are looked over every ten minutes by the job cheat-signals.',
      action: linkButton({
        label: 'See the job',
        href: hrefTo('consoleJob', { name: 'cheat-signals' }),
      }),
    });
    return inConsole('signals', html`${head}${panel({ title: 'Signals', body: empty })}`);
  }
  const list = panel({
    title: 'Not looked at yet',
    aside: plural(count, 'signal'),
    flush: true,
    body: table({
      caption: 'Signals',
      isWide: true,
      rows: signals,
      columns: [
        { label: 'Signal', kind: 'title', cell: signalCell },
        { label: 'Member', cell: memberCell },
        { label: 'What was seen', cell: (one) => html`${signalSeen(one)} ${torrentCell(one)}` },
        { label: 'Times', kind: 'figure', cell: (one) => one.times },
        { label: 'Last', cell: (one) => timeAgo(one.lastMs, nowMs) },
        {
          label: 'Steer',
          kind: 'actions',
          cell: (one) =>
            postForm({
              action: hrefTo('consoleSignalDismiss', { id: one.id }),
              csrf,
              inline: true,
              body: submitButton({
                label: 'Dismiss',
                small: true,
                about: `${signalLabel(one.kind)}, ${one.member ?? ''}`,
              }),
            }),
        },
      ],
    }),
  });
  const more =
    moreHref === undefined
      ? NOTHING
      : html`<p>${linkButton({ label: 'Older ones', href: moreHref })}</p>`;
  return inConsole('signals', html`${head}<div class="stack">${list}${more}</div>`);
}

function signalCell({ kind }: NamedSignal): Html {
  return html`${signalLabel(kind)}<span class="under">Honest, if: ${signalHonest(kind)}</span>`;
}

function memberCell({ member, memberId }: NamedSignal): Html | string {
  if (member === undefined) return `member ${memberId}`;
  return html`<a href="${hrefTo('consoleMember', { name: member })}">${member}</a>`;
}

function torrentCell({ torrent }: NamedSignal): Html {
  if (torrent === undefined) return NOTHING;
  if (torrent.infoHash === undefined) return html`<span class="muted">${torrent.title}</span>`;
  return html`<a href="${hrefTo('torrent', { hash: torrent.infoHash })}">${torrent.title}</a>`;
}
