// One step of counting, used by the ledger and by its rebuild: write the sums of a batch and the position
// in one transaction.

import { AccountingError } from '#accounting/errors.ts';
import type { SeedingStates } from '#accounting/seeding/seeding-states.ts';
import { type ConsumerPosition, movePosition } from '#sql/consumer-position.ts';
import type { Sql } from '#sql/sql.ts';
import { writeDays } from './ledger-day-write.ts';
import type { ReadBatch } from './ledger-read.ts';
import { settleSeeding } from './ledger-seeding.ts';
import type { LedgerNames } from './ledger-tables.ts';
import { writeBatch } from './ledger-write.ts';

/**
 * Writes a batch and moves the position, both or neither. Returns the completions of the torrents
 * that were completed. @throws AccountingError LEDGER_POSITION_TAKEN
 */
export async function applyBatch(
  sql: Sql,
  names: LedgerNames,
  step: {
    readonly read: Pick<ReadBatch, 'batch' | 'days'>;
    /** As they stand at `expected`; after a failure they say nothing any more. */
    readonly states: SeedingStates;
    readonly expected: ConsumerPosition | undefined;
    readonly next: ConsumerPosition;
  },
): Promise<ReadonlyMap<number, number>> {
  return await sql.transaction(async (transaction) => {
    // First, so that of two ledgers the second waits here and then finds that it is late.
    if (!(await movePosition(transaction, names.consumer, step))) {
      throw new AccountingError('LEDGER_POSITION_TAKEN', 'The ledger stands elsewhere by now');
    }
    const { batch, days } = step.read;
    await settleSeeding(transaction, names, { batch, days, states: step.states });
    await writeDays(transaction, names, days.days);
    return await writeBatch(transaction, names, { batch, states: step.states });
  });
}
