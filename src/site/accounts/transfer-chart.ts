// What a member moved over 30 days, 90, a year, or all that is kept: at most so many bars however long
// that is, each of a day, a week, or more.

import { firstDay, memberDaySums } from '#accounting/day-sums.ts';
import { dayOf } from '#accounting/ledger/ledger-days.ts';
import type { ChartDay } from '#site/components/day-chart.ts';
import type { Sql } from '#sql/sql.ts';

export const SPANS = ['30', '90', 'year', 'all'] as const;
export type Span = (typeof SPANS)[number];

export const SPAN_WORDS: Readonly<Record<Span, string>> = {
  30: '30 days',
  90: '90 days',
  year: 'A year',
  all: 'All of it',
};

const YEAR_DAYS = 365;
const WEEK_DAYS = 7;
const BARS_MAX = 90;
const DAY_MS = 86_400_000;

/** The first one unless the text names another. */
export function spanOf(text: string): Span {
  return SPANS.find((span) => span === text) ?? SPANS[0];
}

/** What the member really moved, oldest first, without holes. */
export async function transferChart(
  sql: Sql,
  memberId: number,
  asked: { readonly span: Span; readonly nowMs: number },
): Promise<readonly ChartDay[]> {
  const through = dayOf(asked.nowMs);
  const first = asked.span === 'all' ? await firstDay(sql, memberId) : undefined;
  const days = lengthOf(asked.span, through - (first ?? through) + 1);
  const step = days <= BARS_MAX ? 1 : WEEK_DAYS * Math.ceil(days / WEEK_DAYS / BARS_MAX);
  const bars = Math.ceil(days / step);
  const from = through - bars * step + 1;
  const sums = await memberDaySums(sql, memberId, { from, through, step });
  const known = new Map(sums.map((sum) => [sum.at, sum]));
  return Array.from({ length: bars }, (_, at) => ({
    dayMs: (from + at * step) * DAY_MS,
    days: step,
    givenBytes: known.get(at)?.uploadedBytes ?? 0,
    takenBytes: known.get(at)?.downloadedBytes ?? 0,
  }));
}

/** Never less than the shortest one: a chart of one bar says nothing. */
function lengthOf(span: Span, keptDays: number): number {
  switch (span) {
    case 'year':
      return YEAR_DAYS;
    case 'all':
      return Math.max(Number(SPANS[0]), keptDays);
    default:
      return Number(span);
  }
}
