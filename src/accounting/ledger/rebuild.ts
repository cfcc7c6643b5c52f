// Makes the ledger anew from the log (A9). The new tables are made beside the old ones, batch by
// batch with a position of their own, so that a rebuild that was ended goes on where it stood. Then
// one transaction compares both, puts the new rows in the place of the old and moves the ledger's
// position: whoever reads sees the old ledger or the new one, never a part.

import { sql as raw, type Transaction } from 'kysely';
import { AccountingError } from '#accounting/errors.ts';
import { SeedingStates } from '#accounting/seeding/seeding-states.ts';
import { TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import type { Log } from '#log/log.ts';
import {
  type ConsumerPosition,
  movePosition,
  readPosition,
  removePosition,
} from '#sql/consumer-position.ts';
import type { Sql } from '#sql/sql.ts';
import { copyLedger, fittingSnapshot } from './ledger-copy.ts';
import { LARGE_BATCH, ReadBatch } from './ledger-read.ts';
import { applyBatch } from './ledger-step.ts';
import {
  createLedger,
  dropLedgerTables,
  LEDGER,
  REBUILT_LEDGER,
  SNAPSHOT_LEDGER,
} from './ledger-tables.ts';

export interface RebuildWorld {
  readonly log: Log;
  readonly sql: Sql;
  readonly signal?: AbortSignal;
  /** Counts what can be read when damage took records away; else the rebuild is refused. */
  readonly acceptDamage?: boolean;
  /** Offsets counted, of how many. */
  readonly progress?: (done: number, total: number) => void;
}

export interface RebuildResult {
  /** Records of the log that were counted. */
  readonly records: number;
  /** What the old ledger said otherwise, one line for each, at most DIFFERENCES_MAX. */
  readonly differences: readonly string[];
}

const DIFFERENCES_MAX = 1000;

/**
 * The ledger must be paused, or offline. Ended by its signal, or by a crash, the old ledger stays as
 * it was and the next call goes on.
 * @throws AccountingError LEDGER_RECORDS_REMOVED, LEDGER_RECORDS_DAMAGED; SqlError, LogError
 */
export async function rebuild(world: RebuildWorld): Promise<RebuildResult> {
  const { log, sql, signal } = world;
  const stats = await log.stats(TRANSFERS_TOPIC);
  // Both ledgers are compared where the old one stands: what it has not counted yet is no difference.
  const oldOffset = (await readPosition(sql.read(), LEDGER.consumer))?.nextOffset ?? 0;
  let position = await prepare(world, stats.firstOffset);
  const states = new SeedingStates();
  let differences: readonly string[] | undefined;
  for (;;) {
    signal?.throwIfAborted();
    const from = position?.nextOffset ?? 0;
    if (from === oldOffset) differences = await sql.transaction(compare);
    const left = from < oldOffset ? oldOffset - from : Number.POSITIVE_INFINITY;
    const { recordsMax, pairsMax } = LARGE_BATCH;
    const most = { recordsMax: Math.min(recordsMax, left), pairsMax };
    const read = new ReadBatch({ log }, from);
    await read.take(most, { waitMs: 0 });
    if (read.nextOffset === from) break;
    if (world.acceptDamage !== true) refuseDamage(read);
    const next = { logId: log.id, epoch: log.epoch, nextOffset: read.nextOffset };
    await applyBatch(sql, REBUILT_LEDGER, { read, states, expected: position, next });
    position = next;
    world.progress?.(next.nextOffset, Math.max(next.nextOffset, stats.nextOffset));
  }
  const end = position ?? { logId: log.id, epoch: log.epoch, nextOffset: 0 };
  // A rebuild that goes on behind the old ledger's position, or over damage, is compared at its end.
  differences ??= await sql.transaction(compare);
  await exchange(sql, end);
  return { records: await recordsCounted(sql), differences };
}

/** Before anything of it is counted, so that a second call meets the damage again. */
function refuseDamage({ gaps, invalid }: ReadBatch): void {
  const [gap] = gaps;
  if (gap !== undefined) {
    throw new AccountingError(
      'LEDGER_RECORDS_DAMAGED',
      `Offsets ${gap.first} to ${gap.next - 1} of the log are unreadable (${gap.reason}), and the ledger that is there has them`,
    );
  }
  if (invalid > 0) {
    throw new AccountingError(
      'LEDGER_RECORDS_DAMAGED',
      `${invalid} records are no transfer records`,
    );
  }
}

async function recordsCounted(sql: Sql): Promise<number> {
  const { rows } = await raw<{ records: number | null }>`
    select cast(sum(records) as bigint) as records from ${raw.table(LEDGER.transfer)}`.execute(
    sql.read(),
  );
  return rows[0]?.records ?? 0;
}

/**
 * Finds what an earlier rebuild of this log has left, or begins with empty tables; where the log's
 * beginning is gone, with those of the ledger's snapshot (ledger-snapshot.ts).
 */
async function prepare(
  world: RebuildWorld,
  firstOffset: number,
): Promise<ConsumerPosition | undefined> {
  const { log, sql } = world;
  const position = await readPosition(sql.read(), REBUILT_LEDGER.consumer);
  const begun = fittingSnapshot(log, firstOffset, position);
  if (begun !== undefined) return begun;
  const snapshot = await readPosition(sql.read(), SNAPSHOT_LEDGER.consumer);
  const base = firstOffset === 0 ? undefined : fittingSnapshot(log, firstOffset, snapshot);
  if (firstOffset > 0 && base === undefined) {
    const has = snapshot === undefined ? 'there is none' : `there is one of ${snapshot.nextOffset}`;
    throw new AccountingError(
      'LEDGER_RECORDS_REMOVED',
      `The log begins at offset ${firstOffset}, expected 0, or a snapshot of the ledger of this log at ${firstOffset} or later: ${has}`,
    );
  }
  await sql.transaction(async (transaction) => {
    await dropLedgerTables(transaction, REBUILT_LEDGER);
    await removePosition(transaction, REBUILT_LEDGER.consumer);
    if (base === undefined) {
      await createLedger(transaction, REBUILT_LEDGER);
      return;
    }
    await copyLedger(transaction, SNAPSHOT_LEDGER, REBUILT_LEDGER);
    const move = { expected: undefined, next: base };
    await movePosition(transaction, REBUILT_LEDGER.consumer, move);
  });
  return base;
}

async function exchange(sql: Sql, end: ConsumerPosition): Promise<void> {
  await sql.transaction(async (transaction) => {
    const expected = await readPosition(transaction, LEDGER.consumer);
    for (const part of ['transfer', 'member', 'torrent', 'day'] as const) {
      const table = raw.table(LEDGER[part]);
      await raw`delete from ${table}`.execute(transaction);
      await raw`insert into ${table} select * from ${raw.table(REBUILT_LEDGER[part])}`.execute(
        transaction,
      );
    }
    await dropLedgerTables(transaction, REBUILT_LEDGER);
    await removePosition(transaction, REBUILT_LEDGER.consumer);
    if (!(await movePosition(transaction, LEDGER.consumer, { expected, next: end }))) {
      throw new AccountingError('LEDGER_POSITION_TAKEN', 'The ledger was not paused');
    }
  });
}

/** Pairs whose bytes are not the same, or that only one of the two ledgers has. */
async function compare<Tables>(transaction: Transaction<Tables>): Promise<readonly string[]> {
  const columns = [
    'uploaded_bytes',
    'downloaded_bytes',
    'credited_uploaded_bytes',
    'credited_downloaded_bytes',
  ];
  const old = raw.table(LEDGER.transfer);
  const rebuilt = raw.table(REBUILT_LEDGER.transfer);
  const list = raw.raw(['member_id', 'torrent_id', ...columns].join(', '));
  const { rows } = await raw<Record<string, number>>`
    select * from (
      select 0 as side, ${list} from (select ${list} from ${old} except select ${list} from ${rebuilt}) as gone
      union all
      select 1 as side, ${list} from (select ${list} from ${rebuilt} except select ${list} from ${old}) as come
    ) as differing
    order by member_id, torrent_id, side limit ${DIFFERENCES_MAX}`.execute(transaction);
  return rows.map((row) => {
    const words = columns.map((column) => `${column} ${row[column]}`).join(', ');
    const side = row['side'] === 0 ? 'before' : 'now';
    return `member ${row['member_id']}, torrent ${row['torrent_id']}, ${side}: ${words}`;
  });
}
