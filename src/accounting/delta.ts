// The rule that turns a client's counters into bytes that count (A1). A pure function, called with
// the swarm's shard locked; it allocates nothing. A baseline is the stream of counters that is
// measured now, and up to four that were before it (streams.ts). The first line that fits holds:
//
//   no baseline                             first     credits 0, whatever the event; founds it
//   an ended session's packet: see below    stale     credits 0, changes and closes nothing
//   another key, of a remembered stream:
//     above all that it must pass           resumed   credits what is above; it is measured from here
//     else                                  stale     as above
//   another key, never seen, lower          reset     credits 0; the announce is the new baseline
//     the same, while four are remembered,
//     without `started` or a silence        stale     as above: it may be one that was forgotten
//   lower, and `started`                    reset     credits 0; what was measured has ended
//   at least as high as some tier, lower    resumed   above all that it must pass: credits what is
//     than the baseline or not                        above, and that tier is measured from here
//                                           late      lower and not above: credits 0
//                                           credit    not lower and not above: credits 0, for now
//   both counters at least as high          credit    credits the differences; the baseline moves up
//   lower, nobody announced the higher      reset     credits 0; the announce is the new baseline, and
//     counters for `resetAfterSeconds`                the old one a tier that may come back
//   lower otherwise                         late      credits 0; the higher baseline stays
//
// "Lower" is either counter: the two belong to one session of one client, so that a lower one means
// that the announce is older than the baseline or of another stream, and in neither case does the other
// counter prove anything (docs/decisions/0004). "Another key" is one that differs, neither being 0.
//
// A tier is a stream that no `started` ended and that has the same key. Two streams of one client may
// report the same bytes, so that what one is credited with, every other must pass as well; the streams
// that `started` ended are over, and what comes after them is new. An ended session's packet carries
// its key (or none) and
//   - exactly its last counters, whenever it comes; or
//   - another key than the baseline's, and no more than its last counters; or
//   - no more than its last counters within `resetAfterSeconds` of its end, when it had announced
//     others on the way to them. A `stopped` is not taken for one: a session stops once, at its last.
// Why, and what is credited late or not at all: docs/decisions/0009.
//
// Every result but a stale one carries the next sequence, also a late one: each announce that was
// admitted is a record, and the chain of a baseline has no gap. A stale one makes no record.

import type { BaselineNumbers } from '#accounting/baselines/baseline.ts';
import {
  copyStreams,
  dropStream,
  endStreams,
  hasEndedPassed,
  hasKey,
  hasOutrun,
  hasTrait,
  isOtherKey,
  leaveKey,
  leaveStream,
  newStreams,
  oldestOver,
  STREAM,
  STREAM_NUMBERS,
  STREAM_TRAIT,
  STREAMS_MAX,
  type Streams,
  streamField,
  widenGaps,
} from '#accounting/baselines/streams.ts';
import {
  RECORD_FLAG,
  TRANSFER_EVENT,
  type TransferEvent,
} from '#accounting/transfers/transfer-record.ts';

/** What is known and what was announced. Counters are safe integers. */
export interface DeltaInput {
  /** False on first sight; `previous` is not read then. */
  readonly known: boolean;
  readonly previous: BaselineNumbers;
  readonly event: TransferEvent;
  readonly uploaded: number;
  readonly downloaded: number;
  /** 2^53-1 when unknown. */
  readonly left: number;
  /** 0 when the client sent none. */
  readonly key: number;
  /** Unix seconds, wall time. */
  readonly nowSeconds: number;
  readonly resetAfterSeconds: number;
}

export type DeltaKind = 'first' | 'credit' | 'resumed' | 'reset' | 'late' | 'stale';

/** Filled by computeDelta; one per thread is enough. */
export interface DeltaResult {
  kind: DeltaKind;
  uploadedDelta: number;
  downloadedDelta: number;
  /** A reset that only silence explains: the old counters may come back. */
  overlaps: boolean;
  /** The baseline from here on; also what the record carries as counters, left and sequence. */
  readonly next: { -readonly [Field in keyof BaselineNumbers]: BaselineNumbers[Field] } & {
    passed: boolean;
    readonly streams: Streams;
  };
  /** This announce completes the torrent, for the first time on this baseline. */
  completes: boolean;
}

export function newDeltaResult(): DeltaResult {
  return {
    kind: 'first',
    uploadedDelta: 0,
    downloadedDelta: 0,
    overlaps: false,
    next: {
      uploaded: 0,
      downloaded: 0,
      key: 0,
      sequence: 0,
      higherAtSeconds: 0,
      left: 0,
      completed: false,
      passed: false,
      streams: newStreams(),
    },
    completes: false,
  };
}

/** What an announce is measured from; filled by measure(). */
const measured = { uploaded: 0, downloaded: 0, stream: -1 };

/** Overwrites every field of `into`; `input.previous` may be the same object as `into.next`. */
export function computeDelta(input: DeltaInput, into: DeltaResult): void {
  if (isOrdinary(input)) {
    creditOrdinary(input, into);
    return;
  }
  const kind = kindOf(input);
  const isAbove = kind === 'credit' || (kind === 'resumed' && isAboveMeasured(input));
  into.kind = kind;
  into.completes = completes(input, kind);
  into.uploadedDelta = isAbove ? input.uploaded - measured.uploaded : 0;
  into.downloadedDelta = isAbove ? input.downloaded - measured.downloaded : 0;
  into.overlaps = kind === 'reset' && !isSaid(input);
  moveStreams(input, into);
  moveNumbers(input, into);
}

/** Nearly every announce: of a client that went on with what it was counting, as ever. */
function isOrdinary({ known, previous, key, uploaded, downloaded }: DeltaInput): boolean {
  if (!known || uploaded < previous.uploaded || downloaded < previous.downloaded) return false;
  const { streams } = previous;
  if (streams !== undefined && streams.count > 0) return false;
  return !isOtherKey(key, previous.key);
}

/** What all the rest of the rule comes to for one of them. */
function creditOrdinary(input: DeltaInput, into: DeltaResult): void {
  const { previous, uploaded, downloaded } = input;
  const { next } = into;
  const uploadedDelta = uploaded - previous.uploaded;
  const downloadedDelta = downloaded - previous.downloaded;
  into.kind = 'credit';
  into.uploadedDelta = uploadedDelta;
  into.downloadedDelta = downloadedDelta;
  into.overlaps = false;
  into.completes = completes(input, 'credit');
  const isAbove = uploadedDelta > 0 || downloadedDelta > 0;
  const hadCounters = previous.uploaded > 0 || previous.downloaded > 0;
  next.passed = previous.passed === true || (isAbove && hadCounters);
  next.completed = previous.completed || input.left === 0;
  next.sequence = (previous.sequence + 1) >>> 0;
  next.key = input.key === 0 ? previous.key : input.key;
  next.uploaded = uploaded;
  next.downloaded = downloaded;
  next.higherAtSeconds = input.nowSeconds;
  next.left = input.left;
  next.streams.count = 0;
}

/** The flags of the record that carries `result`; `seededBefore` is "left was 0 before it". */
export function transferFlags(
  result: DeltaResult,
  seededBefore: boolean,
  addressRemoved: boolean,
): number {
  let flags = 0;
  if (result.kind === 'first') flags |= RECORD_FLAG.first;
  if (result.kind === 'reset') flags |= RECORD_FLAG.reset;
  if (result.kind === 'late') flags |= RECORD_FLAG.late;
  if (result.kind === 'resumed') flags |= RECORD_FLAG.resumed;
  if (result.overlaps) flags |= RECORD_FLAG.overlaps;
  if (seededBefore && result.kind !== 'first') flags |= RECORD_FLAG.seededBefore;
  if (result.completes) flags |= RECORD_FLAG.completes;
  if (addressRemoved) flags |= RECORD_FLAG.addressRemoved;
  return flags;
}

/**
 * Fills the result again from the kind and the deltas that a record tells, for whoever follows the
 * log: its streams are what the tracker's were. `input` is the record's announce. False, for a
 * `resumed`, when the record was not measured from what the streams before it say.
 */
export function followDelta(
  input: DeltaInput,
  into: DeltaResult,
  told: Pick<DeltaResult, 'kind' | 'uploadedDelta' | 'downloadedDelta' | 'completes'>,
): boolean {
  into.kind = told.kind;
  into.uploadedDelta = told.uploadedDelta;
  into.downloadedDelta = told.downloadedDelta;
  into.completes = told.completes;
  into.overlaps = told.kind === 'reset' && !isSaid(input);
  let fits = true;
  if (told.kind === 'resumed') {
    const { previous, key } = input;
    const isOther = isOtherKey(key, previous.key);
    measure(input, isOther && previous.streams !== undefined && hasKey(previous.streams, key));
    const isAbove = isAboveMeasured(input);
    fits =
      measured.stream >= 0 &&
      told.uploadedDelta === (isAbove ? input.uploaded - measured.uploaded : 0) &&
      told.downloadedDelta === (isAbove ? input.downloaded - measured.downloaded : 0);
  }
  moveStreams(input, into);
  moveNumbers(input, into);
  return fits;
}

function kindOf(input: DeltaInput): DeltaKind {
  if (!input.known) return 'first';
  const { previous, key } = input;
  const isOther = isOtherKey(key, previous.key);
  const { streams } = previous;
  if (streams === undefined || streams.count === 0) return kindAlone(input, isOther);
  if (isOfEnded(input, streams, isOther)) return 'stale';
  if (isOther && hasKey(streams, key)) {
    measure(input, true);
    return measured.stream >= 0 && isAboveMeasured(input) ? 'resumed' : 'stale';
  }
  const isSilent = isSilentFor(input);
  const isFull = streams.count === STREAMS_MAX;
  const isSure = input.event === TRANSFER_EVENT.started || isSilent || !isFull;
  if (isOther && !isSure) return 'stale';
  const isBelow = isLower(input);
  if (isBelow && isSaid(input)) return 'reset';
  if (isBelow && (!isSilent || hasOutrun(streams, previous.key))) return 'late';
  measure(input, false);
  if (measured.stream >= 0) return 'resumed';
  if (!isBelow) return 'credit';
  return isFull && oldestOver(streams, previous.key) < 0 ? 'late' : 'reset';
}

/** Where no other stream is remembered, as of nearly every client. */
function kindAlone(input: DeltaInput, isOther: boolean): DeltaKind {
  const { previous } = input;
  measured.uploaded = previous.uploaded;
  measured.downloaded = previous.downloaded;
  measured.stream = -1;
  if (!isLower(input)) return 'credit';
  if (isOther || input.event === TRANSFER_EVENT.started || isSilentFor(input)) return 'reset';
  return 'late';
}

function isLower({ uploaded, downloaded, previous }: DeltaInput): boolean {
  return uploaded < previous.uploaded || downloaded < previous.downloaded;
}

/** The client says itself that it began anew. */
function isSaid(input: DeltaInput): boolean {
  return input.event === TRANSFER_EVENT.started || isOtherKey(input.key, input.previous.key);
}

function isSilentFor(input: DeltaInput): boolean {
  return input.nowSeconds - input.previous.higherAtSeconds >= input.resetAfterSeconds;
}

/** Whether the announce is a packet of a session that `started` ended. */
function isOfEnded(input: DeltaInput, streams: Streams, isOther: boolean): boolean {
  const { uploaded, downloaded, previous, key } = input;
  if (uploaded === previous.uploaded && downloaded === previous.downloaded) return false;
  const isBelow = isLower(input);
  for (let stream = 0; stream < streams.count; stream++) {
    if (!hasTrait(streams, stream, STREAM_TRAIT.ended)) continue;
    if (isOtherKey(key, streamField(streams, stream, STREAM.key))) continue;
    const up = streamField(streams, stream, STREAM.uploaded);
    const down = streamField(streams, stream, STREAM.downloaded);
    if (uploaded === up && downloaded === down) return true;
    if (isBelow || uploaded > up || downloaded > down) continue;
    if (isOther) return true;
    if (input.event === TRANSFER_EVENT.stopped) continue;
    if (!hasTrait(streams, stream, STREAM_TRAIT.passed)) continue;
    const since = input.nowSeconds - streamField(streams, stream, STREAM.endedAt);
    if (since < input.resetAfterSeconds) return true;
  }
  return false;
}

/**
 * What the announce must pass: the most of all the streams that it may belong to, which are those
 * whose last counters it has reached: those of its own key, where another is measured now, else the
 * baseline's own and its tiers. `measured.stream` is -1 when the baseline's own alone says it all.
 */
function measure(input: DeltaInput, isOfKey: boolean): void {
  const { previous, uploaded, downloaded, key } = input;
  const isOwn = !isOfKey && !isLower(input);
  measured.uploaded = isOwn ? previous.uploaded : 0;
  measured.downloaded = isOwn ? previous.downloaded : 0;
  measured.stream = -1;
  const { streams } = previous;
  if (streams === undefined) return;
  if (uploaded === previous.uploaded && downloaded === previous.downloaded) return;
  let most = -1;
  for (let stream = 0; stream < streams.count; stream++) {
    if (hasTrait(streams, stream, STREAM_TRAIT.ended | STREAM_TRAIT.outrun)) continue;
    const itsKey = streamField(streams, stream, STREAM.key);
    if (isOfKey ? itsKey !== key : isOtherKey(itsKey, previous.key)) continue;
    if (uploaded < streamField(streams, stream, STREAM.uploaded)) continue;
    if (downloaded < streamField(streams, stream, STREAM.downloaded)) continue;
    const up = previous.uploaded + streamField(streams, stream, STREAM.uploadedGap);
    const down = previous.downloaded + streamField(streams, stream, STREAM.downloadedGap);
    if (isOwn && up <= previous.uploaded && down <= previous.downloaded) continue;
    measured.uploaded = Math.max(measured.uploaded, up);
    measured.downloaded = Math.max(measured.downloaded, down);
    if (up + down <= most) continue;
    most = up + down;
    measured.stream = stream;
  }
}

/** Above in one counter and below in none, or in the ordinary case not below. */
function isAboveMeasured({ uploaded, downloaded }: DeltaInput): boolean {
  if (uploaded < measured.uploaded || downloaded < measured.downloaded) return false;
  if (measured.stream < 0) return true;
  return uploaded > measured.uploaded || downloaded > measured.downloaded;
}

/** The streams that are remembered from here on. The kind and the deltas stand in `into`. */
function moveStreams(input: DeltaInput, into: DeltaResult): void {
  const { streams } = into.next;
  const { kind } = into;
  const { previous, uploaded, downloaded, nowSeconds } = input;
  if (!input.known) {
    streams.count = 0;
    return;
  }
  copyStreams(previous.streams, streams);
  const isOther = isOtherKey(input.key, previous.key);
  if (kind === 'credit' && isOther) leaveKey(streams, previous, nowSeconds);
  if (kind !== 'reset' && kind !== 'resumed') return;
  if (kind === 'resumed') {
    resume(streams, input, !isAboveMeasured(input));
  } else if (into.overlaps) {
    if (streams.count === STREAMS_MAX) dropStream(streams, oldestOver(streams, previous.key));
    leaveStream(streams, previous, nowSeconds);
  } else if (isOther) {
    leaveKey(streams, previous, nowSeconds);
  } else {
    leaveStream(streams, previous, nowSeconds);
    endStreams(streams, previous.key, nowSeconds);
  }
  widenGaps(
    streams,
    previous.uploaded + into.uploadedDelta - uploaded,
    previous.downloaded + into.downloadedDelta - downloaded,
  );
}

/**
 * What was measured gives its place to a stream that came back, whose lower tiers are not needed any
 * more. A tier that has not passed all it must stays among the others with what it lacks.
 */
function resume(streams: Streams, input: DeltaInput, isShort: boolean): void {
  const { previous, uploaded, downloaded, nowSeconds } = input;
  const isOther = isOtherKey(input.key, previous.key);
  for (let stream = streams.count - 1; stream >= 0; stream--) {
    if (hasTrait(streams, stream, STREAM_TRAIT.ended)) continue;
    const key = streamField(streams, stream, STREAM.key);
    if (isOther ? key !== input.key : isOtherKey(key, previous.key)) continue;
    if (uploaded < streamField(streams, stream, STREAM.uploaded)) continue;
    if (downloaded < streamField(streams, stream, STREAM.downloaded)) continue;
    dropStream(streams, stream);
  }
  if (isOther) leaveKey(streams, previous, nowSeconds);
  else leaveStream(streams, previous, nowSeconds, STREAM_TRAIT.outrun);
  if (!isShort) return;
  leaveStream(streams, previous, nowSeconds);
  const at = (streams.count - 1) * STREAM_NUMBERS;
  streams.numbers[at + STREAM.uploaded] = uploaded;
  streams.numbers[at + STREAM.downloaded] = downloaded;
  streams.numbers[at + STREAM.uploadedGap] = measured.uploaded - previous.uploaded;
  streams.numbers[at + STREAM.downloadedGap] = measured.downloaded - previous.downloaded;
}

function moveNumbers(input: DeltaInput, into: DeltaResult): void {
  const { previous } = input;
  const { next, kind } = into;
  const isKnown = kind !== 'first';
  const passedBefore = isKnown && previous.passed === true;
  const completedBefore = isKnown && previous.completed;
  next.completed =
    completedBefore || into.completes || (input.left === 0 && kind !== 'late' && kind !== 'stale');
  next.sequence = !isKnown
    ? 1
    : kind === 'stale'
      ? previous.sequence
      : (previous.sequence + 1) >>> 0;
  if (kind === 'late' || kind === 'stale') {
    next.uploaded = previous.uploaded;
    next.downloaded = previous.downloaded;
    next.key = previous.key;
    // A time from a clock that stood ahead would otherwise keep this client late until then.
    next.higherAtSeconds = Math.min(previous.higherAtSeconds, input.nowSeconds);
    next.left = into.completes ? 0 : previous.left;
    next.passed = passedBefore || kind === 'late';
    return;
  }
  next.passed = kind === 'resumed' || (kind === 'credit' && (passedBefore || passes(input, into)));
  // A client that leaves its key out once is still the one that had it.
  next.key =
    input.key === 0 && (kind === 'credit' || kind === 'resumed') ? previous.key : input.key;
  next.uploaded = input.uploaded;
  next.downloaded = input.downloaded;
  next.higherAtSeconds = input.nowSeconds;
  next.left = input.left;
}

/** Whether the session announced counters before these that a copy could bring again. */
function passes({ previous }: DeltaInput, { uploadedDelta, downloadedDelta, next }: DeltaResult) {
  if (uploadedDelta === 0 && downloadedDelta === 0) return false;
  if (previous.uploaded > 0 || previous.downloaded > 0) return true;
  // Some of it may have been taken for an ended session's.
  return hasEndedPassed(next.streams);
}

/**
 * Whoever had everything before completes nothing, and a first sight with nothing left completed
 * somewhere else unless it says `completed`.
 */
function completes(input: DeltaInput, kind: DeltaKind): boolean {
  if (input.left !== 0 || kind === 'stale') return false;
  if (input.event === TRANSFER_EVENT.completed) return !(input.known && input.previous.completed);
  if (!input.known || input.previous.completed || input.previous.left === 0) return false;
  // A late announce is older than the baseline: what it says of `left` is not new.
  return kind === 'credit' || kind === 'resumed';
}
