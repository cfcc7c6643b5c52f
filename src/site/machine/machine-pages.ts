// The console's pages of stores and of nodes.

import { html } from 'hono/html';
import { codeOf, messageOf } from '#base/errors.ts';
import type { RouteHandlers } from '#site/admission.ts';
import { badge } from '#site/components/badge.ts';
import { linkButton } from '#site/components/button.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { facts } from '#site/components/facts.ts';
import { bytes, timeAgo } from '#site/components/figures.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { notice } from '#site/components/notice.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { table } from '#site/components/table.ts';
import { inConsole } from '#site/console/console-views.ts';
import { formatBytes } from '#site/format/bytes.ts';
import { formatCount, plural } from '#site/format/number.ts';
import { formatDuration } from '#site/format/time.ts';
import { hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import type { JobRunView } from '#site/world.ts';
import type { NodeNow, StoreNow, StoresNow } from './machine.ts';

/** What reads everything that is kept and hashes it. */
export const SCRUB_JOB = 'archive-scrub';

export const machineRoutes: RouteHandlers = {
  consoleStores: { GET: showStores },
  consoleNodes: { GET: showNodes },
};

/** The last run of the scrub; undefined before the first. */
export async function lastScrub({ parts }: Visit): Promise<JobRunView | undefined> {
  const views = await parts.jobs.views();
  return views.find(({ name }) => name === SCRUB_JOB)?.lastRun;
}

async function showStores(visit: Visit): Promise<Response> {
  const now = await storesOf(visit);
  const scrub = await lastScrub(visit);
  const body = typeof now === 'string' ? awayMain(now) : storesMain(now, scrub, visit.nowMs);
  const main = inConsole('stores', body);
  return await visit.page({ title: 'Stores', main, section: 'console' });
}

/** In words, when they cannot be told of. */
async function storesOf({ parts }: Visit): Promise<StoresNow | string> {
  if (parts.machine === undefined) return 'This site does not know its stores.';
  try {
    return await parts.machine.stores();
  } catch (error) {
    return `The store cannot be used: ${messageOf(error)} (${codeOf(error) ?? 'no code'}).`;
  }
}

function awayMain(why: string): Html {
  const head = pageHead({ title: 'Stores', lead: 'Where content lies.' });
  return html`${head}<div class="flashes">${notice('bad', why)}</div>`;
}

function storesMain(now: StoresNow, scrub: JobRunView | undefined, nowMs: number): Html {
  const { stores, findings } = now;
  const head = pageHead({
    title: 'Stores',
    lead: storesVerdict(now),
    actions: linkButton({ label: 'Scrub', href: hrefTo('consoleJob', { name: SCRUB_JOB }) }),
  });
  const wrong =
    findings.length === 0
      ? NOTHING
      : html`<div class="flashes">${findings.map(({ what, advice }) => notice('bad', html`<strong>${what}</strong>${advice}`))}</div>`;
  const about = panel({
    title: 'How they stand together',
    body: facts([
      { term: 'Stack', value: html`<code>${now.stack}</code>` },
      { term: 'Counted', value: timeAgo(now.countedMs, nowMs) },
      { term: 'Last scrub', value: scrubWords(scrub, nowMs) },
    ]),
  });
  const list = panel({ title: 'Store by store', body: storeTable(stores), flush: true });
  return html`${head}${wrong}<div class="stack">${list}${about}</div>`;
}

function storesVerdict({ stores, findings }: StoresNow): string {
  if (findings.length > 0) return `${plural(findings.length, 'thing')} to look after.`;
  const count = plural(stores.length, 'store');
  return `${count}. Nothing is known to be missing or damaged.`;
}

function scrubWords(scrub: JobRunView | undefined, nowMs: number): Html {
  if (scrub === undefined) return html`never`;
  return html`${timeAgo(scrub.endedMs ?? scrub.startedMs, nowMs)}: ${scrub.summary}`;
}

function storeTable(stores: readonly StoreNow[]): Html {
  return table({
    caption: 'Stores at the bottom of the stack',
    rows: stores,
    columns: [
      { label: 'Store', kind: 'title', cell: (one) => html`<code>${one.name}</code>` },
      { label: 'Kind', cell: (one) => (one.isCopy ? `${one.kind}, a copy` : one.kind) },
      {
        label: 'Blobs',
        kind: 'figure',
        cell: (one) => (one.counts === undefined ? 'not counted' : formatCount(one.counts.blobs)),
      },
      {
        label: 'Content',
        kind: 'figure',
        cell: ({ counts }) => (counts === undefined ? 'not counted' : bytes(counts.bytes)),
      },
      {
        label: 'On the medium',
        kind: 'figure',
        cell: ({ counts }) => (counts === undefined ? 'not counted' : bytes(counts.storedBytes)),
      },
      {
        label: 'Free',
        kind: 'figure',
        cell: ({ freeBytes }) => (freeBytes === undefined ? 'not known' : bytes(freeBytes)),
      },
      { label: 'State', cell: stateBadge },
    ],
  });
}

function stateBadge({ damagedPlaces, wrongBlobs, counts }: StoreNow): Html {
  if (damagedPlaces > 0) return badge('bad', plural(damagedPlaces, 'damaged place'));
  if (wrongBlobs > 0) return badge('bad', plural(wrongBlobs, 'wrong blob'));
  return counts === undefined ? badge('warn', 'No answer') : badge('good', 'Whole');
}

async function showNodes(visit: Visit): Promise<Response> {
  const nodes = (await visit.parts.machine?.nodes()) ?? [];
  const head = pageHead({
    title: 'Nodes',
    lead: `${plural(nodes.length, 'node')} serving this community.`,
  });
  const list =
    nodes.length === 0
      ? emptyState({ title: 'Nothing is known', text: 'This site does not know its nodes.' })
      : html`<div class="stack">${nodes.map((node) => nodePanel(node, visit.nowMs))}</div>`;
  const main = inConsole('nodes', html`${head}${list}`);
  return await visit.page({ title: 'Nodes', main, section: 'console' });
}

function nodePanel(node: NodeNow, nowMs: number): Html {
  const { lag } = node;
  const doors = node.doors.map((door) => html`<li><code>${door}</code></li>`);
  const late = `${formatLag(lag.p99Ms)} for all but 1 in 100, at most ${formatLag(lag.maxMs)}`;
  const body = facts([
    { term: 'Version', value: `Swarmkeep ${node.version}, ${node.runtime}` },
    { term: 'Up for', value: formatDuration(nowMs - node.startedMs) },
    { term: 'Roles', value: node.roles.join(', ') },
    { term: 'Doors', value: html`<ul class="plain">${doors}</ul>` },
    { term: 'Sockets', value: node.sockets.replace(/^sockets: /, '') },
    { term: 'Memory', value: formatBytes(node.memoryBytes) },
    { term: 'Late by', value: `${late}, over ${formatDuration(nowMs - lag.sinceMs)}` },
  ]);
  return panel({ title: node.name, aside: node.isThis ? 'this one' : '', body });
}

function formatLag(lagMs: number): string {
  return `${lagMs < 10 ? lagMs.toFixed(1) : Math.round(lagMs)} ms`;
}
