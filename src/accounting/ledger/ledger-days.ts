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

/** A day's sums, side by side: one line of the processor's cache. */
const AT = {
  uploaded: 0,
  downloaded: 1,
  creditedUploaded: 2,
  creditedDownloaded: 3,
  seedSeconds: 4,
  leechSeconds: 5,
} as const;
const NUMBERS = 8;
const DAYS_MIN = 256;
/** After more of them their memory is given back. */
const DAYS_KEPT = 65_536;

export class LedgerDays {
  readonly #index = new PairIndex();
  #numbers = new Float64Array(DAYS_MIN * NUMBERS);
  /** The day of the last record, and when it begins: nearly every record is of the same. */
  #day = 0;
  #dayMs = 0;

  /** How many days there are. */
  get size(): number {
    return this.#index.size;
  }

  /** Made anew at each call. */
  get days(): readonly LedgerDay[] {
    return Array.from({ length: this.size }, (_, place) => this.#dayAt(place));
  }

  /** As new; the memory is kept for the next batch. */
  clear(): void {
    if (this.#numbers.length > DAYS_KEPT * NUMBERS) {
      this.#numbers = new Float64Array(DAYS_MIN * NUMBERS);
    } else this.#numbers.fill(0, 0, this.size * NUMBERS);
    this.#index.clear();
  }

  /** What was added up before; nothing of this day was added here. The day is copied. */
  begin(day: LedgerDay): void {
    const { size } = this;
    const at = this.#placeOf(day.memberId, day.day);
    assert(at === size * NUMBERS, 'a day begins once');
    const numbers = this.#numbers;
    numbers[at + AT.uploaded] = day.uploadedBytes;
    numbers[at + AT.downloaded] = day.downloadedBytes;
    numbers[at + AT.creditedUploaded] = day.creditedUploadedBytes;
    numbers[at + AT.creditedDownloaded] = day.creditedDownloadedBytes;
    numbers[at + AT.seedSeconds] = day.seedSeconds;
    numbers[at + AT.leechSeconds] = day.leechSeconds;
  }

  /** In any order: sums only. Seed time comes by addSeeded(), when it is known. */
  add(record: TransferRecord): void {
    const { memberId } = record;
    if (memberId === 0) return;
    this.#addTo(this.#placeOf(memberId, this.#dayOf(record.timeMs)), record);
  }

  /** What a record that came at `atMs` added to the seed time. */
  addSeeded(memberId: number, atMs: number, seconds: number): void {
    this.#numbers[this.#placeOf(memberId, this.#dayOf(atMs)) + AT.seedSeconds]! += seconds;
  }

  #dayOf(timeMs: number): number {
    if (timeMs < this.#dayMs || timeMs >= this.#dayMs + DAY_MS) {
      this.#day = dayOf(timeMs);
      this.#dayMs = this.#day * DAY_MS;
    }
    return this.#day;
  }

  /** Of its first number. */
  #placeOf(memberId: number, day: number): number {
    const at = this.#index.indexOf(memberId, day) * NUMBERS;
    if (at === this.#numbers.length) {
      const numbers = new Float64Array(at * 2);
      numbers.set(this.#numbers);
      this.#numbers = numbers;
    }
    return at;
  }

  #addTo(at: number, record: TransferRecord): void {
    const numbers = this.#numbers;
    const { uploadedDelta: up, downloadedDelta: down } = record;
    const creditedUp = creditOf(up, record.uploadCreditPercent);
    const creditedDown = creditOf(down, record.downloadCreditPercent);
    numbers[at + AT.uploaded] = sum(numbers[at + AT.uploaded]!, up);
    numbers[at + AT.downloaded] = sum(numbers[at + AT.downloaded]!, down);
    numbers[at + AT.creditedUploaded] = sum(numbers[at + AT.creditedUploaded]!, creditedUp);
    numbers[at + AT.creditedDownloaded] = sum(numbers[at + AT.creditedDownloaded]!, creditedDown);
    // Whoever says `started` was away until now.
    if (record.event === TRANSFER_EVENT.started) return;
    if ((record.flags & RECORD_FLAG.seededBefore) !== 0) return;
    numbers[at + AT.leechSeconds]! += Math.min(record.elapsedSeconds, SEED_SECONDS_PER_RECORD_MAX);
  }

  #dayAt(place: number): LedgerDay {
    const numbers = this.#numbers;
    const at = place * NUMBERS;
    return {
      memberId: this.#index.memberAt(place),
      day: this.#index.torrentAt(place),
      uploadedBytes: numbers[at + AT.uploaded]!,
      downloadedBytes: numbers[at + AT.downloaded]!,
      creditedUploadedBytes: numbers[at + AT.creditedUploaded]!,
      creditedDownloadedBytes: numbers[at + AT.creditedDownloaded]!,
      seedSeconds: numbers[at + AT.seedSeconds]!,
      leechSeconds: numbers[at + AT.leechSeconds]!,
    };
  }
}
