// The chain rule of transfer-record.ts, checked record by record: for each baseline the sequence has
// no gap and no repeat, and each record's counters minus its deltas are the counters before, or for a
// `resumed` one what the streams before it had to pass, by the rule itself. So a record that is missing,
// doubled, changed or out of its place is found, and named by its offset.

import { followRecord } from '#accounting/baselines/baseline-after.ts';
import {
  copyStreams,
  isOtherKey,
  newStreams,
  type Streams,
} from '#accounting/baselines/streams.ts';
import { RECORD_FLAG, type TransferRecord } from '#accounting/transfers/transfer-record.ts';
import { toHex } from '#base/bytes.ts';
import { ChainTable, type SavedTable } from './chain-table.ts';

/** A baseline can be founded anew only after a long silence; never within this time. */
const FOUND_AGAIN_MS_MIN = 60_000;

/** What was followed so far. */
export interface SavedChain {
  readonly table: SavedTable;
  readonly streams: ReadonlyMap<number, Streams>;
}

export class AuditChain {
  readonly #table: ChainTable;
  readonly #report: (difference: string) => void;
  /** Retention took away the log's beginning: chains begin in their middle. */
  readonly #isCut: boolean;
  /** Of the few baselines that have any, by their index. */
  readonly #streams = new Map<number, Streams>();

  constructor(options: {
    readonly baselinesMax: number;
    readonly isCut: boolean;
    readonly report: (difference: string) => void;
  }) {
    this.#table = new ChainTable(options.baselinesMax);
    this.#isCut = options.isCut;
    this.#report = options.report;
  }

  clear(): void {
    this.#table.clear();
    this.#streams.clear();
  }

  save(): SavedChain {
    return { table: this.#table.save(), streams: this.#streams };
  }

  load({ table, streams }: SavedChain): void {
    this.#table.load(table);
    this.#streams.clear();
    for (const [index, kept] of streams) this.#streams.set(index, kept);
  }

  /** `bytes` are the record's own. False when the table is full and nothing was checked. */
  check(offset: number, bytes: Uint8Array, record: TransferRecord): boolean {
    const table = this.#table;
    let index = table.find(bytes);
    const isNew = index < 0;
    if (isNew) {
      if (table.isFull) return false;
      index = table.add(bytes);
    }
    const fits = this.#follow(index, record);
    const problem = isNew ? this.#problemOfFirst(record) : this.#problem(index, record, fits);
    if (problem !== undefined) {
      const { memberId, torrentId, peerId, sequence } = record;
      this.#report(
        `offset ${offset}: member ${memberId}, torrent ${torrentId}, peer ${toHex(peerId)}, ` +
          `sequence ${sequence}: ${problem}`,
      );
    }
    // After a problem the chain is followed from here, so that each is reported once.
    table.sequence[index] = record.sequence;
    table.uploaded[index] = record.uploaded;
    table.downloaded[index] = record.downloaded;
    table.timeMs[index] = record.timeMs;
    const isLate = (record.flags & RECORD_FLAG.late) !== 0;
    const isPlain = (record.flags & (RECORD_FLAG.first | RECORD_FLAG.reset)) === 0;
    if (!isLate && !(isPlain && record.key === 0)) table.key[index] = record.key;
    return true;
  }

  /** Brings the streams behind the record. False when it says `resumed` and does not follow from them. */
  #follow(index: number, record: TransferRecord): boolean {
    const table = this.#table;
    const key = table.key[index]!;
    const streams = this.#streams.get(index);
    const moving = RECORD_FLAG.first | RECORD_FLAG.reset | RECORD_FLAG.resumed;
    if ((record.flags & moving) === 0 && !isOtherKey(record.key, key)) return true;
    const { next, fits } = followRecord(
      {
        uploaded: table.uploaded[index]!,
        downloaded: table.downloaded[index]!,
        key,
        sequence: table.sequence[index]!,
        higherAtSeconds: 0,
        left: 0,
        completed: false,
        ...(streams !== undefined && { streams }),
      },
      record,
    );
    if (next.streams.count === 0) this.#streams.delete(index);
    else {
      const kept = streams ?? newStreams();
      copyStreams(next.streams, kept);
      this.#streams.set(index, kept);
    }
    // Where the log's beginning is gone, so may be the record that the stream was left by.
    return fits || this.#isCut;
  }

  #problemOfFirst(record: TransferRecord): string | undefined {
    if ((record.flags & RECORD_FLAG.first) !== 0) return problemOfFounding(record);
    return this.#isCut
      ? undefined
      : 'it does not found a baseline, and the records before are missing';
  }

  #problem(index: number, record: TransferRecord, fits: boolean): string | undefined {
    const table = this.#table;
    const sequence = table.sequence[index]!;
    const uploaded = table.uploaded[index]!;
    const downloaded = table.downloaded[index]!;
    if ((record.flags & RECORD_FLAG.first) !== 0) {
      const since = record.timeMs - table.timeMs[index]!;
      if (since < FOUND_AGAIN_MS_MIN) return 'it founds a baseline that was there (a repeat)';
      return problemOfFounding(record);
    }
    const expected = (sequence + 1) >>> 0;
    if (record.sequence !== expected) {
      const kind = record.sequence > expected ? 'records before it are missing' : 'it is a repeat';
      return `expected sequence ${expected}: ${kind} or out of order`;
    }
    const moved = record.uploadedDelta + record.downloadedDelta;
    if ((record.flags & RECORD_FLAG.reset) !== 0) {
      if (moved > 0) return 'it resets the counters and yet credits bytes';
      const isLower = record.uploaded < uploaded || record.downloaded < downloaded;
      return isLower ? undefined : 'it resets the counters, but neither is lower';
    }
    if ((record.flags & RECORD_FLAG.late) !== 0 && moved > 0) {
      return 'it is late and yet credits bytes';
    }
    if ((record.flags & RECORD_FLAG.resumed) !== 0) {
      return fits ? undefined : 'it resumes a stream that the records before it do not leave';
    }
    const from = {
      up: record.uploaded - record.uploadedDelta,
      down: record.downloaded - record.downloadedDelta,
    };
    if (from.up !== uploaded || from.down !== downloaded) {
      return (
        `it was measured from ${from.up} up and ${from.down} down, ` +
        `but the record before it ends at ${uploaded} and ${downloaded}`
      );
    }
    return undefined;
  }
}

function problemOfFounding(record: TransferRecord): string | undefined {
  if (record.sequence !== 1) return 'it founds a baseline, but its sequence is not 1';
  if (record.uploadedDelta + record.downloadedDelta > 0) {
    return 'it founds a baseline and yet credits bytes';
  }
  return undefined;
}
