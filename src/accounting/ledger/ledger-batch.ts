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

/** A pair's numbers, side by side: what a record adds to is two lines of the processor's cache. */
const AT = {
  uploaded: 0,
  downloaded: 1,
  creditedUploaded: 2,
  creditedDownloaded: 3,
  seedSeconds: 4,
  records: 5,
  firstSeenMs: 6,
  lastSeenMs: 7,
  completedMs: 8,
  completions: 9,
  left: 10,
  /** The first eight bytes of the last record's peer id: two words, and no number. */
  client: 11,
} as const;
const NUMBERS = 12;
/** What a pair has a number of. */
export type PairNumber = Exclude<keyof typeof AT, 'client'>;
const PAIRS_MIN = 1024;
/** Of entries that were made before what they say has changed. */
const STALE = -1;
/** Of more of them the memory is given back: 7 MB are kept. */
const PAIRS_KEPT = 65_536;

export class LedgerBatch {
  readonly #index = new PairIndex();
  readonly #tells = new SeedingTells();
  #numbers = new Float64Array(PAIRS_MIN * NUMBERS);
  /** The same memory, for `AT.client`. */
  #words = new Uint32Array(this.#numbers.buffer);
  /** LedgerEntry.seedingPlace of each pair. */
  #places = new Int32Array(PAIRS_MIN).fill(-1);
  #records = 0;
  /** Made of so many records when they were asked for. */
  #entries: LedgerEntry[] = [];
  #entriesRecords = 0;

  /** Records added. */
  get records(): number {
    return this.#records;
  }

  /** Pairs of which anything was added. */
  get size(): number {
    return this.#index.size;
  }

  /** The same objects until more is added. */
  get entries(): readonly LedgerEntry[] {
    if (this.#entriesRecords === this.#records && this.#entries.length === this.size) {
      return this.#entries;
    }
    this.#entries = Array.from({ length: this.size }, (_, pair) => this.#entryOf(pair));
    this.#entriesRecords = this.#records;
    return this.#entries;
  }

  // The same without an object for each pair, which are numbered from 0 as they came.

  memberAt(pair: number): number {
    return this.#index.memberAt(pair);
  }

  torrentAt(pair: number): number {
    return this.#index.torrentAt(pair);
  }

  numberAt(pair: number, what: PairNumber): number {
    return this.#numbers[pair * NUMBERS + AT[what]]!;
  }

  /** LedgerEntry.seedingPlace. */
  seedingPlaceAt(pair: number): number {
    return this.#places[pair]!;
  }

  clientAt(pair: number): string {
    return this.#clientOf(pair * NUMBERS);
  }

  /** Where the ledger has the state of this pair's seeding. */
  placeSeeding(pair: number, place: number): void {
    this.#places[pair] = place;
    this.#entriesRecords = STALE;
  }

  addSeeded(pair: number, seconds: number): void {
    this.#numbers[pair * NUMBERS + AT.seedSeconds]! += seconds;
    this.#entriesRecords = STALE;
  }

  /** What the records added tell about seeding, for the entries by their places. */
  get tells(): SeedingTells {
    return this.#tells;
  }

  /** As new; the memory is kept for the next batch, and entries that were asked for stay as they are. */
  clear(): void {
    if (this.#places.length > PAIRS_KEPT) {
      this.#numbers = new Float64Array(PAIRS_MIN * NUMBERS);
      this.#words = new Uint32Array(this.#numbers.buffer);
      this.#places = new Int32Array(PAIRS_MIN).fill(-1);
    } else {
      this.#numbers.fill(0, 0, this.size * NUMBERS);
      this.#places.fill(-1, 0, this.size);
    }
    this.#index.clear();
    this.#tells.clear();
    this.#records = 0;
    this.#entries = [];
    this.#entriesRecords = 0;
  }

  /** What was added up before; nothing of this pair was added here. The entry is copied. */
  begin(entry: LedgerEntry): void {
    const { size } = this;
    const pair = this.#index.indexOf(entry.memberId, entry.torrentId);
    assert(pair === size, 'a pair begins once');
    this.#makeRoom(pair);
    const numbers = this.#numbers;
    const at = pair * NUMBERS;
    numbers[at + AT.uploaded] = entry.uploadedBytes;
    numbers[at + AT.downloaded] = entry.downloadedBytes;
    numbers[at + AT.creditedUploaded] = entry.creditedUploadedBytes;
    numbers[at + AT.creditedDownloaded] = entry.creditedDownloadedBytes;
    numbers[at + AT.seedSeconds] = entry.seedSeconds;
    numbers[at + AT.records] = entry.records;
    numbers[at + AT.firstSeenMs] = entry.firstSeenMs;
    numbers[at + AT.lastSeenMs] = entry.lastSeenMs;
    numbers[at + AT.completedMs] = entry.completedMs;
    numbers[at + AT.completions] = entry.completions;
    numbers[at + AT.left] = entry.leftBytes;
    this.#setClient(at, Buffer.from(entry.client.padEnd(CLIENT_CHARACTERS, '\0'), 'latin1'));
    this.#places[pair] = entry.seedingPlace;
  }

  /** The records of a batch are added in the order of the log; none is kept. */
  add(record: TransferRecord): void {
    const pair = this.#addSums(record);
    if (tellsSeeding(record)) this.#tells.add(pair, record);
  }

  /** The same where `states` have all there was before: returns the seed time that it adds. */
  addKnown(record: TransferRecord, states: SeedingStates): number {
    const pair = this.#addSums(record);
    if (!tellsSeeding(record)) return 0;
    const place = states.placeOf(record.memberId, record.torrentId);
    this.#places[pair] = place;
    const seconds = states.advance(place, {
      atSeconds: tellSeconds(record),
      seconds: seedSecondsProven(record),
      client: clientMark(record.peerId),
      seeds: seedsOn(record),
    });
    this.#numbers[pair * NUMBERS + AT.seedSeconds]! += seconds;
    return seconds;
  }

  #addSums(record: TransferRecord): number {
    this.#records++;
    const { size } = this.#index;
    const pair = this.#index.indexOf(record.memberId, record.torrentId);
    const at = pair * NUMBERS;
    if (pair === size) {
      this.#makeRoom(pair);
      this.#numbers[at + AT.firstSeenMs] = record.timeMs;
    }
    this.#addTo(at, record);
    return pair;
  }

  #addTo(at: number, record: TransferRecord): void {
    const numbers = this.#numbers;
    const { uploadedDelta: up, downloadedDelta: down, timeMs } = record;
    const creditedUp = creditOf(up, record.uploadCreditPercent);
    const creditedDown = creditOf(down, record.downloadCreditPercent);
    numbers[at + AT.uploaded] = sum(numbers[at + AT.uploaded]!, up);
    numbers[at + AT.downloaded] = sum(numbers[at + AT.downloaded]!, down);
    numbers[at + AT.creditedUploaded] = sum(numbers[at + AT.creditedUploaded]!, creditedUp);
    numbers[at + AT.creditedDownloaded] = sum(numbers[at + AT.creditedDownloaded]!, creditedDown);
    numbers[at + AT.records]! += 1;
    numbers[at + AT.firstSeenMs] = Math.min(numbers[at + AT.firstSeenMs]!, timeMs);
    numbers[at + AT.lastSeenMs] = Math.max(numbers[at + AT.lastSeenMs]!, timeMs);
    numbers[at + AT.left] = record.left;
    if ((record.flags & RECORD_FLAG.completes) !== 0) {
      if (numbers[at + AT.completions] === 0) numbers[at + AT.completedMs] = Math.max(1, timeMs);
      numbers[at + AT.completions]! += 1;
    }
    this.#setClient(at, record.peerId);
  }

  #setClient(at: number, peerId: Uint8Array): void {
    this.#words[(at + AT.client) * 2] = wordAt(peerId, 0);
    this.#words[(at + AT.client) * 2 + 1] = wordAt(peerId, 4);
  }

  #makeRoom(pair: number): void {
    if (pair < this.#places.length) return;
    const pairs = this.#places.length * 2;
    const numbers = new Float64Array(pairs * NUMBERS);
    numbers.set(this.#numbers);
    const places = new Int32Array(pairs).fill(-1);
    places.set(this.#places);
    this.#numbers = numbers;
    this.#words = new Uint32Array(numbers.buffer);
    this.#places = places;
  }

  #entryOf(pair: number): LedgerEntry {
    const numbers = this.#numbers;
    const at = pair * NUMBERS;
    return {
      memberId: this.#index.memberAt(pair),
      torrentId: this.#index.torrentAt(pair),
      uploadedBytes: numbers[at + AT.uploaded]!,
      downloadedBytes: numbers[at + AT.downloaded]!,
      creditedUploadedBytes: numbers[at + AT.creditedUploaded]!,
      creditedDownloadedBytes: numbers[at + AT.creditedDownloaded]!,
      seedSeconds: numbers[at + AT.seedSeconds]!,
      seedingPlace: this.#places[pair]!,
      records: numbers[at + AT.records]!,
      firstSeenMs: numbers[at + AT.firstSeenMs]!,
      lastSeenMs: numbers[at + AT.lastSeenMs]!,
      completedMs: numbers[at + AT.completedMs]!,
      completions: numbers[at + AT.completions]!,
      leftBytes: numbers[at + AT.left]!,
      client: this.#clientOf(at),
    };
  }

  #clientOf(at: number): string {
    const low = this.#words[(at + AT.client) * 2]!;
    const high = this.#words[(at + AT.client) * 2 + 1]!;
    if (!isPrintable(low) || !isPrintable(high)) return '';
    // One call: a text that grows by a character makes seven that nobody keeps.
    return String.fromCharCode(
      low & 0xff,
      (low >>> 8) & 0xff,
      (low >>> 16) & 0xff,
      low >>> 24,
      high & 0xff,
      (high >>> 8) & 0xff,
      (high >>> 16) & 0xff,
      high >>> 24,
    );
  }
}

/** Pairs of a batch in the order of the table. */
export function byPair(batch: LedgerBatch): (one: number, other: number) => number {
  return (one, other) =>
    batch.memberAt(one) - batch.memberAt(other) || batch.torrentAt(one) - batch.torrentAt(other);
}

/** Four characters of ASCII. */
function isPrintable(word: number): boolean {
  for (let shift = 0; shift < 32; shift += 8) {
    const byte = (word >>> shift) & 0xff;
    if (byte < 0x20 || byte > 0x7e) return false;
  }
  return true;
}

/** Two totals as the ledger adds them: held at 2^53-1. */
export function sum(one: number, other: number): number {
  // Beyond the maximum the sum of doubles is inexact, but never below it.
  return Math.min(TOTAL_MAX, one + other);
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
