// Adds records up per member and torrent before anything is written (A7). Pure: the same records
// give the same totals however they are cut into batches.

import {
  clientMark,
  seedSecondsProven,
  seedsOn,
  tellSeconds,
  tellsSeeding,
} from '#accounting/seeding/seeding.ts';
import type { SeedingStates } from '#accounting/seeding/seeding-states.ts';
import { SeedingTells } from '#accounting/seeding/seeding-tells.ts';
import {
  creditOf,
  RECORD_FLAG,
  type TransferRecord,
} from '#accounting/transfers/transfer-record.ts';
import { assert } from '#base/assert.ts';
import { PairIndex } from './pair-index.ts';

const TOTAL_MAX = Number.MAX_SAFE_INTEGER;
const CLIENT_CHARACTERS = 8;

/** What a member did to a torrent, as far as this batch knows. */
export interface LedgerEntry {
  readonly memberId: number;
  readonly torrentId: number;
  uploadedBytes: number;
  downloadedBytes: number;
  creditedUploadedBytes: number;
  creditedDownloadedBytes: number;
  /** Known when the seeding before the batch is: see ledger-seeding.ts. */
  seedSeconds: number;
  /** The place of the pair's state among the ledger's; -1 when no record told about seeding. */
  seedingPlace: number;
  records: number;
  firstSeenMs: number;
  lastSeenMs: number;
  /** Time of the first record that completes the torrent; 0 when none does. */
  completedMs: number;
  /** How many records complete it: for member 0 each is somebody. */
  completions: number;
  /** Of the last record. */
  leftBytes: number;
  client: string;
}

export class LedgerBatch {
  readonly #index = new PairIndex();
  readonly #entries: LedgerEntry[] = [];
  readonly #tells = new SeedingTells();
  #records = 0;

  /** Records added. */
  get records(): number {
    return this.#records;
  }

  get entries(): readonly LedgerEntry[] {
    return this.#entries;
  }

  /** What the records added tell about seeding, for the entries by their places. */
  get tells(): SeedingTells {
    return this.#tells;
  }

  /** What was added up before; nothing of this pair was added here. */
  begin(entry: LedgerEntry): void {
    const at = this.#index.indexOf(entry.memberId, entry.torrentId);
    assert(at === this.#entries.length, 'a pair begins once');
    this.#entries.push(entry);
  }

  /** The records of a batch are added in the order of the log; none is kept. */
  add(record: TransferRecord): void {
    const at = this.#addSums(record);
    if (tellsSeeding(record)) this.#tells.add(at, record);
  }

  /** The same where `states` have all there was before: returns the seed time that it adds. */
  addKnown(record: TransferRecord, states: SeedingStates): number {
    const entry = this.#entries[this.#addSums(record)]!;
    if (!tellsSeeding(record)) return 0;
    entry.seedingPlace = states.placeOf(entry.memberId, entry.torrentId);
    const seconds = states.advance(entry.seedingPlace, {
      atSeconds: tellSeconds(record),
      seconds: seedSecondsProven(record),
      client: clientMark(record.peerId),
      seeds: seedsOn(record),
    });
    entry.seedSeconds += seconds;
    return seconds;
  }

  #addSums(record: TransferRecord): number {
    this.#records++;
    const at = this.#index.indexOf(record.memberId, record.torrentId);
    let entry = this.#entries[at];
    if (entry === undefined) {
      entry = newEntry(record);
      this.#entries.push(entry);
    }
    addTo(entry, record);
    return at;
  }
}

export function newEntry(record: TransferRecord): LedgerEntry {
  return {
    memberId: record.memberId,
    torrentId: record.torrentId,
    uploadedBytes: 0,
    downloadedBytes: 0,
    creditedUploadedBytes: 0,
    creditedDownloadedBytes: 0,
    seedSeconds: 0,
    seedingPlace: -1,
    records: 0,
    firstSeenMs: record.timeMs,
    lastSeenMs: record.timeMs,
    completedMs: 0,
    completions: 0,
    leftBytes: 0,
    client: '',
  };
}

function addTo(entry: LedgerEntry, record: TransferRecord): void {
  const up = record.uploadedDelta;
  const down = record.downloadedDelta;
  entry.uploadedBytes = sum(entry.uploadedBytes, up);
  entry.downloadedBytes = sum(entry.downloadedBytes, down);
  entry.creditedUploadedBytes = sum(
    entry.creditedUploadedBytes,
    creditOf(up, record.uploadCreditPercent),
  );
  entry.creditedDownloadedBytes = sum(
    entry.creditedDownloadedBytes,
    creditOf(down, record.downloadCreditPercent),
  );
  entry.records++;
  entry.firstSeenMs = Math.min(entry.firstSeenMs, record.timeMs);
  entry.lastSeenMs = Math.max(entry.lastSeenMs, record.timeMs);
  if ((record.flags & RECORD_FLAG.completes) !== 0) {
    if (entry.completions === 0) entry.completedMs = Math.max(1, record.timeMs);
    entry.completions++;
  }
  entry.leftBytes = record.left;
  if (!isClient(entry.client, record.peerId)) entry.client = clientOf(record.peerId);
}

/** Two totals as the ledger adds them: held at 2^53-1. */
export function sum(one: number, other: number): number {
  // Beyond the maximum the sum of doubles is inexact, but never below it.
  return Math.min(TOTAL_MAX, one + other);
}

/** Whether clientOf() would give the same; most announces are of the client before. */
function isClient(client: string, peerId: Uint8Array): boolean {
  if (client === '') return false;
  for (let at = 0; at < CLIENT_CHARACTERS; at++) {
    if (client.charCodeAt(at) !== peerId[at]) return false;
  }
  return true;
}

function clientOf(peerId: Uint8Array): string {
  let text = '';
  for (let at = 0; at < CLIENT_CHARACTERS; at++) {
    const byte = peerId[at]!;
    if (byte < 0x20 || byte > 0x7e) return '';
    text += String.fromCharCode(byte);
  }
  return text;
}
