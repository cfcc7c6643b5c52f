// Where a consumer of the log stands, in SQL: it moves in the same transaction as what the consumer
// wrote, and only from the position that the consumer started from. That is what counts every record
// once: a crash loses both or keeps both, and of two consumers at most one gets through.

import type { Kysely, Transaction } from 'kysely';

export interface ConsumerPosition {
  /** Identity and epoch of the log; offsets of different pasts are never compared. */
  readonly logId: string;
  readonly epoch: number;
  /** The next record the consumer wants. */
  readonly nextOffset: number;
}

interface PositionTables {
  consumer_position: { consumer: string; log_id: string; epoch: number; next_offset: number };
}

/** Undefined until the consumer moved for the first time. */
export async function readPosition<Tables>(
  executor: Kysely<Tables>,
  consumer: string,
): Promise<ConsumerPosition | undefined> {
  const row = await (executor as unknown as Kysely<PositionTables>)
    .selectFrom('consumer_position')
    .selectAll()
    .where('consumer', '=', consumer)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  return { logId: row.log_id, epoch: row.epoch, nextOffset: row.next_offset };
}

/**
 * Moves from `expected` to `next`, or returns false and changes nothing when the consumer stands
 * elsewhere: then the whole transaction must be given up. `expected` undefined is "has none yet".
 */
export async function movePosition<Tables>(
  transaction: Transaction<Tables>,
  consumer: string,
  move: { readonly expected: ConsumerPosition | undefined; readonly next: ConsumerPosition },
): Promise<boolean> {
  const tables = transaction as unknown as Transaction<PositionTables>;
  const { expected, next } = move;
  const values = { log_id: next.logId, epoch: next.epoch, next_offset: next.nextOffset };
  if (expected === undefined) {
    const { numInsertedOrUpdatedRows } = await tables
      .insertInto('consumer_position')
      .values({ consumer, ...values })
      .onConflict((conflict) => conflict.column('consumer').doNothing())
      .executeTakeFirst();
    return numInsertedOrUpdatedRows === 1n;
  }
  const { numUpdatedRows } = await tables
    .updateTable('consumer_position')
    .set(values)
    .where('consumer', '=', consumer)
    .where('log_id', '=', expected.logId)
    .where('epoch', '=', expected.epoch)
    .where('next_offset', '=', expected.nextOffset)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** Forgets the consumer, so that it starts anew. */
export async function removePosition<Tables>(
  transaction: Transaction<Tables>,
  consumer: string,
): Promise<void> {
  await (transaction as unknown as Transaction<PositionTables>)
    .deleteFrom('consumer_position')
    .where('consumer', '=', consumer)
    .execute();
}

/** As a backup has it. */
export interface CopiedPosition extends ConsumerPosition {
  readonly consumer: string;
}

/** Of every consumer. */
export async function copiedPositions<Tables>(executor: Kysely<Tables>): Promise<CopiedPosition[]> {
  const tables = executor as unknown as Kysely<PositionTables>;
  const rows = await tables.selectFrom('consumer_position').selectAll().execute();
  return rows.map((row) => ({
    ...{ consumer: row.consumer, logId: row.log_id },
    ...{ epoch: row.epoch, nextOffset: row.next_offset },
  }));
}

/** Brings the positions in a log that was restored into its new epoch. */
export async function movePositionsToEpoch<Tables>(
  transaction: Transaction<Tables>,
  to: { readonly logId: string; readonly before: number; readonly epoch: number },
): Promise<void> {
  await (transaction as unknown as Transaction<PositionTables>)
    .updateTable('consumer_position')
    .set({ epoch: to.epoch })
    .where('log_id', '=', to.logId)
    .where('epoch', '=', to.before)
    .execute();
}
