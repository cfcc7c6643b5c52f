// A ledger's tables under other names: the snapshot that is taken of it, and what is made from one.

import { sql as raw, type Transaction } from 'kysely';
import type { Log } from '#log/log.ts';
import { type ConsumerPosition, movePosition, readPosition } from '#sql/consumer-position.ts';
import type { Sql } from '#sql/sql.ts';
import { createLedger, LEDGER, type LedgerNames, SNAPSHOT_LEDGER } from './ledger-tables.ts';

/** Makes the tables and fills them. */
export async function copyLedger<Tables>(
  transaction: Transaction<Tables>,
  from: LedgerNames,
  to: LedgerNames,
): Promise<void> {
  await createLedger(transaction, to);
  await fillLedger(transaction, from, to);
}

/** The tables are there, and empty. */
export async function fillLedger<Tables>(
  transaction: Transaction<Tables>,
  from: LedgerNames,
  to: LedgerNames,
): Promise<void> {
  for (const part of ['transfer', 'member', 'torrent', 'day'] as const) {
    await raw`insert into ${raw.table(to[part])} select * from ${raw.table(from[part])}`.execute(
      transaction,
    );
  }
}

/**
 * A ledger that has counted nothing yet, of a log whose beginning is gone, begins with the snapshot of
 * that log; nothing happens when there is none, or it has counted something.
 */
export async function beginAtSnapshot(
  { sql, log }: { readonly sql: Sql; readonly log: Log },
  firstOffset: number,
): Promise<void> {
  await sql.transaction(async (transaction) => {
    if ((await readPosition(transaction, LEDGER.consumer)) !== undefined) return;
    const snapshot = await readPosition(transaction, SNAPSHOT_LEDGER.consumer);
    const base = fittingSnapshot(log, firstOffset, snapshot);
    if (base === undefined) return;
    await fillLedger(transaction, SNAPSHOT_LEDGER, LEDGER);
    await movePosition(transaction, LEDGER.consumer, { expected: undefined, next: base });
  });
}

/** The snapshot of this log, if it begins where the log still is; undefined when there is none. */
export function fittingSnapshot(
  log: Log,
  firstOffset: number,
  position: ConsumerPosition | undefined,
): ConsumerPosition | undefined {
  const isOurs = position?.logId === log.id && position.epoch === log.epoch;
  return isOurs && position.nextOffset >= firstOffset ? position : undefined;
}
