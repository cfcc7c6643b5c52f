// Takes the records of announces and appends them to the log in batches (A6).
//
//   push() -> open batch -> sealed batches -> one append in flight -> durable: onSettled(true)
//                                                                  -> failed:  onLost, onSettled(false)
//
// A batch is sealed when it is full, `batchAgeMsMax` after its first record, or by flush(): then as
// soon as the append in flight is answered, so that everything that waits meanwhile shares one flush
// of the disk (group commit).
//
// When an append fails, every record pushed since is lost with it, because each was measured against
// a baseline that is now wrong. They go to `onLost` newest first, so that putting back each record's
// baseline in turn ends at the oldest, which is the one on disk.

import { assert } from '#base/assert.ts';
import type { Clock, Timer } from '#base/clock.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import type { Log, LogRecord } from '#log/log.ts';
import type { Counter, Gauge, Histogram, Registry } from '#metrics/registry.ts';
import type { AccountingConfig } from './config.ts';
import { AccountingError } from './errors.ts';
import { TRANSFER_RECORD_BYTES, TRANSFERS_TOPIC } from './transfer-record.ts';

export interface TransferWriterWorld {
  readonly log: Log;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Registry;
  readonly config: AccountingConfig;
  /**
   * Newest first: put each record's previous baseline back. Called before anything else is appended
   * and before onSettled. The views are lent for the call.
   */
  onLost(records: readonly Uint8Array[]): void;
}

/** Buffers kept for the next batches; more than these are left to the garbage collector. */
const SPARE_BATCHES_MAX = 4;
const QUEUE_FULL_RETRY_MS = 20;

interface Batch {
  number: number;
  count: number;
  /** One view for each place of a record, made once with the buffer. */
  readonly records: readonly LogRecord[];
  readonly settled: ((durable: boolean) => void)[];
}

export class TransferWriter {
  readonly #world: TransferWriterWorld;
  readonly #instruments: Instruments;
  readonly #sealed: Batch[] = [];
  readonly #spare: Batch[] = [];
  #open: Batch;
  #inFlight: Batch | undefined;
  #pending = 0;
  #nextNumber = 1;
  #age: Timer | undefined;
  #flushWanted = false;
  #closing: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;
  #losses = 0;
  #appendedTo: number | undefined;

  constructor(world: TransferWriterWorld) {
    this.#world = world;
    this.#instruments = instrumentsOf(world.metrics);
    this.#open = this.#newBatch();
  }

  /** `recordsPendingMax` is reached: push nothing until a batch has settled. */
  get isFull(): boolean {
    return this.#pending >= this.#world.config.recordsPendingMax;
  }

  /** Records that are not on disk yet. */
  get pending(): number {
    return this.#pending;
  }

  /** How often an append failed and records were lost. */
  get losses(): number {
    return this.#losses;
  }

  /** The offset behind the last record that is on disk; undefined before the first. */
  get appendedTo(): number | undefined {
    return this.#appendedTo;
  }

  /** Sends what is there and resolves when everything pushed so far has settled, durable or lost. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      const last = this.#open.count > 0 ? this.#open : (this.#sealed.at(-1) ?? this.#inFlight);
      if (last === undefined) {
        resolve();
        return;
      }
      last.settled.push(() => resolve());
      this.flush();
    });
  }

  /** Copies the record's 128 bytes into the open batch and returns that batch's number. */
  push(record: Uint8Array): number {
    assert(record.byteLength === TRANSFER_RECORD_BYTES, 'a transfer record has 128 bytes');
    assert(!this.isFull, 'the caller looks at isFull first');
    assert(this.#closing === undefined, 'nothing is pushed after close');
    const batch = this.#open;
    batch.records[batch.count]!.value.set(record);
    batch.count++;
    this.#pending++;
    if (batch.count === 1) this.#startAge();
    if (batch.count === batch.records.length) {
      this.#seal();
      this.#pump();
    }
    return batch.number;
  }

  /** Sends the open batch as soon as the append in flight is answered; at once when there is none. */
  flush(): void {
    if (this.#open.count === 0) return;
    this.#flushWanted = true;
    this.#pump();
  }

  /** `batch` is what push() returned and has not settled yet. */
  onSettled(batch: number, run: (durable: boolean) => void): void {
    const found = [this.#open, ...this.#sealed, this.#inFlight].find(
      (candidate) => candidate?.number === batch,
    );
    assert(found !== undefined, 'the batch has not settled yet');
    found.settled.push(run);
  }

  /** Sends what is there and resolves when all of it has settled. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#onIdle = resolve;
      this.flush();
      this.#pump();
    });
    return this.#closing;
  }

  #newBatch(): Batch {
    const batch = this.#spare.pop() ?? emptyBatch(this.#world.config.batchRecordsMax);
    batch.number = this.#nextNumber++;
    return batch;
  }

  #startAge(): void {
    const { clock, config } = this.#world;
    this.#age = clock.after(config.batchAgeMsMax, () => this.flush());
  }

  #seal(): void {
    this.#age?.cancel();
    this.#age = undefined;
    this.#flushWanted = false;
    this.#sealed.push(this.#open);
    this.#open = this.#newBatch();
  }

  #pump(): void {
    if (this.#inFlight !== undefined) return;
    if (this.#sealed.length === 0 && this.#flushWanted) this.#seal();
    const batch = this.#sealed.shift();
    if (batch === undefined) {
      if (this.#pending === 0) this.#onIdle?.();
      return;
    }
    this.#inFlight = batch;
    this.#append(batch, this.#world.clock.monotonicMs());
  }

  #append(batch: Batch, sinceMs: number): void {
    const { log, clock } = this.#world;
    const records = batch.records.slice(0, batch.count);
    log.append(TRANSFERS_TOPIC, records, { consistency: 'durable' }).then(
      (appended) => {
        this.#appendedTo = appended.firstOffset + appended.count;
        this.#instruments.waitSeconds.observe((clock.monotonicMs() - sinceMs) / 1000);
        this.#instruments.batchRecords.observe(batch.count);
        this.#instruments.appended.add(batch.count);
        this.#settle(batch);
      },
      (error: unknown) => {
        if (codeOf(error) === 'LOG_QUEUE_FULL') {
          // Nothing was written and nothing is lost; whoever pushes meets isFull in the meantime.
          clock.after(QUEUE_FULL_RETRY_MS, () => this.#append(batch, sinceMs));
        } else this.#lose(error);
      },
    );
  }

  #settle(batch: Batch): void {
    this.#inFlight = undefined;
    this.#pending -= batch.count;
    this.#instruments.pending.set(this.#pending);
    const { settled } = batch;
    const waiting = settled.splice(0);
    this.#recycle(batch);
    // The next batch is sent before anybody is told: it need not wait for their answers.
    this.#pump();
    for (const run of waiting) run(true);
  }

  #lose(error: unknown): void {
    const lost = [this.#inFlight, ...this.#sealed, this.#open].filter(
      (batch) => batch !== undefined,
    );
    const records = lost.flatMap((batch) =>
      batch.records.slice(0, batch.count).map((record) => record.value),
    );
    this.#world.logger.error('Transfer records could not be saved; clients bring them back', {
      records: records.length,
      error: messageOf(new AccountingError('TRANSFERS_LOST', 'An append failed', { cause: error })),
    });
    this.#instruments.lost.add(records.length);
    this.#losses++;
    this.#world.onLost(records.reverse());
    this.#age?.cancel();
    this.#age = undefined;
    this.#flushWanted = false;
    this.#inFlight = undefined;
    this.#sealed.length = 0;
    this.#pending = 0;
    this.#instruments.pending.set(0);
    this.#open = this.#newBatch();
    const waiting = lost.flatMap((batch) => batch.settled.splice(0));
    for (const batch of lost) this.#recycle(batch);
    for (const run of waiting) run(false);
    this.#pump();
  }

  #recycle(batch: Batch): void {
    batch.count = 0;
    if (this.#spare.length < SPARE_BATCHES_MAX) this.#spare.push(batch);
  }
}

function emptyBatch(recordsMax: number): Batch {
  const bytes = new Uint8Array(recordsMax * TRANSFER_RECORD_BYTES);
  const records = Array.from({ length: recordsMax }, (_, at) => {
    const from = at * TRANSFER_RECORD_BYTES;
    return { value: bytes.subarray(from, from + TRANSFER_RECORD_BYTES) };
  });
  return { number: 0, count: 0, records, settled: [] };
}

interface Instruments {
  readonly appended: Counter;
  readonly lost: Counter;
  readonly pending: Gauge;
  readonly batchRecords: Histogram;
  readonly waitSeconds: Histogram;
}

function instrumentsOf(metrics: Registry): Instruments {
  return {
    appended: metrics.counter(
      'swarmkeep_transfer_records_total',
      'Transfer records saved in the log.',
    ),
    lost: metrics.counter(
      'swarmkeep_transfer_records_lost_total',
      'Transfer records that could not be saved; their bytes come with a later announce.',
    ),
    pending: metrics.gauge(
      'swarmkeep_transfer_records_pending',
      'Transfer records that wait for the disk.',
    ),
    batchRecords: metrics.histogram(
      'swarmkeep_transfer_batch_records',
      'Transfer records saved by one append.',
      [1, 4, 16, 64, 256, 1024, 4096],
    ),
    waitSeconds: metrics.histogram(
      'swarmkeep_transfer_append_seconds',
      'Time from sending a batch of transfer records until it is on disk.',
      [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3],
    ),
  };
}
