// Charts of the last days: of a torrent's swarm on its page, of the server on the console.

import { html } from 'hono/html';
import { lineChart } from '#site/components/line-chart.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { panel } from '#site/components/panel.ts';
import { formatBytes } from '#site/format/bytes.ts';
import { formatCount } from '#site/format/number.ts';
import type { Sql } from '#sql/sql.ts';
import { readSeries, type SeriesPoint, STEPS } from './series.ts';

const DAY_MS = 86_400_000;
const SWARM_DAYS = 7;
const HEALTH_DAYS = 2;

export interface SwarmHistory {
  readonly seeders: readonly SeriesPoint[];
  readonly leechers: readonly SeriesPoint[];
}

/** Hour by hour over the last week. */
export async function swarmHistory(
  sql: Sql,
  torrentId: number,
  nowMs: number,
): Promise<SwarmHistory> {
  const range = { stepMs: STEPS.swarmHours.stepMs, fromMs: nowMs - SWARM_DAYS * DAY_MS };
  const [seeders, leechers] = await Promise.all([
    readSeries(sql, `seeders/${torrentId}`, range),
    readSeries(sql, `leechers/${torrentId}`, range),
  ]);
  return { seeders, leechers };
}

export function swarmHistoryPanel(history: SwarmHistory, nowMs: number): Html {
  if (history.seeders.length === 0) return NOTHING;
  const chart = lineChart({
    lines: [
      { label: 'Seeders', points: meansOf(history.seeders) },
      { label: 'Leechers', points: meansOf(history.leechers) },
    ],
    fromMs: nowMs - SWARM_DAYS * DAY_MS,
    toMs: nowMs,
    gapMsMax: 1.5 * STEPS.swarmHours.stepMs,
    format: (value) => formatCount(Math.round(value)),
  });
  return panel({ title: 'The swarm over a week', body: chart, id: 'history' });
}

/** What is shown of the server's health, in this order. */
const HEALTH: readonly (readonly [name: string, label: string, isBytes: boolean])[] = [
  ['peers', 'Peers', false],
  ['announces', 'Announces a minute', false],
  ['ledger-lag', 'Ledger behind, records', false],
  ['memory', 'Memory', true],
];

export type HealthHistory = ReadonlyMap<string, readonly SeriesPoint[]>;

/** Ten minutes by ten minutes over the last two days. */
export async function healthHistory(sql: Sql, nowMs: number): Promise<HealthHistory> {
  const range = { stepMs: STEPS.fine.stepMs, fromMs: nowMs - HEALTH_DAYS * DAY_MS };
  const read = HEALTH.map(
    async ([name]) => [name, await readSeries(sql, `health/${name}`, range)] as const,
  );
  return new Map(await Promise.all(read));
}

export function healthPanel(history: HealthHistory, nowMs: number): Html {
  const charts = HEALTH.flatMap(([name, label, isBytes]) => {
    const points = history.get(name) ?? [];
    if (points.length === 0) return [];
    const chart = lineChart({
      lines: [{ label, points: highestsOf(points) }],
      fromMs: nowMs - HEALTH_DAYS * DAY_MS,
      toMs: nowMs,
      gapMsMax: 1.5 * STEPS.fine.stepMs,
      format: isBytes ? formatBytes : (value) => formatCount(Math.round(value)),
    });
    return [chart];
  });
  if (charts.length === 0) return NOTHING;
  return panel({ title: 'The last two days', body: html`<div class="charts">${charts}</div>` });
}

function meansOf(points: readonly SeriesPoint[]) {
  return points.map(({ atMs, mean }) => ({ atMs, value: mean }));
}

function highestsOf(points: readonly SeriesPoint[]) {
  return points.map(({ atMs, highest }) => ({ atMs, value: highest }));
}
