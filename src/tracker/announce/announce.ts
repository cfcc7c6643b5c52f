// What happens to an announce, from a decoded request to an answer:
//
//   1 admit    passkey, client, torrent -> member and torrent ids, or a refusal in words
//   2 begin    the swarm finds the peer and locks its shard; on first sight the baseline file is
//              asked first, off this path, and the announce goes on when it has answered
//   3 delta    counters now against the baseline: what is credited, and the baseline from here on
//   4 push     the record joins the queue of the topic `transfers`
//   5 settle   the peer joins, stays or leaves; the new baseline stands; the lock is released
//   6 answer   at once, or when the record is on disk (A6): an event, or what founds a baseline;
//              a new peer joins only then
//
// Steps 2 to 5 run under the shard's lock, so records stand in the log in the order in which
// baselines moved, whichever threads they come from. Records that cannot be appended give their
// baselines back, newest first, before anything else is appended; their answers are not given, and
// the clients ask again.

import type { BaselineStore } from '#accounting/baselines/baseline-store.ts';
import type { AccountingConfig } from '#accounting/config.ts';
import { computeDelta, type DeltaInput, newDeltaResult } from '#accounting/delta.ts';
import type { TransferQueue } from '#accounting/transfers/transfer-queue.ts';
import type { Clock } from '#base/clock.ts';
import { messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import { type AnnounceOutcome, FOUNDINGS_MAX } from '#swarm/announce-outcome.ts';
import { type AnnounceRequest, EVENT } from '#swarm/announce-slot.ts';
import type { Baseline } from '#swarm/baseline.ts';
import type { Swarm } from '#swarm/swarm.ts';
import type { Directory } from '#tracker/directory/directory.ts';
import { REFUSALS, type Refusal, SWARM_REFUSALS } from '#tracker/refusals.ts';
import type { TrackerCounts } from '#tracker/tracker-counts.ts';
import type { AddressMemory } from './address-memory.ts';
import type { Admission, AnnounceKey } from './admit.ts';
import { AnswerMaker, type FamilyAnswer } from './answer.ts';
import { isEcho } from './echo.ts';
import {
  type Mutable,
  newTransfer,
  type RecordQueue,
  type Transfer,
  TransferRecords,
} from './transfer-records.ts';
import type { UndoRing } from './undo-ring.ts';
import { type Admitted, type Parked, type WaitingEntry, WaitingTable } from './waiting.ts';

/** `answer`: see `answer`. `refuse`: see `refusal`. `wait`: park() was called. `drop`: overload. */
export type AnnounceVerdict = 'answer' | 'refuse' | 'wait' | 'drop';

export interface AnnouncerWorld {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly directory: Directory;
  readonly admission: Admission;
  readonly swarm: Pick<
    Swarm,
    | 'begin'
    | 'settle'
    | 'settleHidden'
    | 'founded'
    | 'abandon'
    | 'select'
    | 'selectWebrtc'
    | 'counts'
    | 'restoreBaseline'
    | 'rollbackBaseline'
  >;
  readonly queue: RecordQueue &
    Pick<
      TransferQueue,
      'isFull' | 'pending' | 'newest' | 'flush' | 'willWait' | 'wontWait' | 'onSettled'
    >;
  readonly undo: UndoRing;
  readonly baselines: Pick<BaselineStore, 'find'>;
  readonly addresses: AddressMemory;
  readonly counts: TrackerCounts;
  readonly accounting: Pick<AccountingConfig, 'ack' | 'resetAfterMs' | 'creditLineBytesPerSecond'>;
  readonly limits: {
    readonly waitingMax: number;
    readonly announceIntervalMs: number;
    readonly announceIntervalMsMin: number;
    readonly announceJitterPercent: number;
    readonly peersPerAnswer: number;
    readonly peersPerAnswerMax: number;
  };
}

/** What is known of an announce when its record is due. */
interface Measured {
  readonly outcome: AnnounceOutcome;
  /** It waited before, for a look-up. */
  readonly waiting: WaitingEntry | undefined;
  readonly founds: boolean;
}

export class Announcer {
  readonly #world: AnnouncerWorld;
  readonly #maker: AnswerMaker;
  readonly #waiting: WaitingTable;
  readonly #records: TransferRecords;
  readonly #delta = newDeltaResult();
  readonly #input: Mutable<DeltaInput>;
  readonly #transfer: Transfer;
  /** Of the announce that is dealt with. */
  #park: () => Parked = neverParks;
  #stopped = false;
  /** Valid after `refuse`. */
  refusal: Refusal = REFUSALS.passkeyUnknown;

  constructor(world: AnnouncerWorld) {
    const { accounting, limits } = world;
    this.#world = world;
    this.#maker = new AnswerMaker(world.swarm, limits);
    this.#waiting = new WaitingTable(limits.waitingMax);
    this.#records = new TransferRecords(world);
    const { next } = newDeltaResult();
    this.#input = {
      known: false,
      previous: next,
      event: 0,
      uploaded: 0,
      downloaded: 0,
      left: 0,
      key: 0,
      nowSeconds: 0,
      resetAfterSeconds: accounting.resetAfterMs / 1000,
    };
    this.#transfer = newTransfer(this.#delta, world.admission.torrent);
  }

  /** Valid after `answer`, until the next announce. */
  get answer(): FamilyAnswer {
    return this.#maker.answer;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Deals with the request, which stays the caller's. `park` is called when the answer comes later.
   */
  announce(request: AnnounceRequest, key: AnnounceKey, park: () => Parked): AnnounceVerdict {
    const { admission, addresses } = this.#world;
    const refusal = admission.admit(request, key);
    if (refusal !== undefined) return this.#refuse(refusal);
    if (request.memberId !== 0) addresses.announced(request.address, request.family);
    const same = this.#waiting.find(request);
    if (same !== undefined) return this.#waiting.join(same, park) ? 'wait' : 'drop';
    this.#park = park;
    return this.#go(request, admission, undefined);
  }

  /**
   * Puts the baselines of the newest `count` records back, whichever threads pushed them. The writer
   * calls it before it appends anything else, while nobody can push.
   */
  onLost(newest: number, count: number): void {
    const { swarm, counts } = this.#world;
    this.#records.takeBack(newest, count, (key, previous) => {
      // Nobody's peers have no baseline to put back.
      if (key.memberId !== 0) swarm.rollbackBaseline(key, previous);
    });
    counts.recordsLost += count;
  }

  /** From here on nothing is pushed: look-ups that end now are told to try again. */
  stop(): void {
    this.#stopped = true;
  }

  /** No answer will come any more: tells everybody who waits to try again. */
  close(): void {
    this.#stopped = true;
    for (const entry of this.#waiting.drain()) for (const parked of entry.parked) parked.drop();
  }

  #go(
    request: AnnounceRequest,
    admitted: Admitted,
    waiting: WaitingEntry | undefined,
  ): AnnounceVerdict {
    const { swarm } = this.#world;
    const outcome = this.#begin(request);
    if (outcome.refused !== 'none') return this.#refuse(SWARM_REFUSALS[outcome.refused]);
    if (request.memberId === 0) return this.#anonymous(request, outcome);
    if (!outcome.known) {
      if (waiting === undefined) {
        swarm.abandon();
        return this.#lookUp(request, admitted);
      }
      // Nothing is founded by a goodbye.
      if (request.event === EVENT.stopped) return this.#withoutRecord(request, outcome);
    }
    this.#measure(request, outcome);
    if (this.#delta.kind === 'stale') return this.#stale(request, outcome);
    if (isEcho(request, outcome, this.#delta, this.#input)) {
      this.#world.counts.staleAnnounces++;
      return this.#withoutRecord(request, outcome, false);
    }
    const founds = this.#delta.kind === 'first' || this.#delta.kind === 'reset';
    const waits = this.#mustWait(request, outcome, founds);
    if (waits) return this.#record(request, admitted, { outcome, waiting, founds });
    if (this.#isRepeat(outcome)) return this.#withoutRecord(request, outcome);
    if (this.#push(request, outcome, admitted) < 0) {
      this.#world.counts.backPressured++;
      if (!this.#isImportant(request, founds)) return this.#withoutRecord(request, outcome);
      swarm.abandon();
      return 'drop';
    }
    const isEarly = outcome.early;
    this.#maker.select(request, this.#wantsPeers(request, isEarly));
    swarm.settle(request, this.#delta.next);
    this.#maker.fill(request, outcome, this.#warns(isEarly));
    return 'answer';
  }

  /** An announce whose answer waits until its record is on disk. */
  #record(request: AnnounceRequest, admitted: Admitted, measured: Measured): AnnounceVerdict {
    const { swarm, queue, counts } = this.#world;
    const { outcome, waiting, founds } = measured;
    // Before the push, so that this thread is told whatever settles from here on.
    queue.willWait();
    if (this.#isRepeat(outcome) && queue.pending === 0) {
      queue.wontWait();
      return this.#withoutRecord(request, outcome);
    }
    const position = this.#isRoom(measured) ? this.#position(request, admitted, outcome) : -1;
    if (position < 0) {
      queue.wontWait();
      counts.backPressured++;
      swarm.abandon();
      return 'drop';
    }
    const isEarly = outcome.early;
    // Whoever is handed out starts to upload: not before its baseline can survive a crash.
    const isFounding = founds || outcome.foundings > 0;
    const hides = isFounding && !outcome.present && request.event !== EVENT.stopped;
    if (hides) swarm.settleHidden(request, this.#delta.next, founds);
    else if (this.#isRepeat(outcome)) swarm.settle(request, outcome);
    else swarm.settle(request, this.#delta.next, founds);
    const entry = waiting ?? this.#waiting.add(request, admitted, this.#park());
    entry.early = isEarly;
    this.#awaitRecord(entry, position, { founds, hides });
    return 'wait';
  }

  #isRoom({ outcome, waiting, founds }: Measured): boolean {
    if (founds && outcome.foundings >= FOUNDINGS_MAX) return false;
    return waiting !== undefined || !this.#waiting.isFull;
  }

  /**
   * Of its record. A repeat has none of its own: the record of the first may be another thread's, on
   * its way, and the newest of all is not before it.
   */
  #position(request: AnnounceRequest, admitted: Admitted, outcome: AnnounceOutcome): number {
    if (this.#isRepeat(outcome)) return this.#world.queue.newest;
    return this.#push(request, outcome, admitted);
  }

  /** A torrent that nobody registered may have left with its last peer since it was found. */
  #begin(request: AnnounceRequest): AnnounceOutcome {
    const { swarm, admission } = this.#world;
    const outcome = swarm.begin(request);
    if (outcome.refused !== 'torrent-unknown' || !admission.reopen(request)) return outcome;
    return swarm.begin(request);
  }

  /** Asks the baseline file for a client that the swarm does not know, then goes on. */
  #lookUp(request: AnnounceRequest, admitted: Admitted): AnnounceVerdict {
    const { baselines, logger, counts } = this.#world;
    if (this.#waiting.isFull) {
      counts.backPressured++;
      return 'drop';
    }
    const entry = this.#waiting.add(request, admitted, this.#park());
    const { memberId, torrentId, peerId } = entry.request;
    baselines.find({ memberId, torrentId, peerId }).then(
      (baseline) => {
        if (baseline === undefined || this.#restore(baseline, entry.request)) this.#goOn(entry);
        else this.#finish(entry, (parked) => parked.refuse(REFUSALS.swarmFull));
      },
      (error: unknown) => {
        logger.error('an old baseline could not be read: the client is asked to try again', {
          cause: messageOf(error),
        });
        this.#finish(entry, (parked) => parked.drop());
      },
    );
    return 'wait';
  }

  #restore(baseline: Baseline, request: AnnounceRequest): boolean {
    const { swarm, admission } = this.#world;
    if (swarm.restoreBaseline(baseline)) return true;
    return admission.reopen(request) && swarm.restoreBaseline(baseline);
  }

  #goOn(entry: WaitingEntry): void {
    const { request } = entry;
    const refusal = this.#refusalNow(request);
    if (refusal !== undefined) this.#end(entry, this.#refuse(refusal));
    else this.#end(entry, this.#stopped ? 'drop' : this.#go(request, entry, entry));
  }

  #end(entry: WaitingEntry, verdict: AnnounceVerdict): void {
    const { refusal, answer } = this;
    if (verdict === 'answer') this.#finish(entry, (parked) => parked.answer(answer));
    else if (verdict === 'refuse') this.#finish(entry, (parked) => parked.refuse(refusal));
    else if (verdict === 'drop') this.#finish(entry, (parked) => parked.drop());
  }

  #awaitRecord(
    entry: WaitingEntry,
    position: number,
    what: { readonly founds: boolean; readonly hides: boolean },
  ): void {
    const { queue, swarm } = this.#world;
    const { request } = entry;
    queue.onSettled(position, (durable) => {
      // What is lost has no foundings any more.
      if (durable && what.founds) swarm.founded(request);
      this.#end(entry, durable ? this.#answerDurable(entry, what.hides) : 'drop');
    });
    queue.flush();
  }

  #answerDurable(entry: WaitingEntry, wasHidden: boolean): AnnounceVerdict {
    if (wasHidden) return this.#appear(entry);
    const { request } = entry;
    this.#maker.select(request, this.#wantsPeers(request, entry.early));
    this.#maker.fillFromCounts(request, this.#warns(entry.early));
    return 'answer';
  }

  /** What founded its baseline is durable: the peer joins, unless it has left or is banned by now. */
  #appear(entry: WaitingEntry): AnnounceVerdict {
    const { request } = entry;
    const { swarm } = this.#world;
    const refusal = this.#refusalNow(request);
    if (refusal !== undefined) return this.#refuse(refusal);
    const outcome = this.#begin(request);
    if (outcome.refused !== 'none') return this.#refuse(SWARM_REFUSALS[outcome.refused]);
    const joins = outcome.known && !outcome.ended;
    this.#maker.select(request, joins && this.#wantsPeers(request, entry.early));
    if (joins) swarm.settle(request, outcome);
    else swarm.abandon();
    this.#maker.fill(request, outcome, this.#warns(entry.early));
    return 'answer';
  }

  /** Of a member that was banned or removed while its announce waited. */
  #refusalNow(request: AnnounceRequest): Refusal | undefined {
    if (request.memberId === 0) return undefined;
    const member = this.#world.directory.member(request.memberId);
    return member === undefined ? REFUSALS.passkeyUnknown : member.refusal;
  }

  #finish(entry: WaitingEntry, run: (parked: Parked) => void): void {
    if (!this.#waiting.remove(entry)) return;
    for (const parked of entry.parked) run(parked);
  }

  #measure(request: AnnounceRequest, outcome: AnnounceOutcome): void {
    const input = this.#input;
    input.known = outcome.known;
    input.previous = outcome;
    input.event = isSecondStart(request, outcome) ? EVENT.none : request.event;
    input.uploaded = request.uploaded;
    input.downloaded = request.downloaded;
    input.left = request.left;
    input.key = request.key;
    input.nowSeconds = this.#nowSeconds();
    computeDelta(input, this.#delta);
  }

  /** A retransmission of what is counted already makes no second record. */
  #isRepeat(outcome: AnnounceOutcome): boolean {
    const { kind, uploadedDelta, downloadedDelta, completes } = this.#delta;
    if (!outcome.repeated || kind !== 'credit' || completes) return false;
    return uploadedDelta === 0 && downloadedDelta === 0;
  }

  #isImportant(request: AnnounceRequest, founds: boolean): boolean {
    const { event } = request;
    return founds || (event !== EVENT.none && event !== EVENT.paused);
  }

  /** What builds on a baseline that is not on disk yet waits too, whichever thread founded it. */
  #mustWait(request: AnnounceRequest, outcome: AnnounceOutcome, founds: boolean): boolean {
    if (this.#world.accounting.ack === 'memory') return false;
    return outcome.foundings > 0 || this.#isImportant(request, founds);
  }

  /** A packet of a session that is over: nobody comes or leaves by it. */
  #stale(request: AnnounceRequest, outcome: AnnounceOutcome): AnnounceVerdict {
    this.#world.counts.staleAnnounces++;
    const isRefreshed = outcome.present && request.event !== EVENT.stopped;
    return this.#withoutRecord(request, outcome, isRefreshed);
  }

  /** The peer is refreshed and answered, its baseline stays as it was. */
  #withoutRecord(
    request: AnnounceRequest,
    outcome: AnnounceOutcome,
    isRefreshed = outcome.known,
  ): AnnounceVerdict {
    const { swarm } = this.#world;
    const isEarly = outcome.early;
    this.#maker.select(request, this.#wantsPeers(request, isEarly));
    if (isRefreshed) swarm.settle(request, outcome);
    else swarm.abandon();
    this.#maker.fill(request, outcome, this.#warns(isEarly));
    return 'answer';
  }

  /** `listed` and `open`: nobody is named, so nothing is accounted but that a torrent completed. */
  #anonymous(request: AnnounceRequest, outcome: AnnounceOutcome): AnnounceVerdict {
    const { swarm } = this.#world;
    const completes =
      request.event === EVENT.completed &&
      outcome.present &&
      !outcome.wasSeeder &&
      request.left === 0;
    if (completes && !this.#records.pushCompletion(request, outcome)) {
      swarm.abandon();
      this.#world.counts.backPressured++;
      return 'drop';
    }
    const { next } = this.#delta;
    next.uploaded = request.uploaded;
    next.downloaded = request.downloaded;
    next.key = request.key;
    next.sequence = 0;
    next.higherAtSeconds = this.#nowSeconds();
    next.left = request.left;
    next.completed = request.left === 0;
    this.#maker.select(request, this.#wantsPeers(request, false));
    swarm.settle(request, next);
    this.#maker.fill(request, outcome, false);
    return 'answer';
  }

  #push(request: AnnounceRequest, outcome: AnnounceOutcome, admitted: Admitted): number {
    const transfer = this.#transfer;
    transfer.nowSeconds = this.#input.nowSeconds;
    const { directory, clock, admission } = this.#world;
    // Percentages may have changed while the announce waited; what counts is now.
    const changed = admitted === admission ? undefined : directory.torrent(request.torrentId);
    const torrent = changed ?? admitted.torrent;
    transfer.timeMs = clock.nowMs();
    transfer.torrent = directory.credits.at(torrent, request, transfer.timeMs);
    transfer.isProtected = admitted.member?.isProtected === true;
    return this.#records.push(request, outcome, transfer);
  }

  /** 0 when this announce gets none, else -1 or what it asks for. */
  #wantsPeers(request: AnnounceRequest, isEarly: boolean): boolean {
    if (request.event === EVENT.stopped) return false;
    return !this.#warns(isEarly);
  }

  /** Early announces are answered in full where nobody is named (T10). */
  #warns(isEarly: boolean): boolean {
    return isEarly && this.#world.admission.needsPasskey;
  }

  #nowSeconds(): number {
    return Math.floor(this.#world.clock.nowMs() / 1000);
  }

  #refuse(refusal: Refusal): 'refuse' {
    this.refusal = refusal;
    return 'refuse';
  }
}

/**
 * A client that is here already says `started` once more by each further family, hash and door. Such
 * a one may have been on its way for long, and with lower counters it is late, no restart.
 */
function isSecondStart(request: AnnounceRequest, outcome: AnnounceOutcome): boolean {
  if (request.event !== EVENT.started || !outcome.present) return false;
  return !outcome.channelKnown && request.key === outcome.key;
}

function neverParks(): Parked {
  throw new Error('an announce that was parked is not parked again');
}
