// What the archive says of a torrent it keeps: whether all of it is there, and how lately that was proven.

import { html } from 'hono/html';
import type { ArchiveHealth } from '#archive/catalogue/archive-health.ts';
import { type Health, healthMark } from '#site/components/badge.ts';
import { facts } from '#site/components/facts.ts';
import { bytesBoth, timeBoth } from '#site/components/figures.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { panel } from '#site/components/panel.ts';
import { plural } from '#site/format/number.ts';

/** Nothing when it is not kept. */
export function archivePanel(health: ArchiveHealth | undefined, nowMs: number): Html {
  if (health === undefined) return NOTHING;
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
  ])}`;
  return panel({ title: 'Archive', body });
}
