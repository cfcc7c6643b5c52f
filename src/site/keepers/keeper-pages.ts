// The console's page of keepers: who holds copies of what the archive keeps, and how well that is proven.
// They are added and removed on the command line, where their tokens are printed.

import { html } from 'hono/html';
import { type KeeperState, listKeepers } from '#archive/keepers/keeper-book.ts';
import { findMemberById } from '#site/accounts/members.ts';
import type { RouteHandlers } from '#site/admission.ts';
import { badge } from '#site/components/badge.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { bytes, timeAgo } from '#site/components/figures.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import { type Column, table } from '#site/components/table.ts';
import { inConsole } from '#site/console/console-views.ts';
import { formatCount } from '#site/format/number.ts';
import { hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';

/** Who was not seen for so long is away. */
const AWAY_MS = 3_600_000;

interface KeeperLine extends KeeperState {
  /** Undefined for a server. */
  readonly member: string | undefined;
}

async function showKeepers(visit: Visit): Promise<Response> {
  const { sql } = visit.parts;
  const lines: KeeperLine[] = [];
  for (const keeper of await listKeepers(sql)) {
    const member = keeper.memberId === 0 ? undefined : await findMemberById(sql, keeper.memberId);
    lines.push({ ...keeper, member: member?.name });
  }
  const main = inConsole('keepers', keepersMain(lines, visit.nowMs));
  return await visit.page({ title: 'Keepers', section: 'console', main });
}

function keepersMain(lines: readonly KeeperLine[], nowMs: number): Html {
  const head = pageHead({
    title: 'Keepers',
    lead: 'Members and other servers that hold copies of what the archive keeps, and prove it.',
  });
  if (lines.length === 0) {
    const text = html`<code>swarmkeep keeper add NAME</code> makes one and prints its token.`;
    return html`${head}${emptyState({ title: 'No keepers yet', text, icon: 'people' })}`;
  }
  const columns = columnsOf(nowMs);
  return html`${head}${table({ caption: 'Keepers', rows: lines, columns, isWide: true })}`;
}

function columnsOf(nowMs: number): readonly Column<KeeperLine>[] {
  const time = (ms: number): Html | string => (ms === 0 ? 'never' : timeAgo(ms, nowMs));
  return [
    {
      label: 'Keeper',
      kind: 'title',
      cell: ({ name, sealKey }) =>
        html`${name}${sealKey === null ? NOTHING : html` ${badge('plain', 'Sealed')}`}`,
    },
    {
      label: 'Whose',
      cell: ({ member }) =>
        member === undefined
          ? 'A server'
          : html`<a href="${hrefTo('member', { name: member })}">${member}</a>`,
    },
    { label: 'State', cell: (keeper) => stateOf(keeper, nowMs) },
    {
      label: 'Holds',
      kind: 'figure',
      cell: ({ heldBytes, heldCopies }) =>
        html`${bytes(heldBytes)} <span class="small muted">in ${formatCount(heldCopies)}</span>`,
    },
    { label: 'Room', kind: 'figure', cell: (keeper) => bytes(roomOf(keeper)) },
    { label: 'Shall fetch', kind: 'figure', cell: (keeper) => formatCount(keeper.wantedCopies) },
    { label: 'Failed', kind: 'figure', cell: (keeper) => formatCount(keeper.failedCopies) },
    {
      label: 'Unproven since',
      kind: 'figure',
      cell: ({ provenMs }) => (provenMs === undefined ? '–' : time(provenMs)),
    },
    { label: 'Last seen', kind: 'figure', cell: ({ seenMs }) => time(seenMs) },
  ];
}

/** What it offers, as far as it may. */
function roomOf({ offeredBytes, bytesMax }: KeeperLine): number {
  return Math.min(offeredBytes, bytesMax);
}

function stateOf({ seenMs, failedCopies }: KeeperLine, nowMs: number): Html {
  if (seenMs === 0) return badge('plain', 'Never seen');
  if (nowMs - seenMs > AWAY_MS) return badge('warn', 'Away');
  return failedCopies > 0 ? badge('warn', 'Failed some') : badge('good', 'Here');
}

export const keeperRoutes: RouteHandlers = {
  consoleKeepers: { GET: showKeepers },
};
