// Reads a topic's values one after another without an object for any of them, where the log gives its
// batches: for who counts millions of records and keeps none. Through any other log it is a plain read.

import type { BatchLog } from './batch-log.ts';
import { LogError } from './errors.ts';
import type { Log, LogGap, ReadOptions } from './log.ts';
import { gapReason, type PlacedValue, readBatchHeader, visitValues } from './segment/batch.ts';

/** The reason of a gap where a batch does not hold what it should. */
export const MISSING = 'records are missing: the bytes that held them are damaged or gone';

/** Servers may give fewer at once; none need give more. */
const READ_RECORDS_MAX = 4096;

/** A log of which some can give batches. */
export type ValueLog = Log & Partial<Pick<BatchLog, 'readBatches'>>;

/** The value is `bytes` from `at` on, `length` of them, lent for the call; a tombstone's is empty. */
export type ValueVisitor = (bytes: Uint8Array, at: number, length: number) => void;

export interface ValuesRead {
  /** How many values were shown. */
  readonly values: number;
  readonly nextOffset: number;
  readonly gaps: readonly LogGap[];
}

/** As Log.read(), at most `recordsMax` values, in order. @throws as Log.read() */
export async function readValues(
  log: ValueLog,
  topic: string,
  options: ReadOptions & { readonly from: number; readonly recordsMax: number },
  visit: ValueVisitor,
): Promise<ValuesRead> {
  if (log.readBatches === undefined) {
    const recordsMax = Math.min(options.recordsMax, READ_RECORDS_MAX);
    const { records, nextOffset, gaps } = await log.read(topic, { ...options, recordsMax });
    for (const { value } of records) visit(value, 0, value.byteLength);
    return { values: records.length, nextOffset, gaps };
  }
  const read = await log.readBatches(topic, options);
  const shown = new Shown(options, visit);
  for (const batch of read.batches) if (!shown.isFull) shown.show(batch);
  const nextOffset = shown.isFull ? shown.nextOffset : read.nextOffset;
  return { values: shown.values, nextOffset, gaps: shown.gaps };
}

/** What one answer shows, batch by batch. */
class Shown {
  readonly gaps: LogGap[] = [];
  values = 0;
  /** Behind the last value or gap. */
  nextOffset: number;
  /** There is more than may be shown. */
  isFull = false;
  readonly #recordsMax: number;
  readonly #visit: ValueVisitor;

  constructor(
    { from, recordsMax }: { readonly from: number; readonly recordsMax: number },
    visit: ValueVisitor,
  ) {
    this.nextOffset = from;
    this.#recordsMax = recordsMax;
    this.#visit = visit;
  }

  show(batch: Uint8Array): void {
    const header = readBatchHeader(batch, 0);
    if (header === undefined) throw new LogError('LOG_READ_FAILED', 'A batch has no header');
    const end = header.firstOffset + header.span;
    if (header.isGap) this.#addGap(end, gapReason(batch, header));
    else if (!visitValues(batch, header, this.nextOffset, this.#show)) this.#addGap(end, MISSING);
    if (!this.isFull) this.nextOffset = end;
  }

  readonly #show = (body: Uint8Array, { offset, at, length }: PlacedValue): boolean => {
    if (this.values === this.#recordsMax) {
      this.isFull = true;
      return false;
    }
    this.#visit(body, at, length);
    this.values++;
    this.nextOffset = offset + 1;
    return true;
  };

  #addGap(next: number, reason: string): void {
    const last = this.gaps.at(-1);
    const first = this.nextOffset;
    if (next <= first) return;
    if (last?.next === first && last.reason === reason) {
      this.gaps[this.gaps.length - 1] = { first: last.first, next, reason };
    } else {
      this.gaps.push({ first, next, reason });
    }
  }
}
