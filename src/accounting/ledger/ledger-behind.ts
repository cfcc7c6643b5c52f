// How far the ledger is behind the log. After an upgrade that counts the log anew, or a long outage, it
// says less of members than is true: who judges them waits.

import { AccountingError } from '#accounting/errors.ts';
import { TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import type { Log } from '#log/log.ts';
import { readPosition } from '#sql/consumer-position.ts';
import type { Sql } from '#sql/sql.ts';
import { LEDGER } from './ledger-tables.ts';

/** A batch or two, which are there in seconds. */
const BEHIND_RECORDS_MAX = 131_072;

/** Records that are not counted yet. */
export async function ledgerBehind(world: {
  readonly sql: Sql;
  readonly log: Pick<Log, 'stats'>;
}): Promise<number> {
  const { firstOffset, nextOffset } = await world.log.stats(TRANSFERS_TOPIC);
  const position = await readPosition(world.sql.read(), LEDGER.consumer);
  return Math.max(0, nextOffset - Math.max(firstOffset, position?.nextOffset ?? 0));
}

/** @throws AccountingError LEDGER_BEHIND */
export function refuseBehind(records: number): void {
  if (records <= BEHIND_RECORDS_MAX) return;
  throw new AccountingError('LEDGER_BEHIND', `The ledger has ${records} records to count first`);
}
