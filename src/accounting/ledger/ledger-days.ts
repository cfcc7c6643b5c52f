// Adds records up per member and day (UTC): what charts show and what strategies look back on. Pure,
// like ledger-batch.ts. Who was not named has no days.

import { SEED_SECONDS_PER_RECORD_MAX } from '#accounting/seeding/seeding.ts';
import {
  creditOf,
  RECORD_FLAG,
  TRANSFER_EVENT,
  type TransferRecord,
} from '#accounting/transfers/transfer-record.ts';
import { assert } from '#base/assert.ts';
import { sum } from './ledger-batch.ts';
import { PairIndex } from './pair-index.ts';

const DAY_MS = 86_400_000;

/** What a member did on a day, over all torrents, as far as this batch knows. */
export interface LedgerDay {
  readonly memberId: number;
  /** Days since 1970, UTC. */
  readonly day: number;
  uploadedBytes: number;
  downloadedBytes: number;
  creditedUploadedBytes: number;
  creditedDownloadedBytes: number;
  /** Seconds seeded, over all torrents: two for an hour are 7,200. Two clients of one torrent are one. */
  seedSeconds: number;
  /** The same for torrents that were not complete, of each client. At most an hour per record. */
  leechSeconds: number;
}

export function dayOf(timeMs: number): number {
  return Math.floor(timeMs / DAY_MS);
}

export class LedgerDays {
  readonly #index = new PairIndex();
  readonly #days: LedgerDay[] = [];

  get days(): readonly LedgerDay[] {
    return this.#days;
  }

  /** What was added up before; nothing of this day was added here. */
  begin(day: LedgerDay): void {
    const at = this.#index.indexOf(day.memberId, day.day);
    assert(at === this.#days.length, 'a day begins once');
    this.#days.push(day);
  }

  /** In any order: sums only. Seed time comes by addSeeded(), when it is known. */
  add(record: TransferRecord): void {
    const { memberId } = record;
    if (memberId === 0) return;
    addTo(this.#dayOf(memberId, dayOf(record.timeMs)), record);
  }

  /** What a record that came at `atMs` added to the seed time. */
  addSeeded(memberId: number, atMs: number, seconds: number): void {
    this.#dayOf(memberId, dayOf(atMs)).seedSeconds += seconds;
  }

  #dayOf(memberId: number, number: number): LedgerDay {
    const at = this.#index.indexOf(memberId, number);
    let day = this.#days[at];
    if (day === undefined) {
      day = newDay(memberId, number);
      this.#days.push(day);
    }
    return day;
  }
}

function newDay(memberId: number, day: number): LedgerDay {
  return {
    memberId,
    day,
    uploadedBytes: 0,
    downloadedBytes: 0,
    creditedUploadedBytes: 0,
    creditedDownloadedBytes: 0,
    seedSeconds: 0,
    leechSeconds: 0,
  };
}

function addTo(entry: LedgerDay, record: TransferRecord): void {
  const { uploadedDelta: up, downloadedDelta: down } = record;
  entry.uploadedBytes = sum(entry.uploadedBytes, up);
  entry.downloadedBytes = sum(entry.downloadedBytes, down);
  const creditedUp = creditOf(up, record.uploadCreditPercent);
  const creditedDown = creditOf(down, record.downloadCreditPercent);
  entry.creditedUploadedBytes = sum(entry.creditedUploadedBytes, creditedUp);
  entry.creditedDownloadedBytes = sum(entry.creditedDownloadedBytes, creditedDown);
  // Whoever says `started` was away until now.
  if (record.event === TRANSFER_EVENT.started) return;
  if ((record.flags & RECORD_FLAG.seededBefore) !== 0) return;
  entry.leechSeconds += Math.min(record.elapsedSeconds, SEED_SECONDS_PER_RECORD_MAX);
}
