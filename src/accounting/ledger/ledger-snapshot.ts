// A snapshot of the ledger: its tables as they stood at one offset, made when the audit had proven them
// up to there. With it the log before that offset may go (retention asks for the position that is
// committed here): the audit then begins at the snapshot, and a rebuild as well.

import { join } from 'node:path';
import { audit } from '#accounting/audit/audit.ts';
import { snapshotNumber } from '#accounting/baselines/baseline-opening.ts';
import { BaselineReader } from '#accounting/baselines/baseline-reader.ts';
import { AccountingError } from '#accounting/errors.ts';
import { TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import type { Disk } from '#base/disk.ts';
import type { Log } from '#log/log.ts';
import { LEDGER_SNAPSHOT } from '#log/topic/topic-rules.ts';
import { movePosition, readPosition } from '#sql/consumer-position.ts';
import type { Sql } from '#sql/sql.ts';
import { copyLedger } from './ledger-copy.ts';
import { dropLedgerTables, LEDGER, SNAPSHOT_LEDGER } from './ledger-tables.ts';

export interface LedgerSnapshotWorld {
  readonly log: Log;
  readonly sql: Sql;
  /** Where the baselines' snapshots are: what they were made from may go as well. */
  readonly baselines: { readonly disk: Disk; readonly folder: string };
  readonly signal?: AbortSignal;
  readonly progress?: (done: number, total: number) => void;
}

export interface LedgerSnapshotResult {
  /** Records below it are in the snapshot. */
  readonly nextOffset: number;
  /** Records below it are needed by nobody: ledger and baselines stand without them. */
  readonly coveredOffset: number;
}

/**
 * The ledger must be paused, or offline.
 * @throws AccountingError LEDGER_SNAPSHOT_REFUSED when the audit finds anything, LEDGER_POSITION_TAKEN;
 *   SqlError, LogError, the disk's errors
 */
export async function takeLedgerSnapshot(
  world: LedgerSnapshotWorld,
): Promise<LedgerSnapshotResult> {
  const { log, sql, signal, progress } = world;
  const before = await readPosition(sql.read(), LEDGER.consumer);
  const [first] = (
    await audit({
      ...{ log, sql },
      ...(signal === undefined ? undefined : { signal }),
      ...(progress === undefined ? undefined : { progress }),
    })
  ).differences;
  if (first !== undefined || before === undefined) {
    const why = first ?? 'it has counted nothing yet';
    throw new AccountingError('LEDGER_SNAPSHOT_REFUSED', `Cannot take a snapshot: ${why}`);
  }
  await sql.transaction(async (transaction) => {
    const now = await readPosition(transaction, LEDGER.consumer);
    if (now?.nextOffset !== before.nextOffset) {
      throw new AccountingError('LEDGER_POSITION_TAKEN', 'The ledger was not paused');
    }
    await dropLedgerTables(transaction, SNAPSHOT_LEDGER);
    await copyLedger(transaction, LEDGER, SNAPSHOT_LEDGER);
    const expected = await readPosition(transaction, SNAPSHOT_LEDGER.consumer);
    await movePosition(transaction, SNAPSHOT_LEDGER.consumer, { expected, next: before });
  });
  const coveredOffset = Math.min(before.nextOffset, await baselinesFrom(world));
  await log.commit(TRANSFERS_TOPIC, LEDGER_SNAPSHOT, coveredOffset);
  return { nextOffset: before.nextOffset, coveredOffset };
}

/** The first record that the oldest of the baselines' snapshots would want; 0 without any. */
async function baselinesFrom({ log, baselines }: LedgerSnapshotWorld): Promise<number> {
  const { disk, folder } = baselines;
  if ((await disk.stat(folder)) === undefined) return 0;
  const names = (await disk.list(folder)).filter((name) => snapshotNumber(name) !== undefined);
  const offsets: number[] = [];
  for (const name of names) {
    const reader = await BaselineReader.open(disk, join(folder, name));
    const { logId, epoch, nextOffset } = reader.header;
    await reader.retire();
    if (logId === log.id && epoch === log.epoch) offsets.push(nextOffset);
  }
  return offsets.length === 0 ? 0 : Math.min(...offsets);
}
