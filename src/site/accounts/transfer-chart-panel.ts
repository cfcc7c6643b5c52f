// The chart of what a member moved, with the way to other spans of time.

import { html } from 'hono/html';
import { type ChartDay, dayChart } from '#site/components/day-chart.ts';
import { attribute, type Html, NOTHING } from '#site/components/markup.ts';
import { panel } from '#site/components/panel.ts';
import { hrefTo } from '#site/routes.ts';
import { SPAN_WORDS, SPANS, type Span } from './transfer-chart.ts';

export interface ShownChart {
  readonly span: Span;
  /** None where the reader is shown none. */
  readonly days: readonly ChartDay[];
}

/** Nothing for who never moved anything. */
export function chartPanel(
  chart: ShownChart,
  of: { readonly name: string; readonly hasMoved: boolean },
): Html {
  const { span, days } = chart;
  const isEmpty = days.every((day) => day.givenBytes + day.takenBytes === 0);
  if (days.length === 0 || (isEmpty && !of.hasMoved)) return NOTHING;
  const links = SPANS.map((one) => {
    const href = `${hrefTo('member', { name: of.name }, { chart: one })}#chart`;
    const current = attribute('aria-current', one === span ? 'true' : undefined);
    return html`<li><a href="${href}"${current}>${SPAN_WORDS[one]}</a></li>`;
  });
  const spans = html`<nav aria-label="Time that the chart shows"><ul class="spans">${links}</ul></nav>`;
  const title = 'Given and taken over time';
  return panel({ title, id: 'chart', aside: spans, body: dayChart(days) });
}
