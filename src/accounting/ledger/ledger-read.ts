// A batch of records on its way into the ledger: read from the log, or from the queue by which they came
// while they still stand there, and added up as they are read.

import {
  RECORD_FLAG,
  TRANSFERS_TOPIC,
  TransferReader,
  type TransferRecord,
} from '#accounting/transfers/transfer-record.ts';
import type { LogGap } from '#log/log.ts';
import { readValues, type ValueLog } from '#log/read-values.ts';
import { LedgerBatch } from './ledger-batch.ts';
import { LedgerDays } from './ledger-days.ts';

/** Shows records of the topic `transfers` without the log; transfer-feed.ts is one. */
export interface RecordFeed {
  /**
   * The records at offset `from` and behind it, in order, at most `recordsMax`: 32 words from `at` on
   * each, lent for the call. Returns how many; 0 where it has none of them, and then the log is asked.
   */
  read(from: number, recordsMax: number, visit: (words: Uint32Array, at: number) => void): number;
}

export interface RecordSource {
  readonly log: ValueLog;
  readonly feed?: RecordFeed | undefined;
}

export interface ReadLimits {
  readonly recordsMax: number;
  /** Ends when it has this many pairs of member and torrent, at the next read. */
  readonly pairsMax?: number;
}

/**
 * Where nobody waits for the transaction: many, because what they add to one row is written once; few
 * enough pairs to hold in memory, about 300 bytes each.
 */
export const LARGE_BATCH = { recordsMax: 1_048_576, pairsMax: 262_144 } as const;

/**
 * Where others wait for it: what a transaction costs is its rows, and records of pairs that it has add
 * none. So many pairs take about half a second.
 */
export const WAITED_PAIRS_MAX = 65_536;

/** Records of the log that are added up before the number of pairs is looked at again. */
const READ_RECORDS_MAX = 65_536;

export class ReadBatch {
  #from: number;
  readonly batch = new LedgerBatch();
  readonly days = new LedgerDays();
  gaps: LogGap[] = [];
  /** Records that credit nothing, by their reason. */
  zeroCredits = { first: 0, reset: 0, late: 0 };
  readonly #source: RecordSource;
  readonly #reader = new TransferReader();
  #invalid = 0;
  #nextOffset: number;

  constructor(source: RecordSource, from: number) {
    this.#source = source;
    this.#from = from;
    this.#nextOffset = from;
  }

  /**
   * Begins anew at `from`, in the memory of the batch that it was: memory made for each of them, megabytes
   * at a time, has the engine look through the whole heap every few seconds. Nobody needs that batch now.
   */
  restart(from: number): void {
    this.#from = from;
    this.#nextOffset = from;
    this.#invalid = 0;
    this.batch.clear();
    this.days.clear();
    this.gaps = [];
    this.zeroCredits = { first: 0, reset: 0, late: 0 };
  }

  get from(): number {
    return this.#from;
  }

  get nextOffset(): number {
    return this.#nextOffset;
  }

  /** Records that are no transfer records; they count nothing. */
  get invalid(): number {
    return this.#invalid;
  }

  /** Records that were read. */
  get records(): number {
    return this.batch.records + this.#invalid;
  }

  isFull({ recordsMax, pairsMax = Number.POSITIVE_INFINITY }: ReadLimits): boolean {
    return this.records >= recordsMax || this.batch.size >= pairsMax;
  }

  /** Adds what the feed has; returns how many records. */
  takeFed(limits: ReadLimits): number {
    const { feed } = this.#source;
    if (feed === undefined || this.isFull(limits)) return 0;
    const room = limits.recordsMax - this.records;
    const fed = feed.read(this.#nextOffset, room, (words, at) => {
      this.#add(this.#reader.readWords(words, at));
    });
    this.#nextOffset += fed;
    return fed;
  }

  /**
   * Adds what is there, at most as much as the limits say. `waitMs` is for the first record: what has been
   * read must not wait for more. @throws as Log.read()
   */
  async take(
    limits: ReadLimits,
    options: { readonly waitMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<void> {
    const { signal } = options;
    const visit = (bytes: Uint8Array, at: number, length: number): void => {
      this.#add(this.#reader.read(bytes, at, length));
    };
    while (!this.isFull(limits)) {
      const fed = this.takeFed(limits);
      // The log has no more either, or next to nothing.
      if (fed > 0) return;
      const before = this.#nextOffset;
      const reading = {
        from: before,
        recordsMax: Math.min(READ_RECORDS_MAX, limits.recordsMax - this.records),
        waitMs: before === this.from ? options.waitMs : 0,
        ...(signal === undefined ? {} : { signal }),
      };
      const read = await readValues(this.#source.log, TRANSFERS_TOPIC, reading, visit);
      this.gaps.push(...read.gaps);
      this.#nextOffset = read.nextOffset;
      if (read.nextOffset === before) return;
    }
  }

  #add(record: TransferRecord | undefined): void {
    if (record === undefined) {
      this.#invalid++;
      return;
    }
    this.batch.add(record);
    this.days.add(record);
    const { flags } = record;
    if ((flags & ZERO_CREDIT) !== 0) this.#addZeroCredit(flags);
  }

  #addZeroCredit(flags: number): void {
    if ((flags & RECORD_FLAG.first) !== 0) this.zeroCredits.first++;
    else if ((flags & RECORD_FLAG.reset) !== 0) this.zeroCredits.reset++;
    else this.zeroCredits.late++;
  }
}

const ZERO_CREDIT = RECORD_FLAG.first | RECORD_FLAG.reset | RECORD_FLAG.late;
