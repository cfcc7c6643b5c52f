// A ledger's tables under other names: the snapshot that is taken of it, and what is made from one.

import { sql as raw, type Transaction } from 'kysely';
import type { Log } from '#log/log.ts';
import type { ConsumerPosition } from '#sql/consumer-position.ts';
import { createDayTable, createLedgerTables, type LedgerNames } from './ledger-tables.ts';

/** Makes the tables and fills them. */
export async function copyLedger<Tables>(
  transaction: Transaction<Tables>,
  from: LedgerNames,
  to: LedgerNames,
): Promise<void> {
  await createLedgerTables(transaction, to);
  await createDayTable(transaction, to);
  for (const part of ['transfer', 'member', 'torrent', 'day'] as const) {
    await raw`insert into ${raw.table(to[part])} select * from ${raw.table(from[part])}`.execute(
      transaction,
    );
  }
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
