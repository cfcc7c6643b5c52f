// Reads a topic from a place on, record after record, waiting at the end until it is stopped. It asks
// for the next records while those before are handed out, and takes a whole answer before it does, so
// that a slow loop holds no connection.

import { LogError } from './errors.ts';
import type { Log, LogGap, ReadFrom, ReadRecord, ReadResult } from './log.ts';

export interface LogReaderOptions {
  readonly log: Log;
  readonly topic: string;
  /** Default 'beginning'. */
  readonly from?: ReadFrom;
  /** Ends before this offset; without it the reader follows the topic for ever. */
  readonly until?: number;
  /** Of one answer. Default: what the server allows. */
  readonly recordsMax?: number;
  readonly bytesMax?: number;
  /** How long one request waits at the end. Default 30 s. */
  readonly waitMs?: number;
  /** Begin at the first record that exists when retention has removed the place. Default false. */
  readonly fromStartIfGone?: boolean;
  /** Told of records that damage took away. Default: the reader ends with LOG_READ_FAILED. */
  readonly onGap?: (gap: LogGap) => void;
  /** Ends the loop by its reason. */
  readonly signal?: AbortSignal;
}

export class LogReader implements AsyncIterable<ReadRecord> {
  readonly #options: LogReaderOptions;
  #from: ReadFrom;

  constructor(options: LogReaderOptions) {
    this.#options = options;
    this.#from = options.from ?? 'beginning';
  }

  /** Where the next answer begins; everything below was handed out. */
  get nextFrom(): ReadFrom {
    return this.#from;
  }

  /** Whole answers, for who works on many records at once. Never an empty one. @throws as Log.read */
  async *batches(): AsyncGenerator<ReadResult, void, undefined> {
    const { until = Number.POSITIVE_INFINITY } = this.#options;
    while (!(typeof this.#from === 'number' && this.#from >= until)) {
      const result = await this.#read();
      if (result === undefined) continue;
      for (const gap of result.gaps) this.#tell(gap);
      const records = result.records.filter(({ offset }) => offset < until);
      this.#from = result.nextOffset;
      if (records.length > 0 || result.gaps.length > 0) yield { ...result, records };
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ReadRecord, void, undefined> {
    for await (const { records } of this.batches()) yield* records;
  }

  /** Undefined when it begins again at the first record that exists. */
  async #read(): Promise<ReadResult | undefined> {
    const { log, topic, recordsMax, bytesMax, waitMs = 30_000, signal } = this.#options;
    try {
      return await log.read(topic, {
        from: this.#from,
        waitMs,
        ...(recordsMax === undefined ? undefined : { recordsMax }),
        ...(bytesMax === undefined ? undefined : { bytesMax }),
        ...(signal === undefined ? undefined : { signal }),
      });
    } catch (error) {
      const isGone = error instanceof LogError && error.code === 'LOG_OFFSET_REMOVED';
      if (!isGone || this.#options.fromStartIfGone !== true) throw error;
      this.#from = 'beginning';
      return undefined;
    }
  }

  #tell(gap: LogGap): void {
    const { onGap, topic } = this.#options;
    if (onGap !== undefined) {
      onGap(gap);
      return;
    }
    throw new LogError(
      'LOG_READ_FAILED',
      `Cannot read topic "${topic}" from ${gap.first} to ${gap.next}: ${gap.reason}`,
      { offset: gap.next },
    );
  }
}
