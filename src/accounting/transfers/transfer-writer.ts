// Appends the records of announces to the log in batches (A6). The records of all tracker threads
// stand in one queue (transfer-queue.ts); one thread runs the writer.
//
//   queue -> one append in flight -> durable: onSettled(true)
//                                 -> failed:  onLost, onSettled(false)
//
// A batch is sent when it is full, at most `batchAgeMsMax` after its first record (at once when nothing
// was sent for as long), or by flush(): then as soon as the append in flight is answered, so that
// everything that waits meanwhile shares one flush of the disk (group commit).
//
// When an append fails, every record pushed since is lost with it, because each was measured against
// a baseline that is now wrong. They go to `onLost` newest first, so that putting back each record's
// baseline in turn ends at the oldest, which is the one on disk.

import type { AccountingConfig } from '#accounting/config.ts';
import { AccountingError } from '#accounting/errors.ts';
import { assert } from '#base/assert.ts';
import type { Clock } from '#base/clock.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import type { Appended, Log } from '#log/log.ts';
import { NO_LENGTH, PackedRecords, RECORD_HEADER_BYTES } from '#log/segment/packed-records.ts';
import type { Counter, Gauge, Histogram, Registry } from '#metrics/registry.ts';
import { QUEUE_PLACE_WORDS, QUEUE_ROOM_WORDS, TransferQueue } from './transfer-queue.ts';
import { TRANSFER_RECORD_BYTES, TRANSFERS_TOPIC } from './transfer-record.ts';

export interface TransferWriterWorld {
  readonly log: Log;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Registry;
  readonly config: AccountingConfig;
  /** From TransferQueue.reserve(), when other threads push too. */
  readonly memory?: SharedArrayBuffer;
  /**
   * Newest first, `newest` being the first one's position: put each record's previous baseline back.
   * Called before anything else is appended and before onSettled. The views are lent for the call.
   */
  onLost(records: readonly Uint8Array[], newest: number): void;
  /** Everything before `position` has settled: for the queues of other threads. */
  onTold?(position: number, durable: boolean): void;
}

const QUEUE_FULL_RETRY_MS = 20;
const PLACE_BYTES = QUEUE_PLACE_WORDS * 4;

export class TransferWriter {
  /** This thread's end of the queue. */
  readonly queue: TransferQueue;
  readonly #world: TransferWriterWorld;
  readonly #instruments: Instruments;
  /** Of the append in flight, as the log packs records. */
  #packed: Uint32Array;
  #inFlight = 0;
  /** Records that should be sent and are not yet; whether a flush asked for them. */
  #wanted = 0;
  #isFlushing = false;
  #closing: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;
  #losses = 0;
  #appendedTo: number | undefined;

  constructor(world: TransferWriterWorld) {
    const { config, clock } = world;
    this.#world = world;
    this.#instruments = instrumentsOf(world.metrics);
    assert(RECORD_HEADER_BYTES === QUEUE_ROOM_WORDS * 4, 'a place has room for a packed record');
    this.#packed = sharedPlaces(config.batchRecordsMax);
    this.queue = new TransferQueue({
      memory: world.memory ?? TransferQueue.reserve(config),
      worker: 0,
      clock,
      config,
      wakeWriter: () => this.wake(),
    });
  }

  /** `recordsPendingMax` is reached: push nothing until a batch has settled. */
  get isFull(): boolean {
    return this.queue.isFull;
  }

  /** Records that are not on disk yet. */
  get pending(): number {
    return this.queue.pending;
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
    return this.queue.settled();
  }

  /** Copies the record's 128 bytes into the queue and returns its position. */
  push(record: Uint8Array): number {
    assert(this.#closing === undefined, 'nothing is pushed after close');
    const position = this.queue.reserve();
    assert(position >= 0, 'the caller looks at isFull first');
    this.queue.recordAt(this.queue.placeOf(position)).set(record);
    this.queue.publish(position);
    return position;
  }

  /** As TransferQueue's, for the writer's own thread. */
  onSettled(position: number, run: (durable: boolean) => void): void {
    this.queue.willWait();
    this.queue.onSettled(position, run);
  }

  flush(): void {
    this.queue.flush();
  }

  /** Some thread asked for a look. */
  wake(): void {
    const { count, isFlush } = this.queue.look();
    this.#wanted = Math.max(this.#wanted, count);
    this.#isFlushing ||= isFlush && count > 0;
    this.#pump();
  }

  /** Sends what is there and resolves when all of it has settled. Nobody pushes any more. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#onIdle = resolve;
      this.queue.flush();
      this.#pump();
    });
    return this.#closing;
  }

  #pump(): void {
    if (this.#inFlight > 0) return;
    if (this.#wanted === 0) {
      if (this.queue.pending === 0) this.#onIdle?.();
      return;
    }
    const { batchRecordsMax } = this.#world.config;
    const mayLeaveOne = !this.#isFlushing;
    this.#inFlight = this.queue.take(this.#packed, batchRecordsMax, mayLeaveOne);
    packPlaces(this.#packed, this.#inFlight);
    // Without a flush whole batches are wanted; one that left its last record is a whole one.
    this.#wanted = Math.max(0, this.#wanted - (mayLeaveOne ? batchRecordsMax : this.#inFlight));
    this.#isFlushing &&= this.#wanted > 0;
    this.#append(this.#inFlight, this.#world.clock.monotonicMs());
  }

  #append(count: number, sinceMs: number): void {
    const { log, clock } = this.#world;
    const bytes = new Uint8Array(this.#packed.buffer, 0, count * PLACE_BYTES);
    const records = PackedRecords.packed(count, bytes);
    log.append(TRANSFERS_TOPIC, records, { consistency: 'durable' }).then(
      (appended) => {
        this.#appendedTo = appended.firstOffset + appended.count;
        this.#instruments.waitSeconds.observe((clock.monotonicMs() - sinceMs) / 1000);
        this.#instruments.batchRecords.observe(count);
        this.#instruments.appended.add(count);
        this.#settle(appended);
      },
      (error: unknown) => {
        if (codeOf(error) === 'LOG_QUEUE_FULL') {
          // Nothing was written and nothing is lost; whoever pushes meets isFull in the meantime.
          clock.after(QUEUE_FULL_RETRY_MS, () => this.#append(count, sinceMs));
        } else this.#lose(error);
      },
    );
  }

  #settle({ count, firstOffset }: Appended): void {
    const position = this.queue.settle(count, firstOffset);
    this.#inFlight = 0;
    this.#instruments.pending.set(this.queue.pending);
    // The next batch is sent before anybody is told: it need not wait for their answers.
    this.#pump();
    this.#tell(position, true);
  }

  #lose(error: unknown): void {
    const { logger, onLost } = this.#world;
    this.#losses++;
    // Whoever failed without a word of what it did with the bytes may still look at them.
    this.#packed = sharedPlaces(this.#world.config.batchRecordsMax);
    const position = this.queue.lose((records, newest) => {
      const cause = new AccountingError('TRANSFERS_LOST', 'An append failed', { cause: error });
      logger.error('Transfer records could not be saved; clients bring them back', {
        records: records.length,
        error: messageOf(cause),
      });
      this.#instruments.lost.add(records.length);
      onLost(records, newest);
    });
    this.#inFlight = 0;
    this.#wanted = 0;
    this.#isFlushing = false;
    this.#instruments.pending.set(this.queue.pending);
    this.#tell(position, false);
    this.#pump();
  }

  #tell(position: number, durable: boolean): void {
    this.queue.tell(position, durable);
    this.#world.onTold?.(position, durable);
  }
}

/** Shared, so that the log's thread reads them where they are. */
function sharedPlaces(count: number): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(count * PLACE_BYTES));
}

/** Writes what packed-records.ts has before each record. */
function packPlaces(places: Uint32Array, count: number): void {
  const view = new DataView(places.buffer, places.byteOffset, count * PLACE_BYTES);
  for (let nth = 0, at = 0; nth < count; nth++, at += PLACE_BYTES) {
    view.setUint32(at, nth, true);
    view.setUint32(at + 4, NO_LENGTH, true);
    view.setUint32(at + 8, TRANSFER_RECORD_BYTES, true);
  }
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
      [1, 4, 16, 64, 256, 1024, 4096, 16_384],
    ),
    waitSeconds: metrics.histogram(
      'swarmkeep_transfer_append_seconds',
      'Time from sending a batch of transfer records until it is on disk.',
      [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3],
    ),
  };
}
