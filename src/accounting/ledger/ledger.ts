// The ledger follows the log's topic `transfers` and keeps the totals in SQL (A7). Its position
// moves in the same transaction as the rows, by compare-and-set, so that after a crash anywhere
// every record counts exactly once, and two ledgers on one database cannot both count it.

import type { AccountingConfig } from '#accounting/config.ts';
import { AccountingError } from '#accounting/errors.ts';
import { SeedingStates } from '#accounting/seeding/seeding-states.ts';
import { TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import { type Clock, sleep } from '#base/clock.ts';
import { messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import type { Log } from '#log/log.ts';
import type { Counter, Gauge, Histogram, Registry } from '#metrics/registry.ts';
import type { ConsumerPosition } from '#sql/consumer-position.ts';
import { SqlError } from '#sql/errors.ts';
import type { Sql } from '#sql/sql.ts';
import { beginAtSnapshot } from './ledger-copy.ts';
import { checkedPosition } from './ledger-position.ts';
import {
  LARGE_BATCH,
  ReadBatch,
  type ReadLimits,
  type RecordFeed,
  WAITED_PAIRS_MAX,
} from './ledger-read.ts';
import { applyBatch } from './ledger-step.ts';
import { LEDGER } from './ledger-tables.ts';

export interface LedgerWorld {
  readonly sql: Sql;
  readonly log: Log;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Registry;
  readonly config: AccountingConfig;
  /** Records that came a moment ago; without it every record is read from the log. */
  readonly feed?: RecordFeed;
}

type CompletedListener = (torrentId: number, completed: number) => void;

const WAIT_MS = 1000;
/** Under load a batch is let come together for up to so many times `ledgerIntervalMs`. */
const INTERVALS_MAX = 10;
const RECORDS_PER_INTERVAL = 4096;
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 10_000;
/** A rebuild moves the position once; whoever moves it again and again is another ledger. */
const POSITION_LOSSES_MAX = 3;

export class Ledger {
  readonly #world: LedgerWorld;
  readonly #instruments: Instruments;
  readonly #listeners: CompletedListener[] = [];
  /** As of the position. */
  readonly #seeding = new SeedingStates();
  #stored: ConsumerPosition | undefined;
  #nextOffset = 0;
  #endOffset = 0;
  #ahead: { readonly from: number; readonly read: Promise<ReadBatch | undefined> } | undefined;
  /** What came since the last batch, as far as the feed showed it. */
  #gathered: ReadBatch | undefined;
  /** One that is counted: the next begins in its memory. */
  #spare: ReadBatch | undefined;
  #positionLosses = 0;
  #paused: Promise<void> | undefined;
  #applying: Promise<unknown> = Promise.resolve();

  private constructor(world: LedgerWorld) {
    this.#world = world;
    this.#instruments = instrumentsOf(world.metrics);
  }

  /**
   * Makes the topic when it is missing and finds the position.
   * @throws AccountingError LEDGER_LOG_CHANGED, LEDGER_EPOCH_CHANGED, LEDGER_BEYOND_END
   */
  static async open(world: LedgerWorld): Promise<Ledger> {
    const ledger = new Ledger(world);
    await world.log.createTopic(TRANSFERS_TOPIC, { consistency: 'durable' });
    const { firstOffset } = await world.log.stats(TRANSFERS_TOPIC);
    if (firstOffset > 0) await beginAtSnapshot(world, firstOffset);
    await ledger.#findPosition();
    return ledger;
  }

  /** Records of the log that are not counted yet, as far as the ledger knows. */
  get lag(): number {
    return Math.max(0, this.#endOffset - this.#nextOffset);
  }

  /** The next offset to count. */
  position(): number {
    return this.#nextOffset;
  }

  /** `run` is told, after each commit, how often a torrent is completed in all. */
  onCompleted(run: CompletedListener): void {
    this.#listeners.push(run);
  }

  /**
   * Counts until `signal` aborts, then resolves between two batches. Failures of the database or the
   * log are logged and tried again. @throws AccountingError when counting on would be wrong
   */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, config, logger } = this.#world;
    let retryMs = RETRY_MS_MIN;
    while (!signal.aborted) {
      try {
        await this.#paused;
        const records = await this.#exclusively(() => this.#step({ waitMs: WAIT_MS, signal }));
        retryMs = RETRY_MS_MIN;
        if (this.lag < config.ledgerBatchRecordsMax) await this.#rest(records, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof AccountingError) throw error;
        logger.error('Transfers could not be counted; trying again', {
          error: messageOf(error),
          retryMs,
        });
        this.#instruments.failures.add(1);
        await sleep(clock, retryMs, signal).catch(() => undefined);
        retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
      }
    }
  }

  /** Counts one batch and returns how many records; 0 at the end of the log. */
  async applyOnce(): Promise<number> {
    return await this.#exclusively(() => this.#step({ waitMs: 0 }));
  }

  /** Stops between two batches while `run` works on the tables, then finds its position again. */
  async paused<Result>(run: () => Promise<Result>): Promise<Result> {
    const before = this.#paused;
    const pause = Promise.withResolvers<void>();
    this.#paused = pause.promise;
    await before;
    try {
      return await this.#exclusively(async () => {
        try {
          return await run();
        } finally {
          await this.#findPosition();
        }
      });
    } finally {
      pause.resolve();
    }
  }

  async #exclusively<Result>(run: () => Promise<Result>): Promise<Result> {
    const result = this.#applying.then(run);
    this.#applying = result.catch(() => undefined);
    return await result;
  }

  async #step(options: ReadOptions): Promise<number> {
    const { log, sql } = this.#world;
    const read = await this.#nextRead(options);
    this.#endOffset = Math.max(read.nextOffset, (await log.stats(TRANSFERS_TOPIC)).nextOffset);
    this.#instruments.lag.set(this.#endOffset - this.#nextOffset);
    if (read.nextOffset === this.#nextOffset) return 0;
    this.#readAhead(read.nextOffset, options.signal);
    const next = { logId: log.id, epoch: log.epoch, nextOffset: read.nextOffset };
    const expected = this.#stored;
    try {
      const completed = await applyBatch(sql, LEDGER, {
        ...{ read, expected, next },
        states: this.#seeding,
      });
      this.#stored = next;
      this.#nextOffset = next.nextOffset;
      this.#positionLosses = 0;
      this.#report(read);
      const { records } = read;
      this.#spare = read;
      for (const [torrentId, times] of completed) {
        for (const listener of this.#listeners) listener(torrentId, times);
      }
      return records;
    } catch (error) {
      await this.#onFailure(error);
      throw error;
    }
  }

  /** Lets more come together after a batch of so many records, and adds it up as it comes. */
  async #rest(records: number, signal: AbortSignal): Promise<void> {
    const { clock, config } = this.#world;
    for (let left = intervalsAfter(records); left > 0 && !this.#gather(); left--) {
      await sleep(clock, config.ledgerIntervalMs, signal);
    }
  }

  /** Whether the next batch is full. */
  #gather(): boolean {
    if (this.#world.feed === undefined) return false;
    const limits = this.#limits(this.#nextOffset);
    if (this.#gathered?.from !== this.#nextOffset) {
      this.#gathered = this.#begin(this.#nextOffset);
    }
    this.#gathered.takeFed(limits);
    return this.#gathered.isFull(limits);
  }

  /** The batch at the position: what was gathered or read ahead when that begins there. */
  async #nextRead(options: ReadOptions): Promise<ReadBatch> {
    const from = this.#nextOffset;
    const ahead = this.#ahead;
    const gathered = this.#gathered;
    this.#ahead = undefined;
    this.#gathered = undefined;
    if (gathered?.from === from && gathered.records > 0) {
      gathered.takeFed(this.#limits(from));
      return gathered;
    }
    // It has nothing, or begins elsewhere.
    this.#spare ??= gathered;
    const isHere = ahead?.from === from;
    return (isHere ? await ahead.read : undefined) ?? (await this.#read(from, options));
  }

  /**
   * Reads while the database works, when as much is there as makes a batch. A failure is met again by
   * whoever wants the batch.
   */
  #readAhead(from: number, signal: AbortSignal | undefined): void {
    if (this.#endOffset - from < this.#world.config.ledgerBatchRecordsMax) return;
    this.#ahead = { from, read: this.#read(from, { waitMs: 0, signal }).catch(() => undefined) };
  }

  async #read(from: number, options: ReadOptions): Promise<ReadBatch> {
    const read = this.#begin(from);
    await read.take(this.#limits(from), options);
    return read;
  }

  #begin(from: number): ReadBatch {
    const spare = this.#spare;
    this.#spare = undefined;
    if (spare === undefined) return new ReadBatch(this.#world, from);
    spare.restart(from);
    return spare;
  }

  /** On SQLite everybody who writes waits for the one transaction; on PostgreSQL nobody does. */
  #limits(from: number): ReadLimits {
    const recordsMax = this.#world.config.ledgerBatchRecordsMax;
    if (this.#world.sql.dialect !== 'postgres') return { recordsMax, pairsMax: WAITED_PAIRS_MAX };
    return this.#endOffset - from > recordsMax ? LARGE_BATCH : { recordsMax };
  }

  /** After a commit whose answer was lost, or a rebuild, the position tells what was counted. */
  async #onFailure(error: unknown): Promise<void> {
    if (error instanceof AccountingError) {
      this.#positionLosses++;
      if (this.#positionLosses >= POSITION_LOSSES_MAX) return;
      await this.#findPosition();
      throw new SqlError('SQL_POSITION_TAKEN', 'The position of the ledger was moved', {
        cause: error,
      });
    }
    await this.#findPosition();
  }

  async #findPosition(): Promise<void> {
    const { log, logger } = this.#world;
    this.#seeding.clear();
    const stats = await log.stats(TRANSFERS_TOPIC);
    const found = await checkedPosition(this.#world, LEDGER.consumer, stats);
    if (found.removed > 0) {
      logger.error('Retention removed transfer records before they were counted', {
        records: found.removed,
      });
    }
    this.#stored = found.stored;
    this.#nextOffset = found.nextOffset;
    this.#endOffset = stats.nextOffset;
  }

  #report(read: ReadBatch): void {
    const { logger } = this.#world;
    const made = this.#instruments;
    if (read.invalid > 0) {
      made.invalid.add(read.invalid);
      logger.error('Records of the topic "transfers" are no transfer records', {
        records: read.invalid,
        before: read.nextOffset,
      });
    }
    for (const gap of read.gaps) {
      logger.error('Transfer records are unreadable and count nothing', { ...gap });
    }
    made.records.add(read.batch.records);
    made.batchRecords.observe(read.batch.records);
    made.lag.set(this.lag);
    for (const reason of ['first', 'reset', 'late'] as const) {
      const count = read.zeroCredits[reason];
      if (count > 0) made.zeroCredits.add(count, { reason });
    }
    let credited = 0;
    let moved = 0;
    const { batch } = read;
    for (let pair = 0; pair < batch.size; pair++) {
      moved += batch.numberAt(pair, 'uploaded') + batch.numberAt(pair, 'downloaded');
      credited +=
        batch.numberAt(pair, 'creditedUploaded') + batch.numberAt(pair, 'creditedDownloaded');
    }
    made.bytes.add(moved);
    made.creditedBytes.add(credited);
  }
}

/**
 * What a batch costs in SQL is its pairs and not its records, and where many come the same pairs come
 * again: the longer they are let come together, the fewer rows each of them is.
 */
function intervalsAfter(records: number): number {
  return Math.min(INTERVALS_MAX, 1 + Math.floor(records / RECORDS_PER_INTERVAL));
}

interface ReadOptions {
  /** For the first record. */
  readonly waitMs: number;
  readonly signal?: AbortSignal | undefined;
}

interface Instruments {
  readonly records: Counter;
  readonly invalid: Counter;
  readonly failures: Counter;
  readonly bytes: Counter;
  readonly creditedBytes: Counter;
  readonly zeroCredits: Counter;
  readonly batchRecords: Histogram;
  readonly lag: Gauge;
}

function instrumentsOf(metrics: Registry): Instruments {
  return {
    records: metrics.counter('swarmkeep_ledger_records_total', 'Transfer records counted.'),
    invalid: metrics.counter(
      'swarmkeep_ledger_invalid_records_total',
      'Records that are no transfer records and counted nothing.',
    ),
    failures: metrics.counter(
      'swarmkeep_ledger_failures_total',
      'Batches that could not be counted and were tried again.',
    ),
    bytes: metrics.counter(
      'swarmkeep_ledger_bytes_total',
      'Bytes that members moved, up and down together.',
    ),
    creditedBytes: metrics.counter(
      'swarmkeep_ledger_credited_bytes_total',
      'Bytes that were credited, up and down together.',
    ),
    zeroCredits: metrics.counter(
      'swarmkeep_ledger_zero_credits_total',
      'Records that credit nothing, by reason: first sight, reset counters, late announce.',
    ),
    batchRecords: metrics.histogram(
      'swarmkeep_ledger_batch_records',
      'Transfer records counted in one transaction.',
      [1, 16, 256, 1024, 4096, 16_384, 65_536],
    ),
    lag: metrics.gauge('swarmkeep_ledger_lag_records', 'Transfer records not counted yet.'),
  };
}
