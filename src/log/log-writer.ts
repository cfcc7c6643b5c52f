// Collects records into batches and appends them in order, one batch at a time. What is not flushed is
// bounded; at the bound `add` waits, fails, or fills a backlog that drains in order. Works over any
// Log: the backlog on disk is another Log, a topic of a LocalLog.

import type { Clock, Timer } from '#base/clock.ts';
import { sleep } from '#base/clock.ts';
import { codeOf } from '#base/errors.ts';
import { recordBytes } from '#log/segment/packed-records.ts';
import { LogError } from './errors.ts';
import type { Consistency, Log, LogRecord } from './log.ts';

/** After these the same batch may succeed; nothing of it was kept, or it is repeated by its stamp. */
const RETRIED: ReadonlySet<string | undefined> = new Set([
  'LOG_QUEUE_FULL',
  'LOG_APPEND_FAILED',
  'LOG_UNREACHABLE',
]);
const RETRY_MS = 250;
/** The consumer of a backlog that remembers how far it was drained. */
const DRAINED = 'drained';

/** What the bound is followed by. */
export type AtBound =
  /** `add` resolves when there is room. */
  | 'wait'
  /** `add` rejects with LOG_QUEUE_FULL. */
  | 'fail'
  /**
   * Records go to a topic of another log and follow from there in order, also in the next writer on
   * that backlog. A process that dies while it drains repeats at most one batch.
   */
  | { readonly backlog: Log; readonly topic: string };

export interface LogWriterOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly topic: string;
  readonly consistency?: Consistency;
  /** A batch is sent when it has as many records. Default 1,000. */
  readonly batchRecordsMax?: number;
  /** Or as many bytes. Default 256 KiB. */
  readonly batchBytesMax?: number;
  /** Or when its first record is as old. Default 20 ms. */
  readonly lingerMs?: number;
  /** Added and not answered. Defaults 100,000 and 16 MiB. */
  readonly unflushedRecordsMax?: number;
  readonly unflushedBytesMax?: number;
  /** Default 'wait'. */
  readonly atBound?: AtBound;
  /** Failures that may pass are repeated for as long; then the writer fails. Default 60 s. */
  readonly retryMs?: number;
  /** Offsets of a batch that is flushed; the records' follow without a gap. */
  readonly onFlushed?: (flushed: { readonly firstOffset: number; readonly count: number }) => void;
  readonly signal?: AbortSignal;
}

export class LogWriter {
  readonly #options: LogWriterOptions;
  #records: LogRecord[] = [];
  #bytes = 0;
  /** On their way. */
  #sendingRecords = 0;
  #sendingBytes = 0;
  #pumping: Promise<void> | undefined;
  #lingerTimer: Timer | undefined;
  #isDue = false;
  #failure: unknown;
  #isClosed = false;
  #waiters: (() => void)[] = [];
  /** Where the backlog's next record is, while it has any, and where it ends. */
  #backlogFrom: number | undefined;
  #backlogEnd = 0;
  #spilling: Promise<void> = Promise.resolve();
  /** Records on their way into the backlog. */
  #spills = 0;
  #looking: Promise<void> | undefined;

  constructor(options: LogWriterOptions) {
    this.#options = options;
  }

  /** Records and bytes that were added and are not answered; the backlog's are not among them. */
  get unflushed(): { readonly records: number; readonly bytes: number } {
    return {
      records: this.#records.length + this.#sendingRecords,
      bytes: this.#bytes + this.#sendingBytes,
    };
  }

  /**
   * Takes a record; resolves at once while there is room. The record must not change after it.
   * @throws LogError LOG_QUEUE_FULL at the bound, LOG_CLOSED; what an earlier flush failed with; the
   *   signal's reason
   */
  async add(record: LogRecord): Promise<void> {
    this.#check();
    const size = recordBytes(record);
    const { atBound = 'wait' } = this.#options;
    if (typeof atBound === 'object') {
      this.#looking ??= this.#lookAtBacklog(atBound);
      await this.#looking;
      this.#check();
      // Whoever comes later stands behind what is there.
      if (this.#backlogFrom !== undefined || this.#spills > 0) return this.#spill(record);
    }
    while (!this.#hasRoom(size)) {
      if (atBound === 'fail') {
        const { records, bytes } = this.unflushed;
        throw new LogError(
          'LOG_QUEUE_FULL',
          `${records} records of ${bytes} bytes are not flushed`,
        );
      }
      if (typeof atBound === 'object') return this.#spill(record);
      this.#isDue = true;
      this.#pump();
      await this.#change();
      this.#check();
    }
    this.#records.push(record);
    this.#bytes += size;
    this.#schedule();
  }

  /**
   * Resolves when everything added before is answered, the backlog's as well.
   * @throws what the append failed with; those records were dropped, and the writer takes no more
   */
  async flush(): Promise<void> {
    await this.#spilling;
    while (this.#records.length + this.#sendingRecords > 0 || this.#backlogFrom !== undefined) {
      if (this.#failure !== undefined) break;
      this.#isDue = true;
      this.#pump();
      await this.#change();
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Flushes, then takes no more. An error of it is a failed write. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    try {
      await this.flush();
    } finally {
      this.#lingerTimer?.cancel();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    this.#options.signal?.throwIfAborted();
    if (this.#isClosed) throw new LogError('LOG_CLOSED', 'The writer is closed');
  }

  #hasRoom(size: number): boolean {
    const { unflushedRecordsMax = 100_000, unflushedBytesMax = 16 * 1024 * 1024 } = this.#options;
    const { records, bytes } = this.unflushed;
    return records === 0 || (records < unflushedRecordsMax && bytes + size <= unflushedBytesMax);
  }

  #schedule(): void {
    const { batchRecordsMax = 1000, batchBytesMax = 256 * 1024, lingerMs = 20 } = this.#options;
    if (this.#records.length >= batchRecordsMax || this.#bytes >= batchBytesMax) {
      this.#isDue = true;
      this.#pump();
      return;
    }
    this.#lingerTimer ??= this.#options.clock.after(lingerMs, () => {
      this.#lingerTimer = undefined;
      this.#isDue = true;
      this.#pump();
    });
  }

  /** Resolves at the next change of what is unflushed; rejects with the signal's reason. */
  #change(): Promise<void> {
    const { signal } = this.#options;
    return new Promise((resolve, reject) => {
      const done = (): void => {
        signal?.removeEventListener('abort', abort);
        resolve();
      };
      const abort = (): void => {
        this.#waiters = this.#waiters.filter((waiter) => waiter !== done);
        reject(signal?.reason);
      };
      if (signal?.aborted === true) {
        reject(signal.reason);
        return;
      }
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiters.push(done);
    });
  }

  #changed(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }

  #pump(): void {
    this.#pumping ??= this.#send()
      .catch((error: unknown) => {
        this.#failure = error;
        this.#records = [];
        this.#bytes = 0;
        this.#sendingRecords = 0;
        this.#sendingBytes = 0;
        this.#backlogFrom = undefined;
      })
      .finally(() => {
        this.#pumping = undefined;
        this.#changed();
        // Became due after the last look.
        const hasMore =
          (this.#isDue && this.#records.length > 0) || this.#backlogFrom !== undefined;
        if (hasMore && this.#failure === undefined) this.#pump();
      });
  }

  async #send(): Promise<void> {
    while (this.#isDue && this.#records.length > 0) {
      this.#isDue = false;
      const batch = this.#take();
      await this.#append(batch);
      this.#sendingRecords = 0;
      this.#sendingBytes = 0;
      this.#isDue ||= this.#records.length > 0 && this.#lingerTimer === undefined;
      this.#changed();
    }
    if (this.#backlogFrom !== undefined) await this.#drain();
  }

  #take(): LogRecord[] {
    const { batchRecordsMax = 1000, batchBytesMax = 256 * 1024 } = this.#options;
    let count = 0;
    let bytes = 0;
    for (const record of this.#records) {
      const size = recordBytes(record);
      if (count >= batchRecordsMax || (count > 0 && bytes + size > batchBytesMax)) break;
      count++;
      bytes += size;
    }
    const batch = this.#records.slice(0, count);
    this.#records = this.#records.slice(count);
    this.#bytes -= bytes;
    this.#sendingRecords = count;
    this.#sendingBytes = bytes;
    if (this.#records.length > 0) this.#isDue = true;
    return batch;
  }

  async #append(records: readonly LogRecord[]): Promise<void> {
    const { log, topic, consistency, signal, clock, retryMs = 60_000, onFlushed } = this.#options;
    const deadlineMs = clock.monotonicMs() + retryMs;
    for (;;) {
      try {
        const options = {
          ...(consistency === undefined ? undefined : { consistency }),
          ...(signal === undefined ? undefined : { signal }),
        };
        const flushed = await log.append(topic, records, options);
        onFlushed?.(flushed);
        return;
      } catch (error) {
        if (!RETRIED.has(codeOf(error)) || clock.monotonicMs() >= deadlineMs) throw error;
        await sleep(clock, RETRY_MS, signal);
      }
    }
  }

  /** In order: one record after the other reaches the backlog as it was added. */
  #spill(record: LogRecord): Promise<void> {
    const { atBound } = this.#options;
    if (typeof atBound !== 'object') return Promise.resolve();
    const spilled = this.#spilling.then(async () => {
      const { firstOffset } = await atBound.backlog.append(atBound.topic, [record]);
      this.#backlogFrom ??= firstOffset;
      this.#backlogEnd = firstOffset + 1;
      this.#pump();
    });
    this.#spills++;
    const counted = spilled.finally(() => {
      this.#spills--;
    });
    this.#spilling = counted.catch(() => undefined);
    return counted;
  }

  /** What an earlier writer left there goes first. */
  async #lookAtBacklog(at: { readonly backlog: Log; readonly topic: string }): Promise<void> {
    const { firstOffset, nextOffset } = await at.backlog.stats(at.topic);
    const drained = (await at.backlog.position(at.topic, DRAINED)) ?? firstOffset;
    if (drained >= nextOffset) return;
    this.#backlogFrom = drained;
    this.#backlogEnd = nextOffset;
    this.#pump();
  }

  /** After the records in memory come those of the backlog; its last one ends it. */
  async #drain(): Promise<void> {
    const { atBound, batchRecordsMax = 1000, batchBytesMax = 256 * 1024 } = this.#options;
    if (typeof atBound !== 'object') return;
    const { backlog, topic } = atBound;
    while (this.#backlogFrom !== undefined) {
      const from = this.#backlogFrom;
      const read = await backlog.read(topic, {
        from,
        recordsMax: batchRecordsMax,
        bytesMax: batchBytesMax,
        waitMs: 1000,
      });
      if (read.records.length > 0) await this.#append(read.records);
      await backlog.commit(topic, DRAINED, read.nextOffset);
      this.#backlogFrom = read.nextOffset < this.#backlogEnd ? read.nextOffset : undefined;
      this.#changed();
    }
  }
}
