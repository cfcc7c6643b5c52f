// The archive as the operator sees it: what it keeps, how healthy that is, what it still looks for, and
// who holds copies.

import { html } from 'hono/html';
import { type ArchiveHealth, archiveHealth } from '#archive/catalogue/archive-health.ts';
import { wantedTorrents } from '#archive/catalogue/wanted-torrents.ts';
import { torrentNames } from '#site/accounts/history.ts';
import { linkButton } from '#site/components/button.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { stats } from '#site/components/facts.ts';
import { bytes, timeAgo } from '#site/components/figures.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { table } from '#site/components/table.ts';
import { formatCount, plural } from '#site/format/number.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import { inConsole } from './console-views.ts';

const WANTED_MAX = 100;

export async function showArchive(visit: Visit): Promise<Response> {
  const { sql } = visit.parts;
  const [health, wanted, keepers] = await Promise.all([
    archiveHealth(sql),
    wantedTorrents(sql, WANTED_MAX),
    countKeepers(visit),
  ]);
  const names = await torrentNames(
    sql,
    wanted.map((one) => one.torrentId),
  );
  const head = pageHead({
    title: 'Archive',
    lead: verdict(health),
    actions: linkButton({
      label: 'Check now',
      href: hrefTo('consoleJob', { name: 'archive-scrub' }),
    }),
  });
  const list =
    wanted.length === 0
      ? NOTHING
      : panel({
          title: 'Still being taken in',
          flush: true,
          body: table({
            caption: 'Torrents that the archive looks for',
            rows: wanted,
            columns: [
              {
                label: 'Torrent',
                kind: 'title',
                cell: (one) => names.get(one.torrentId)?.title ?? `torrent ${one.torrentId}`,
              },
              {
                label: 'Looked for',
                kind: 'figure',
                cell: (one) => timeAgo(one.wantedMs, visit.nowMs),
              },
            ],
          }),
        });
  const nothing =
    health.files > 0
      ? NOTHING
      : emptyState({
          title: 'The archive keeps nothing yet',
          text: html`Put content in with <code>swarmkeep put</code>, or let it take a torrent from its swarm with <code>swarmkeep torrent keep</code>.`,
          action: linkButton({ label: 'Upload content', href: href('contribute') }),
        });
  const body = html`${head}<div class="stack">${figures(health, keepers, visit.nowMs)}${nothing}${list}</div>`;
  const main = inConsole('archive', body);
  return await visit.page({ title: 'Archive', main, section: 'console' });
}

function verdict({ files, damagedFiles }: ArchiveHealth): string {
  if (files === 0) return 'It is empty.';
  if (damagedFiles === 0) return `All ${plural(files, 'file')} are whole, as far as was checked.`;
  return `${plural(damagedFiles, 'file')} with damage. Copies and swarms are asked for what is missing.`;
}

function figures(health: ArchiveHealth, keepers: number, nowMs: number): Html {
  const { files, bytes: kept, damagedFiles, damagedSegments, checkedMs } = health;
  return stats([
    { label: 'Files', value: formatCount(files) },
    { label: 'Content', value: bytes(kept) },
    {
      label: 'Damaged',
      value: formatCount(damagedFiles),
      note: plural(damagedSegments, 'segment'),
    },
    {
      label: 'Longest unproven',
      value: checkedMs === undefined ? 'never' : timeAgo(checkedMs, nowMs),
      note: 'when the file that waits longest was checked',
    },
    { label: 'Keepers', value: formatCount(keepers), note: 'members who hold copies' },
  ]);
}

async function countKeepers({ parts }: Visit): Promise<number> {
  const row = await parts.sql
    .read<{ archive_keeper: { id: number } }>()
    .selectFrom('archive_keeper')
    .select((of) => of.fn.countAll<number>().as('rows'))
    .executeTakeFirstOrThrow();
  return row.rows;
}
