// Bars per day, or per week and more where the time is long, drawn on the server: what was given above the
// line, what was taken below it. The same numbers stand in a table below, for those who read rather than
// look.

import { html } from 'hono/html';
import { formatBytes } from '#site/format/bytes.ts';
import { formatDate } from '#site/format/time.ts';
import { bytes } from './figures.ts';
import { type Html, NOTHING } from './markup.ts';
import { table } from './table.ts';

export interface ChartDay {
  /** Midnight UTC of the first day, Unix milliseconds. */
  readonly dayMs: number;
  /** Days that are one bar; all bars of a chart have as many. */
  readonly days: number;
  readonly givenBytes: number;
  readonly takenBytes: number;
}

const DAY_MS = 86_400_000;
const HEIGHT = 120;
const BAR = 8;
const GAP = 4;
/** A day with a byte is seen, however small beside the others. */
const BAR_HEIGHT_MIN = 1.5;

/** `days` are in order and without holes; there is at least one. */
export function dayChart(days: readonly ChartDay[]): Html {
  const given = days.reduce((sum, day) => sum + day.givenBytes, 0);
  const taken = days.reduce((sum, day) => sum + day.takenBytes, 0);
  const most = Math.max(1, ...days.map((day) => Math.max(day.givenBytes, day.takenBytes)));
  const width = days.length * (BAR + GAP) - GAP;
  const middle = HEIGHT / 2;
  const bars = days.map((day, at) => {
    const x = at * (BAR + GAP);
    const up = heightOf(day.givenBytes, most, middle);
    const down = heightOf(day.takenBytes, most, middle);
    const title = `${dayWords(day)}: given ${formatBytes(day.givenBytes)}, taken ${formatBytes(day.takenBytes)}`;
    return html`<g><title>${title}</title><rect class="hit" x="${x - GAP / 2}" y="0" width="${BAR + GAP}" height="${HEIGHT}"></rect>${bar('given', x, middle - up, up)}${bar('taken', x, middle, down)}</g>`;
  });
  const summary = `Over ${days.reduce((sum, day) => sum + day.days, 0)} days: given ${formatBytes(given)}, taken ${formatBytes(taken)}.`;
  const first = days[0]!;
  const last = days.at(-1)!;
  return html`<figure class="day-chart"><svg viewBox="0 0 ${width} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${summary}" focusable="false">${bars}<path class="axis" d="M0 ${middle}H${width}"></path></svg><div class="day-chart-ends small muted"><span>${formatDate(first.dayMs)}</span><span>${formatDate(lastDayMs(last))}</span></div><figcaption class="small"><span class="key key-given"></span>Given ${formatBytes(given)} <span class="key key-taken"></span>Taken ${formatBytes(taken)} <span class="muted">highest ${stepWords(first)} ${formatBytes(most === 1 ? 0 : most)}</span></figcaption></figure>${dayTable(days)}`;
}

function lastDayMs({ dayMs, days }: ChartDay): number {
  return dayMs + (days - 1) * DAY_MS;
}

function dayWords(day: ChartDay): string {
  const from = formatDate(day.dayMs);
  return day.days === 1 ? from : `${from} to ${formatDate(lastDayMs(day))}`;
}

function stepWords({ days }: ChartDay): string {
  if (days === 1) return 'day';
  return days === 7 ? 'week' : `${days} days`;
}

function heightOf(value: number, most: number, room: number): number {
  return value === 0 ? 0 : Math.max(BAR_HEIGHT_MIN, (value / most) * room);
}

function bar(kind: 'given' | 'taken', x: number, y: number, height: number): Html {
  if (height === 0) return NOTHING;
  return html`<rect class="${kind}" x="${x}" y="${y.toFixed(1)}" width="${BAR}" height="${height.toFixed(1)}"></rect>`;
}

function dayTable(days: readonly ChartDay[]): Html {
  const rows = days.filter((day) => day.givenBytes + day.takenBytes > 0).toReversed();
  if (rows.length === 0) return NOTHING;
  return html`<details><summary>In figures</summary>${table({
    caption: 'Given and taken over time',
    rows,
    columns: [
      { label: 'Day', kind: 'title', cell: dayWords },
      { label: 'Given', kind: 'figure', cell: (day) => bytes(day.givenBytes) },
      { label: 'Taken', kind: 'figure', cell: (day) => bytes(day.takenBytes) },
    ],
  })}</details>`;
}
