// One step of counting, used by the ledger and by its rebuild: read a batch of records, add them up,
// write the sums and the position in one transaction.

import { AccountingError } from '#accounting/errors.ts';
import type { SeedingStates } from '#accounting/seeding/seeding-states.ts';
import {
  TRANSFERS_TOPIC,
  TransferReader,
  type TransferRecord,
} from '#accounting/transfers/transfer-record.ts';
import type { LogGap } from '#log/log.ts';
import { readValues, type ValueLog } from '#log/read-values.ts';
import { type ConsumerPosition, movePosition } from '#sql/consumer-position.ts';
import type { Sql } from '#sql/sql.ts';
import { LedgerBatch } from './ledger-batch.ts';
import { writeDays } from './ledger-day-write.ts';
import { LedgerDays } from './ledger-days.ts';
import { settleSeeding } from './ledger-seeding.ts';
import type { LedgerNames } from './ledger-tables.ts';
import { writeBatch } from './ledger-write.ts';

export interface ReadBatch {
  readonly batch: LedgerBatch;
  readonly days: LedgerDays;
  readonly nextOffset: number;
  /** Records that are no transfer records; they count nothing. */
  readonly invalid: number;
  readonly gaps: readonly LogGap[];
}

/**
 * Where nobody waits for the transaction: many, because what they add to one row is written once; few
 * enough pairs to hold in memory, about 300 bytes each.
 */
export const LARGE_BATCH = { recordsMax: 1_048_576, pairsMax: 262_144 } as const;

/** At most `recordsMax` records from `from` on; fewer where the log ends, or at `pairsMax`. */
export async function readBatch(
  log: ValueLog,
  from: number,
  options: {
    readonly recordsMax: number;
    /** Ends when it has this many pairs of member and torrent, at the next read. */
    readonly pairsMax?: number;
    readonly waitMs: number;
    readonly signal?: AbortSignal;
    /** The record holds until it returns. */
    readonly onRecord?: (record: TransferRecord) => void;
  },
): Promise<ReadBatch> {
  const batch = new LedgerBatch();
  const days = new LedgerDays();
  const gaps: LogGap[] = [];
  const reader = new TransferReader();
  let invalid = 0;
  let nextOffset = from;
  const add = (bytes: Uint8Array, at: number, length: number): void => {
    const record = reader.read(bytes, at, length);
    if (record === undefined) {
      invalid++;
      return;
    }
    batch.add(record);
    days.add(record);
    options.onRecord?.(record);
  };
  for (;;) {
    const reading = {
      from: nextOffset,
      recordsMax: options.recordsMax - batch.records - invalid,
      // Only for the first record: what has been read must not wait for more.
      waitMs: nextOffset === from ? options.waitMs : 0,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    };
    const read = await readValues(log, TRANSFERS_TOPIC, reading, add);
    gaps.push(...read.gaps);
    const isEnd = read.nextOffset === nextOffset;
    nextOffset = read.nextOffset;
    const isFull = batch.entries.length >= (options.pairsMax ?? Number.POSITIVE_INFINITY);
    if (isEnd || isFull || batch.records + invalid >= options.recordsMax) {
      return { batch, days, nextOffset, invalid, gaps };
    }
  }
}

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
