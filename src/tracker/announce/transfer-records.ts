// The records of announces on their way to the log: filled from what was announced and what the rule
// of accounting/delta.ts made of it, put into the queue of records, and beside each what its baseline
// was before, so that records that cannot be appended give their baselines back.

import type { AccountingConfig } from '#accounting/config.ts';
import type { DeltaResult } from '#accounting/delta.ts';
import { transferFlags } from '#accounting/delta.ts';
import type { TransferQueue } from '#accounting/transfers/transfer-queue.ts';
import {
  type CountedFields,
  decodeTransfer,
  encodeTransferWords,
  RECORD_FLAG,
} from '#accounting/transfers/transfer-record.ts';
import { assert } from '#base/assert.ts';
import type { Clock } from '#base/clock.ts';
import type { AnnounceOutcome } from '#swarm/announce-outcome.ts';
import { type AnnounceRequest, EVENT } from '#swarm/announce-slot.ts';
import type { Baseline, BaselineKey } from '#swarm/baseline.ts';
import type { TorrentCredit } from './admit.ts';
import type { UndoRing } from './undo-ring.ts';

/** Fields of a reusable object that the pure functions of accounting/ read. */
export type Mutable<T> = { -readonly [Field in keyof T]: T[Field] };

/** What one record is made of, beside request and outcome; see CountedFields. */
export interface Transfer {
  readonly delta: DeltaResult;
  /** Of the announce, Unix milliseconds: stands in the record, and decides what is credited. */
  timeMs: number;
  nowSeconds: number;
  torrent: TorrentCredit;
  /** Leaves the address out. */
  isProtected: boolean;
  // Filled by push().
  flags: number;
  elapsedSeconds: number;
  uploadCreditPercent: number;
  downloadCreditPercent: number;
}

export function newTransfer(delta: DeltaResult, torrent: TorrentCredit): Transfer {
  return {
    delta,
    timeMs: 0,
    nowSeconds: 0,
    torrent,
    isProtected: false,
    flags: 0,
    elapsedSeconds: 0,
    uploadCreditPercent: 100,
    downloadCreditPercent: 100,
  };
}

/** Clients announce what they moved late, so that a rate over less says nothing. */
const LINE_SECONDS_MIN = 60;

export type RecordQueue = Pick<
  TransferQueue,
  'placeOf' | 'reserve' | 'publish' | 'words' | 'recordWordAt' | 'recordAt'
>;

export class TransferRecords {
  readonly #clock: Clock;
  readonly #queue: RecordQueue;
  readonly #undo: UndoRing;
  readonly #lineBytesPerSecond: number;
  readonly #completion = emptyCompletion();

  constructor(world: {
    readonly accounting: Pick<AccountingConfig, 'creditLineBytesPerSecond'>;
    readonly clock: Clock;
    readonly queue: RecordQueue;
    readonly undo: UndoRing;
  }) {
    this.#clock = world.clock;
    this.#queue = world.queue;
    this.#undo = world.undo;
    this.#lineBytesPerSecond = world.accounting.creditLineBytesPerSecond;
  }

  /** Returns the record's position; -1, and nothing happened, when the queue is full. */
  push(request: AnnounceRequest, outcome: AnnounceOutcome, transfer: Transfer): number {
    const { delta, torrent } = transfer;
    // Between a `stopped` and whatever comes next nobody was there.
    const isOver = outcome.ended || (!outcome.present && request.event === EVENT.stopped);
    const seededBefore = outcome.known && outcome.left === 0 && !isOver;
    const seconds = transfer.nowSeconds - outcome.lastSeenSeconds;
    // What no line carries was moved by nobody; that it was said stays on record.
    const bytesMax = this.#lineBytesPerSecond * Math.max(LINE_SECONDS_MIN, seconds);
    const isMoved = delta.uploadedDelta <= bytesMax && delta.downloadedDelta <= bytesMax;
    transfer.flags = transferFlags(delta, seededBefore, transfer.isProtected);
    transfer.elapsedSeconds = outcome.known && !outcome.ended ? Math.max(0, seconds) : 0;
    transfer.uploadCreditPercent = isMoved ? torrent.uploadCreditPercent : 0;
    transfer.downloadCreditPercent = isMoved ? torrent.downloadCreditPercent : 0;
    return this.#write(request, outcome, transfer);
  }

  /** That somebody completed a torrent where nobody is named. False when the queue is full. */
  pushCompletion(request: AnnounceRequest, outcome: AnnounceOutcome): boolean {
    const completion = this.#completion;
    completion.timeMs = this.#clock.nowMs();
    return this.#write(request, outcome, completion) >= 0;
  }

  /** Tells the baselines before each of the newest `count` records, newest first. */
  takeBack(
    newest: number,
    count: number,
    putBack: (key: BaselineKey, previous: Baseline | undefined) => void,
  ): void {
    for (let back = 0; back < count; back++) {
      const place = this.#queue.placeOf(newest - back);
      const record = decodeTransfer(this.#queue.recordAt(place));
      assert(record !== undefined, 'what was pushed is a record');
      const { memberId, torrentId } = record;
      // Copied out of shared memory.
      const key: BaselineKey = { memberId, torrentId, peerId: record.peerId.slice() };
      putBack(key, this.#undo.read(place, key));
    }
  }

  #write(request: AnnounceRequest, outcome: AnnounceOutcome, counted: CountedFields): number {
    const queue = this.#queue;
    const position = queue.reserve();
    if (position < 0) return -1;
    const place = queue.placeOf(position);
    this.#undo.fill(place, outcome);
    encodeTransferWords(queue.words, queue.recordWordAt(place), request, counted);
    queue.publish(position);
    return position;
  }
}

/** Nobody's: nothing but that it was. */
function emptyCompletion(): Mutable<CountedFields> {
  return {
    delta: {
      uploadedDelta: 0,
      downloadedDelta: 0,
      next: { sequence: 1, uploaded: 0, downloaded: 0, left: 0 },
    },
    flags: RECORD_FLAG.first | RECORD_FLAG.completes | RECORD_FLAG.addressRemoved,
    elapsedSeconds: 0,
    timeMs: 0,
    uploadCreditPercent: 0,
    downloadCreditPercent: 0,
  };
}
