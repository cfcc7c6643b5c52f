// "Test my port": a member sees which of their clients others can reach.

import { html } from 'hono/html';
import { badge } from '#site/components/badge.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { postForm } from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { notice } from '#site/components/notice.ts';
import { pageHead } from '#site/components/page-head.ts';
import { table } from '#site/components/table.ts';
import { clientName } from '#site/format/client.ts';
import { href } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import type { PortTest } from './port-tests.ts';

const PEERS_MAX = 100;

const RESULTS = {
  open: badge('good', 'Reachable'),
  refused: badge('bad', 'Refused'),
  silent: badge('bad', 'No answer'),
  private: badge('warn', 'Private address'),
} as const;

export async function showPortTest(visit: Visit): Promise<Response> {
  return await page(visit, undefined);
}

/** The results are shown in the answer itself: a page that is loaded again tries nothing. */
export async function postPortTest(visit: Visit): Promise<Response> {
  const { memberId } = visit.signedIn();
  const peers = visit.parts.swarms.peersOfMember(memberId, PEERS_MAX);
  return await page(visit, await visit.parts.portTests.test(memberId, peers));
}

async function page(
  visit: Visit,
  result: readonly PortTest[] | number | undefined,
): Promise<Response> {
  const head = pageHead({
    title: 'Test my port',
    lead: 'The server tries to connect to each of your active clients, as other members do. Who cannot be reached still downloads and gives, but only with those who can.',
  });
  const button = postForm({
    action: href('portTest'),
    csrf: visit.csrfToken,
    body: submitButton({ label: 'Test now' }),
  });
  return await visit.page({
    title: 'Test my port',
    main: html`${head}${resultOf(result)}${button}`,
    section: 'me',
    ...(typeof result === 'number' ? { status: 429 } : {}),
  });
}

function resultOf(result: readonly PortTest[] | number | undefined): Html {
  if (result === undefined) return NOTHING;
  if (typeof result === 'number') {
    const minutes = Math.max(1, Math.ceil(result / 60_000));
    const unit = minutes === 1 ? 'minute' : 'minutes';
    return notice('warn', `That is often enough for now: try again in ${minutes} ${unit}.`);
  }
  if (result.length === 0) {
    return emptyState({
      title: 'No client is active',
      text: 'Open a torrent in your client. Once it has announced, its port can be tried.',
      icon: 'up',
      action: linkButton({ label: 'Look at torrents', href: href('torrents') }),
    });
  }
  return table({
    caption: 'Your clients',
    rows: result,
    columns: [
      { label: 'Client', kind: 'title', cell: ({ peer }) => clientName(peer.peerId) },
      {
        label: 'Address',
        cell: ({ address, port }) => html`<span class="mono">${address} ${port}</span>`,
      },
      { label: 'Result', cell: (test) => RESULTS[test.result] },
    ],
  });
}
