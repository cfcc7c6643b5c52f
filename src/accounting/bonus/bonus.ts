// The ledger of bonus points. An entry and the balance move in one transaction, an entry is made once
// for its name, and nobody spends what they do not have.

import type { Insertable, Transaction } from 'kysely';
import { insertColumns, type RowColumn } from '#sql/row-columns.ts';
import type { Sql } from '#sql/sql.ts';
import type { BonusTables } from './bonus-tables.ts';

export const BONUS_KINDS = ['seeding', 'token', 'keeping', 'bounty', 'request'] as const;
export type BonusKind = (typeof BONUS_KINDS)[number];

export interface BonusEntry {
  readonly memberId: number;
  readonly atMs: number;
  /** Thousandths of a point; spendings are negative. */
  readonly milliPoints: number;
  readonly kind: BonusKind;
  /** Of two entries with the same, a member gets the first. */
  readonly once: string;
}

export interface KnownEntry extends Omit<BonusEntry, 'once'> {
  readonly id: number;
}

/** Grants what was not granted before; returns how many were new. */
export async function grantBonus(
  transaction: Transaction<BonusTables>,
  entries: readonly BonusEntry[],
): Promise<number> {
  let granted = 0;
  for (const entry of entries) {
    if (!(await insertEntry(transaction, entry))) continue;
    granted++;
    const { memberId: member_id, milliPoints: milli_points } = entry;
    await transaction
      .insertInto('bonus_balance')
      .values({ member_id, milli_points })
      .onConflict((conflict) =>
        conflict.column('member_id').doUpdateSet((of) => ({
          milli_points: of('bonus_balance.milli_points', '+', milli_points),
        })),
      )
      .execute();
  }
  return granted;
}

/** The seed time that a member is paid for. */
export interface SeedingPay {
  readonly entry: BonusEntry;
  readonly torrents: readonly { readonly torrentId: number; readonly paidSeconds: number }[];
}

/**
 * Grants points for seed time, and notes what is paid: both or neither, for each member. Who has the
 * entry already is left for the next one. Returns how many were granted any.
 */
export async function paySeeding(
  transaction: Transaction<BonusTables>,
  pays: readonly SeedingPay[],
): Promise<number> {
  let granted = 0;
  const paid: { memberId: number; torrentId: number; paidSeconds: number }[] = [];
  for (const { entry, torrents } of pays) {
    const { memberId, milliPoints } = entry;
    if (milliPoints > 0 && (await grantBonus(transaction, [entry])) === 0) continue;
    if (milliPoints > 0) granted++;
    for (const torrent of torrents) paid.push({ memberId, ...torrent });
  }
  const column = (name: string, read: (row: (typeof paid)[number]) => number): RowColumn => ({
    ...{ name, type: 'bigint' },
    values: Float64Array.from(paid, read),
  });
  await insertColumns(transaction, {
    table: 'bonus_seeding',
    columns: [
      column('member_id', (row) => row.memberId),
      column('torrent_id', (row) => row.torrentId),
      column('paid_seconds', (row) => row.paidSeconds),
    ],
    onConflict: '(member_id, torrent_id) do update set paid_seconds = excluded.paid_seconds',
  });
  return granted;
}

/**
 * Takes `milliPoints` (above 0) from the balance. False, and nothing was written, when there is less,
 * or the same was spent already: then the transaction must not go on as if it were paid.
 */
export async function spendBonus(
  transaction: Transaction<BonusTables>,
  spending: BonusEntry,
): Promise<boolean> {
  const { memberId, milliPoints } = spending;
  const { numUpdatedRows } = await transaction
    .updateTable('bonus_balance')
    .set((of) => ({ milli_points: of('milli_points', '-', milliPoints) }))
    .where('member_id', '=', memberId)
    .where('milli_points', '>=', milliPoints)
    .executeTakeFirst();
  if (numUpdatedRows !== 1n) return false;
  if (await insertEntry(transaction, { ...spending, milliPoints: -milliPoints })) return true;
  await transaction
    .updateTable('bonus_balance')
    .set((of) => ({ milli_points: of('milli_points', '+', milliPoints) }))
    .where('member_id', '=', memberId)
    .execute();
  return false;
}

/** In thousandths of a point. */
export async function bonusBalance(sql: Sql, memberId: number): Promise<number> {
  const row = await sql
    .read<BonusTables>()
    .selectFrom('bonus_balance')
    .select('milli_points')
    .where('member_id', '=', memberId)
    .executeTakeFirst();
  return row?.milli_points ?? 0;
}

/** Newest first, before an id when one is given. */
export async function bonusEntries(
  sql: Sql,
  memberId: number,
  page: { readonly limit: number; readonly before?: number },
): Promise<readonly KnownEntry[]> {
  let query = sql
    .read<BonusTables>()
    .selectFrom('bonus_entry')
    .selectAll()
    .where('member_id', '=', memberId)
    .orderBy('id', 'desc')
    .limit(page.limit);
  if (page.before !== undefined) query = query.where('id', '<', page.before);
  return (await query.execute()).map((row) => ({
    id: row.id,
    memberId: row.member_id,
    atMs: row.at_ms,
    milliPoints: row.milli_points,
    kind: BONUS_KINDS.find((kind) => kind === row.kind) ?? 'seeding',
  }));
}

async function insertEntry(
  transaction: Transaction<BonusTables>,
  { memberId, atMs, milliPoints, kind, once }: BonusEntry,
): Promise<boolean> {
  const row = { member_id: memberId, at_ms: atMs, milli_points: milliPoints, kind, once };
  const { numInsertedOrUpdatedRows } = await transaction
    .insertInto('bonus_entry')
    .values(row as Insertable<BonusTables['bonus_entry']>)
    .onConflict((conflict) => conflict.columns(['member_id', 'once']).doNothing())
    .executeTakeFirst();
  return numInsertedOrUpdatedRows === 1n;
}
