// What the archive says of a torrent it keeps: whether all of it is there, and how lately that was proven.

import { html } from 'hono/html';
import type { ArchiveHealth } from '#archive/catalogue/archive-health.ts';
import type { WantedTorrent } from '#archive/catalogue/wanted-torrents.ts';
import { type Health, healthMark } from '#site/components/badge.ts';
import { linkButton } from '#site/components/button.ts';
import { facts } from '#site/components/facts.ts';
import { bytesBoth, timeBoth } from '#site/components/figures.ts';
import { icon } from '#site/components/icon.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { panel } from '#site/components/panel.ts';
import { plural } from '#site/format/number.ts';
import { href } from '#site/routes.ts';

/** What the archive has to do with a torrent. */
export interface Keeping {
  /** Undefined when it is not kept. */
  readonly health: ArchiveHealth | undefined;
  /** Undefined when it is not wanted, or kept by now. */
  readonly wanted: WantedTorrent | undefined;
  /** Where it is taken from the archive; undefined when the reader cannot. */
  readonly download?: { readonly href: string; readonly label: string } | undefined;
  /** Where the reader makes a link for others; undefined when they may not. */
  readonly shareHref?: string | undefined;
}

/** Nothing when it is neither kept nor wanted. */
export function archivePanel(keeping: Keeping, nowMs: number): Html {
  const { health, wanted } = keeping;
  if (health === undefined) return wanted === undefined ? NOTHING : wantedPanel(wanted, nowMs);
  const { damagedSegments: damaged, damagedFiles, checkedMs } = health;
  const state: Health =
    damaged === 0 ? { kind: 'good', word: 'Kept whole' } : { kind: 'bad', word: 'Damaged' };
  const words =
    damaged === 0
      ? 'Clients that find no peer are given it by the archive.'
      : `${plural(damaged, 'part')} of ${plural(damagedFiles, 'file')} cannot be read and will not be given until healed.`;
  const body = html`<p>${healthMark(state)}</p><p>${words}</p>${facts([
    { term: 'Kept', value: bytesBoth(health.bytes) },
    ...(checkedMs === undefined
      ? []
      : [{ term: 'Last proven', value: timeBoth(checkedMs, nowMs) }]),
  ])}${ways(keeping)}`;
  return panel({ title: 'Archive', body });
}

function ways({ download, shareHref }: Keeping): Html {
  if (download === undefined) return NOTHING;
  const { href: to, label } = download;
  return html`<div class="row">${linkButton({ label: html`${icon('down')} ${label}`, href: to })}${shareHref === undefined ? NOTHING : linkButton({ label: 'Share', href: shareHref })}</div><p class="small">For slow lines a client is better: it goes on where it stopped. <a href="${href('webDav')}">Open the archive as a disk</a></p>`;
}

function wantedPanel({ problem, wantedMs }: WantedTorrent, nowMs: number): Html {
  const state: Health =
    problem === ''
      ? { kind: 'warn', word: 'Being taken in' }
      : { kind: 'bad', word: 'Cannot be taken in' };
  const words =
    problem === ''
      ? 'The archive downloads it from whoever has it. Until it has all of it, stay and seed.'
      : problem;
  const body = html`<p>${healthMark(state)}</p><p>${words}</p>${facts([
    { term: 'Wanted since', value: timeBoth(wantedMs, nowMs) },
  ])}`;
  return panel({ title: 'Archive', body });
}
