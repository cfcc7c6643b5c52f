// A member's days added up, for charts over any time: as many sums as are asked for, however many days
// there are.

import { sql as raw } from 'kysely';
import { assert } from '#base/assert.ts';
import { integerSum } from '#sql/dialect.ts';
import type { Sql } from '#sql/sql.ts';
import type { LedgerTables } from './ledger/ledger-tables.ts';

export interface DaySum {
  /** From 0: the days from `from + at * step` on, `step` of them. */
  readonly at: number;
  readonly uploadedBytes: number;
  readonly downloadedBytes: number;
}

export interface DaySpan {
  /** Days since 1970, UTC; both are within. */
  readonly from: number;
  readonly through: number;
  /** Days that are one sum. */
  readonly step: number;
}

const SUMS_MAX = 1000;

/** In order, what really moved; sums without a transfer are left out. */
export async function memberDaySums(
  sql: Sql,
  memberId: number,
  { from, through, step }: DaySpan,
): Promise<readonly DaySum[]> {
  assert(step >= 1 && (through - from) / step < SUMS_MAX, 'sums are bounded');
  // Whole numbers in the text itself, so that both databases divide without a rest.
  const at = raw<number>`(day - ${raw.lit(from)}) / ${raw.lit(step)}`;
  const rows = await sql
    .read<LedgerTables>()
    .selectFrom('ledger_day')
    .select((of) => [
      at.as('at'),
      integerSum(of.ref('uploaded_bytes')).as('uploaded'),
      integerSum(of.ref('downloaded_bytes')).as('downloaded'),
    ])
    .where('member_id', '=', memberId)
    .where('day', '>=', from)
    .where('day', '<=', through)
    .groupBy(at)
    .orderBy('at')
    .execute();
  return rows.map((row) => ({
    at: Number(row.at),
    uploadedBytes: row.uploaded ?? 0,
    downloadedBytes: row.downloaded ?? 0,
  }));
}

/** The first day of a member that is kept; undefined before any. */
export async function firstDay(sql: Sql, memberId: number): Promise<number | undefined> {
  const row = await sql
    .read<LedgerTables>()
    .selectFrom('ledger_day')
    .select('day')
    .where('member_id', '=', memberId)
    .orderBy('day')
    .limit(1)
    .executeTakeFirst();
  return row?.day;
}
