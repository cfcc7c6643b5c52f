// Numbers over time, kept small: each series has a few steps (ten minutes, an hour, a day), each step
// is kept for a while, and a sample goes into the bucket of each. So a series has a bounded number of
// rows however long the site runs, fine ones for yesterday and coarse ones for last year.
//
//   seeders/<torrent>, leechers/<torrent>    one hour for 7 days, one day for 400 days
//   health/<name>                            ten minutes for 2 days, one hour for 30, one day for 400
//
// A sample has a time of its own, rounded by whoever takes it: writing it twice changes nothing.

import { sql as raw, type Transaction } from 'kysely';
import type { Sql } from '#sql/sql.ts';

export interface SeriesTables {
  series_point: {
    series: string;
    step_ms: number;
    /** Begin of the bucket, Unix milliseconds. */
    at_ms: number;
    /** Of the newest sample in it. */
    last_ms: number;
    samples: number;
    total: number;
    highest: number;
  };
}

export interface SeriesStep {
  readonly stepMs: number;
  readonly keptMs: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export const SAMPLE_MS: number = 10 * MINUTE_MS;
export const STEPS = {
  fine: { stepMs: SAMPLE_MS, keptMs: 2 * DAY_MS },
  hours: { stepMs: HOUR_MS, keptMs: 30 * DAY_MS },
  swarmHours: { stepMs: HOUR_MS, keptMs: 7 * DAY_MS },
  days: { stepMs: DAY_MS, keptMs: 400 * DAY_MS },
} as const satisfies Record<string, SeriesStep>;

/** Rows that one series may have at most, with what one more run leaves before it is pruned. */
export const SWARM_STEPS: readonly SeriesStep[] = [STEPS.swarmHours, STEPS.days];
export const HEALTH_STEPS: readonly SeriesStep[] = [STEPS.fine, STEPS.hours, STEPS.days];

export interface Sample {
  readonly series: string;
  /** A whole number, 0 to 2^53-1. */
  readonly value: number;
}

export interface SeriesPoint {
  readonly atMs: number;
  readonly mean: number;
  readonly highest: number;
}

const ROWS_AT_ONCE = 500;
const POINTS_MAX = 1000;

/** In the caller's transaction. A sample whose time is not newer than its bucket's last is ignored. */
export async function writeSamples<Tables>(
  transaction: Transaction<Tables>,
  samples: readonly Sample[],
  taken: { readonly atMs: number; readonly steps: readonly SeriesStep[] },
): Promise<void> {
  const tables = transaction as unknown as Transaction<SeriesTables>;
  const rows = samples.flatMap(({ series, value }) =>
    taken.steps.map(({ stepMs }) => ({
      series,
      step_ms: stepMs,
      at_ms: Math.floor(taken.atMs / stepMs) * stepMs,
      last_ms: taken.atMs,
      samples: 1,
      total: value,
      highest: value,
    })),
  );
  for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) {
    await tables
      .insertInto('series_point')
      .values(rows.slice(from, from + ROWS_AT_ONCE))
      .onConflict((conflict) =>
        conflict
          .columns(['series', 'step_ms', 'at_ms'])
          .doUpdateSet({
            last_ms: raw`excluded.last_ms`,
            samples: raw`series_point.samples + 1`,
            total: raw`series_point.total + excluded.total`,
            highest: raw`case when excluded.highest > series_point.highest then excluded.highest else series_point.highest end`,
          })
          .where(raw<boolean>`series_point.last_ms < excluded.last_ms`),
      )
      .execute();
  }
}

/** In order, at most 1,000; buckets without a sample are absent. */
export async function readSeries(
  sql: Sql,
  series: string,
  range: { readonly stepMs: number; readonly fromMs: number },
): Promise<readonly SeriesPoint[]> {
  const rows = await sql
    .read<SeriesTables>()
    .selectFrom('series_point')
    .selectAll()
    .where('series', '=', series)
    .where('step_ms', '=', range.stepMs)
    .where('at_ms', '>=', range.fromMs)
    .orderBy('at_ms')
    .limit(POINTS_MAX)
    .execute();
  return rows.map((row) => ({
    atMs: row.at_ms,
    mean: row.total / row.samples,
    highest: row.highest,
  }));
}

/** Lets buckets go that are older than their step is kept. Returns how many. */
export async function pruneSeries<Tables>(
  transaction: Transaction<Tables>,
  nowMs: number,
): Promise<number> {
  const tables = transaction as unknown as Transaction<SeriesTables>;
  const kept: readonly (readonly [series: string, SeriesStep])[] = [
    ['health/', STEPS.fine],
    ['health/', STEPS.hours],
    ['health/', STEPS.days],
    ['leechers/', STEPS.swarmHours],
    ['leechers/', STEPS.days],
    ['seeders/', STEPS.swarmHours],
    ['seeders/', STEPS.days],
  ];
  let removed = 0;
  for (const [prefix, { stepMs, keptMs }] of kept) {
    const { numDeletedRows } = await tables
      .deleteFrom('series_point')
      .where('step_ms', '=', stepMs)
      .where('at_ms', '<', nowMs - keptMs)
      // Everything that begins with the prefix: "0" is the character after "/".
      .where('series', '>=', prefix)
      .where('series', '<', `${prefix.slice(0, -1)}0`)
      .executeTakeFirst();
    removed += Number(numDeletedRows);
  }
  return removed;
}
