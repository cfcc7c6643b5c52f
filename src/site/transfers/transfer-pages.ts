// The console's page of what clients announced just now, and the stream of it for programs.

import { html } from 'hono/html';
import { TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import { type TorrentName, torrentNames } from '#site/accounts/history.ts';
import { memberNames } from '#site/accounts/members.ts';
import { findViewer } from '#site/accounts/sessions.ts';
import type { RouteHandlers } from '#site/admission.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { bytes, timeAgo } from '#site/components/figures.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { table } from '#site/components/table.ts';
import { inConsole } from '#site/console/console-views.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import { eventsOf, type TransferEvent, transferEvents } from './transfer-events.ts';

const SHOWN_MAX = 50;
/** Of the end of the log, to find those that moved something. */
const LOOKED_AT_MAX = 1000;

export const transferRoutes: RouteHandlers = {
  consoleTransfers: { GET: showTransfers },
  transferEvents: { GET: streamTransfers },
};

async function streamTransfers(visit: Visit): Promise<Response> {
  const { parts, viewer } = visit;
  const end = parts.streams.begin();
  if (end === undefined) {
    return refusal(503, 'STREAMS_FULL', `${parts.config.streamsMax} streams are open already`);
  }
  const resumed = visit.header('last-event-id');
  const from = startOf(resumed === '' ? visit.query('from') : resumed);
  if (from === undefined) {
    end();
    return refusal(400, 'FROM_INVALID', '`from` is an offset, `beginning` or `end`');
  }
  const token = visit.cookies.get('session');
  try {
    return await transferEvents(
      { log: parts.log, sql: parts.sql, withAddresses: parts.config.transferAddresses },
      {
        from,
        signal: visit.request.signal,
        ended: end,
        isAllowed: async () => {
          const now = await findViewer(parts, token);
          if (now === undefined || now.memberId !== viewer?.memberId) return false;
          return (await parts.roleBook.current()).holderMay(now, 'administer');
        },
      },
    );
  } catch (error) {
    end();
    const code = codeOf(error) ?? 'INTERNAL';
    const status =
      code === 'LOG_OFFSET_REMOVED' ? 410 : code === 'LOG_OFFSET_BEYOND_END' ? 416 : 503;
    return refusal(status, code, messageOf(error));
  }
}

function startOf(word: string): number | 'beginning' | 'end' | undefined {
  if (word === '' || word === 'end') return 'end';
  if (word === 'beginning') return 'beginning';
  return /^\d{1,15}$/.test(word) ? Number(word) : undefined;
}

function refusal(status: number, code: string, message: string): Response {
  return Response.json({ error: { code, message } }, { status });
}

async function showTransfers(visit: Visit): Promise<Response> {
  const { log, sql, config } = visit.parts;
  const { firstOffset, nextOffset } = await log.stats(TRANSFERS_TOPIC);
  const from = Math.max(firstOffset, nextOffset - LOOKED_AT_MAX);
  const { records } = await log.read(TRANSFERS_TOPIC, { from, recordsMax: LOOKED_AT_MAX });
  const world = { sql, withAddresses: config.transferAddresses };
  const events = (await eventsOf(world, records.slice(-SHOWN_MAX))).toReversed();
  const main = transfersMain({
    events,
    withAddresses: config.transferAddresses,
    members: await memberNames(
      sql,
      events.map((event) => event.memberId),
    ),
    torrents: await torrentNames(
      sql,
      events.map((event) => event.torrentId),
    ),
    nowMs: visit.nowMs,
  });
  return await visit.page({ title: 'Transfers', main, section: 'console' });
}

interface TransfersView {
  readonly events: readonly TransferEvent[];
  readonly withAddresses: boolean;
  readonly members: ReadonlyMap<number, string>;
  readonly torrents: ReadonlyMap<number, TorrentName>;
  readonly nowMs: number;
}

function transfersMain(view: TransfersView): Html {
  const head = pageHead({
    title: 'Transfers',
    lead: 'What clients announced last, and what of it counts. Load the page again for newer ones.',
  });
  const body =
    view.events.length === 0
      ? emptyState({
          title: 'No client has announced yet',
          text: 'A line appears here for each announce, a second after it came.',
        })
      : transfersTable(view);
  const stream = panel({
    title: 'For programs',
    body: html`<p>The same as a stream of server-sent events, for whoever is signed in as an admin: <code>${href('transferEvents')}</code>. It goes on where it was by <code>Last-Event-ID</code>. ${view.withAddresses ? 'Addresses are in it, but for protected members.' : 'No address is in it.'}</p>`,
  });
  const list = panel({ title: 'The last announces', body, flush: true });
  return inConsole('transfers', html`${head}<div class="stack">${list}${stream}</div>`);
}

function transfersTable({ events, withAddresses, members, torrents, nowMs }: TransfersView): Html {
  const who = (event: TransferEvent): Html | string => {
    const name = members.get(event.memberId);
    if (event.memberId === 0) return 'Nobody named';
    return name === undefined
      ? `Member ${event.memberId}`
      : html`<a href="${hrefTo('member', { name })}">${name}</a>`;
  };
  const what = (event: TransferEvent): Html | string => {
    const torrent = torrents.get(event.torrentId);
    if (torrent?.infoHash === undefined) return torrent?.title ?? `Torrent ${event.torrentId}`;
    return html`<a href="${hrefTo('torrent', { hash: torrent.infoHash })}">${torrent.title}</a>`;
  };
  const where = (event: TransferEvent): Html =>
    withAddresses && event.address !== undefined
      ? html` <span class="mono">${event.address}</span>`
      : NOTHING;
  const amount = (moved: number, counted: number): Html =>
    moved === counted
      ? bytes(moved)
      : html`${bytes(moved)}<div class="under">counts ${bytes(counted)}</div>`;
  return table({
    caption: 'The last announces, the newest first',
    rows: events,
    columns: [
      {
        label: 'Torrent',
        kind: 'title',
        cell: (event) =>
          html`${what(event)}<div class="under">${event.client} by ${event.door}${event.event === 'none' ? '' : `, ${event.event}`}${where(event)}</div>`,
      },
      { label: 'Member', cell: (event) => html`${who(event)}` },
      {
        label: 'Given',
        kind: 'figure',
        cell: (event) => amount(event.uploadedBytes, event.creditedUploadedBytes),
      },
      {
        label: 'Taken',
        kind: 'figure',
        cell: (event) => amount(event.downloadedBytes, event.creditedDownloadedBytes),
      },
      { label: 'When', kind: 'figure', cell: (event) => timeAgo(event.timeMs, nowMs) },
    ],
  });
}
