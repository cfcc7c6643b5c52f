// Looks over the transfers that came since its last run for cheat signals. The position moves in the
// transaction that writes the signals, so a run that is killed neither loses nor repeats one. What the
// watch must remember is read again from the records before the position: nothing is kept in memory
// from run to run.

import { AccountingError } from '#accounting/errors.ts';
import type { SignalTables } from '#accounting/signals/signal-tables.ts';
import {
  type SignalSettings,
  SignalWatch,
  type TorrentSizes,
} from '#accounting/signals/signal-watch.ts';
import { writeSignals } from '#accounting/signals/signals.ts';
import {
  decodeTransfer,
  TRANSFERS_TOPIC,
  type TransferRecord,
} from '#accounting/transfers/transfer-record.ts';
import type { Job, JobContext } from '#base/job.ts';
import type { Log } from '#log/log.ts';
import { type ConsumerPosition, movePosition, readPosition } from '#sql/consumer-position.ts';
import type { Sql } from '#sql/sql.ts';

export interface SignalsWorld {
  readonly sql: Sql;
  readonly log: Log;
  readonly settings: () => Promise<SignalSettings>;
  /** At most 500 ids. */
  readonly sizes: (torrentIds: readonly number[]) => Promise<TorrentSizes>;
}

const CONSUMER = 'cheat-signals';
const READ_RECORDS = 1000;
/** About a day of a community of ten thousand; less is seen of the past where there was more. */
const REMEMBERED_RECORDS = 200_000;
const SIZES_AT_ONCE = 500;

export function cheatSignalsJob(world: SignalsWorld): Job {
  return {
    name: 'cheat-signals',
    summary: 'Looks for what honest clients do not do and shows it to moderators; bans nobody.',
    schedule: { everyMs: 600_000, jitterPercent: 10 },
    timeLimitMs: 3_600_000,
    async run(context) {
      const { log, sql } = world;
      const stored = await readPosition(sql.read(), CONSUMER);
      const { firstOffset, nextOffset } = await log.stats(TRANSFERS_TOPIC);
      const isSame = stored?.logId === log.id && stored.epoch === log.epoch;
      // Of another log, or of one put back from a copy: what it holds is looked at from here on.
      const from = isSame
        ? Math.min(Math.max(stored.nextOffset, firstOffset), nextOffset)
        : firstOffset;
      const watch = new SignalWatch(await world.settings());
      await remember(world, watch, {
        from: Math.max(firstOffset, from - REMEMBERED_RECORDS),
        to: from,
      });
      const counts = { records: 0, signals: 0 };
      let position = stored;
      for (let at = from; at < nextOffset; ) {
        context.signal.throwIfAborted();
        const { records, next } = await readRecords(log, at);
        const sizes = await sizesOf(world, records);
        const signals = records.flatMap((record) => watch.see(record, sizes));
        const moved = { logId: log.id, epoch: log.epoch, nextOffset: next };
        await commit(world, context, { expected: position, next: moved, signals });
        position = moved;
        counts.records += records.length;
        counts.signals += signals.length;
        at = next;
        context.progress(at - from, nextOffset - from, 'records');
      }
      return { summary: 'The new transfers are looked over.', counts };
    },
  };
}

async function commit(
  { sql }: SignalsWorld,
  context: JobContext,
  step: {
    readonly expected: ConsumerPosition | undefined;
    readonly next: ConsumerPosition;
    readonly signals: Parameters<typeof writeSignals>[1];
  },
): Promise<void> {
  await sql.transaction<SignalTables, void>(async (transaction) => {
    await context.fenced(transaction);
    if (!(await movePosition(transaction, CONSUMER, step))) {
      throw new AccountingError(
        'LEDGER_POSITION_TAKEN',
        'Cannot look over transfers: another process looked over them at the same time',
      );
    }
    await writeSignals(transaction, step.signals);
  });
}

/** Lets the watch see records whose signals were written down before. */
async function remember(
  world: SignalsWorld,
  watch: SignalWatch,
  range: { readonly from: number; readonly to: number },
): Promise<void> {
  const sizes: TorrentSizes = new Map();
  for (let at = range.from; at < range.to; ) {
    const { records, next } = await readRecords(world.log, at, range.to - at);
    for (const record of records) watch.see(record, sizes);
    at = next;
  }
}

async function readRecords(
  log: Log,
  from: number,
  recordsMax = READ_RECORDS,
): Promise<{ readonly records: readonly TransferRecord[]; readonly next: number }> {
  const read = await log.read(TRANSFERS_TOPIC, {
    from,
    recordsMax: Math.min(recordsMax, READ_RECORDS),
  });
  const records = read.records.flatMap(({ value }) => decodeTransfer(value) ?? []);
  return { records, next: read.nextOffset };
}

async function sizesOf(
  world: SignalsWorld,
  records: readonly TransferRecord[],
): Promise<TorrentSizes> {
  const ids = [...new Set(records.map((record) => record.torrentId))];
  const sizes = new Map<number, number>();
  for (let from = 0; from < ids.length; from += SIZES_AT_ONCE) {
    const some = await world.sizes(ids.slice(from, from + SIZES_AT_ONCE));
    for (const [id, size] of some) sizes.set(id, size);
  }
  return sizes;
}
