// Lines over time, drawn on the server. Where nothing was recorded the line is broken. The numbers
// stand in its label for those who read rather than look.

import { html } from 'hono/html';
import { formatDate } from '#site/format/time.ts';
import { type Html, NOTHING } from './markup.ts';

export interface ChartLine {
  readonly label: string;
  /** In order of time. */
  readonly points: readonly { readonly atMs: number; readonly value: number }[];
}

export interface LineChart {
  /** One or two lines; the first is drawn above the second. */
  readonly lines: readonly [ChartLine, ChartLine?];
  readonly fromMs: number;
  readonly toMs: number;
  /** Points further apart than this are not joined. */
  readonly gapMsMax: number;
  /** How a value is written. */
  readonly format: (value: number) => string;
}

const WIDTH = 480;
const HEIGHT = 96;

export function lineChart(chart: LineChart): Html {
  const { fromMs, toMs, format } = chart;
  const lines = chart.lines.filter((line) => line !== undefined);
  const most = Math.max(1, ...lines.flatMap((line) => line.points.map((point) => point.value)));
  const kinds = ['given', 'taken'] as const;
  const paths = lines.map(
    (line, at) => html`<path class="line ${kinds[at]!}" d="${pathOf(line, chart, most)}"></path>`,
  );
  const keys = lines.map((line, at) => {
    const last = line.points.at(-1);
    return html`<span class="key key-${kinds[at]!}"></span>${line.label} ${last === undefined ? '' : format(last.value)} `;
  });
  const summary = lines
    .map((line) => `${line.label}: at most ${format(highestOf(line))}.`)
    .join(' ');
  return html`<figure class="day-chart line-chart"><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${summary}" focusable="false"><path class="axis" d="M0 ${HEIGHT - 0.5}H${WIDTH}"></path>${paths.toReversed()}</svg><div class="day-chart-ends small muted"><span>${formatDate(fromMs)}</span><span>${formatDate(toMs)}</span></div><figcaption class="small">${keys}<span class="muted">highest ${format(most === 1 && highestOf(lines[0]!) === 0 ? 0 : most)}</span></figcaption></figure>`;
}

function highestOf({ points }: ChartLine): number {
  return Math.max(0, ...points.map((point) => point.value));
}

function pathOf({ points }: ChartLine, chart: LineChart, most: number): string | Html {
  const { fromMs, toMs, gapMsMax } = chart;
  let path = '';
  let beforeMs = Number.NEGATIVE_INFINITY;
  for (const { atMs, value } of points) {
    const x = ((atMs - fromMs) / Math.max(1, toMs - fromMs)) * WIDTH;
    const y = HEIGHT - 2 - (value / most) * (HEIGHT - 6);
    const isJoined = atMs - beforeMs <= gapMsMax;
    // A point alone is a short line, or it would not be seen.
    path += `${isJoined ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}${isJoined ? '' : 'h1'}`;
    beforeMs = atMs;
  }
  return path === '' ? NOTHING : path;
}
