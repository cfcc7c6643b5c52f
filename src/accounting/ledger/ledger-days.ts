// Adds records up per member and day (UTC): what charts show and what strategies look back on. Pure,
// like ledger-batch.ts. Who was not named has no days.

import {
  creditOf,
  RECORD_FLAG,
  TRANSFER_EVENT,
  type TransferRecord,
} from '#accounting/transfers/transfer-record.ts';
import { assert } from '#base/assert.ts';
import { SEED_SECONDS_PER_RECORD_MAX, sum } from './ledger-batch.ts';
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
  /** Seconds seeded, over all torrents: two for an hour are 7,200. At most an hour per record. */
  seedSeconds: number;
  /** The same for torrents that were not complete. */
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

  /** In any order: sums only. */
  add(record: TransferRecord): void {
    const { memberId } = record;
    if (memberId === 0) return;
    const at = this.#index.indexOf(memberId, dayOf(record.timeMs));
    let entry = this.#days[at];
    if (entry === undefined) {
      entry = newDay(memberId, dayOf(record.timeMs));
      this.#days.push(entry);
    }
    addTo(entry, record);
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
  const seconds = Math.min(record.elapsedSeconds, SEED_SECONDS_PER_RECORD_MAX);
  if ((record.flags & RECORD_FLAG.seededBefore) !== 0) entry.seedSeconds += seconds;
  else entry.leechSeconds += seconds;
}
