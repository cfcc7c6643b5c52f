// Where the ledger stands in the log, and whether that still means the same.

import { AccountingError } from '#accounting/errors.ts';
import type { Log, TopicStats } from '#log/log.ts';
import { type ConsumerPosition, readPosition } from '#sql/consumer-position.ts';
import type { Sql } from '#sql/sql.ts';

export interface CheckedPosition {
  /** Undefined while nothing was ever counted. */
  readonly stored: ConsumerPosition | undefined;
  /** The next record to count. */
  readonly nextOffset: number;
  /** Offsets that retention took away uncounted. */
  readonly removed: number;
}

/**
 * @throws AccountingError LEDGER_LOG_CHANGED, LEDGER_EPOCH_CHANGED, LEDGER_BEYOND_END: counting on
 *   would mix two pasts
 */
export async function checkedPosition(
  world: { readonly sql: Sql; readonly log: Log },
  consumer: string,
  stats: TopicStats,
): Promise<CheckedPosition> {
  const { log } = world;
  const stored = await readPosition(world.sql.read(), consumer);
  if (stored === undefined) {
    return { stored, nextOffset: stats.firstOffset, removed: stats.firstOffset };
  }
  if (stored.logId !== log.id) {
    throw new AccountingError(
      'LEDGER_LOG_CHANGED',
      `The ledger was made from the log ${stored.logId}, but the log is ${log.id}`,
    );
  }
  if (stored.epoch !== log.epoch) {
    throw new AccountingError(
      'LEDGER_EPOCH_CHANGED',
      `The ledger was made in epoch ${stored.epoch} of the log, but the log is in ${log.epoch}`,
    );
  }
  if (stored.nextOffset > stats.nextOffset) {
    throw new AccountingError(
      'LEDGER_BEYOND_END',
      `The ledger has counted up to offset ${stored.nextOffset}, but the log ends at ${stats.nextOffset}`,
    );
  }
  const removed = Math.max(0, stats.firstOffset - stored.nextOffset);
  return { stored, nextOffset: stored.nextOffset + removed, removed };
}
