// The rule that turns a client's counters into bytes that count (A1). A pure function, called with
// the swarm's shard locked; it allocates nothing.
//
//   no baseline                        first    credits 0, whatever the event; founds the baseline
//   both counters at least as high     credit   credits the differences; the baseline moves up
//   either counter lower, and          reset    credits 0; the announce is the new baseline
//     event is `started`, or the key changed (both non-zero),
//     or nobody announced the higher counters for `resetAfterSeconds`
//   either counter lower otherwise     late     credits 0; the higher baseline stays
//
// The two counters are judged together, because they belong to one session of one client: a lower
// one means that the announce is older than the baseline or that the client began again, and in
// neither case does the other counter prove anything (docs/decisions/0004).
//
// Every result carries the next sequence, also a late one: each announce that was admitted is a
// record, and the chain of a baseline has no gap.

import type { BaselineNumbers } from './baseline.ts';
import { RECORD_FLAG, TRANSFER_EVENT, type TransferEvent } from './transfer-record.ts';

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

export type DeltaKind = 'first' | 'credit' | 'reset' | 'late';

/** Filled by computeDelta; one per thread is enough. */
export interface DeltaResult {
  kind: DeltaKind;
  uploadedDelta: number;
  downloadedDelta: number;
  /** The baseline from here on; also what the record carries as counters, left and sequence. */
  readonly next: { -readonly [Field in keyof BaselineNumbers]: BaselineNumbers[Field] };
  /** This announce completes the torrent, for the first time on this baseline. */
  completes: boolean;
}

export function newDeltaResult(): DeltaResult {
  return {
    kind: 'first',
    uploadedDelta: 0,
    downloadedDelta: 0,
    next: {
      uploaded: 0,
      downloaded: 0,
      key: 0,
      sequence: 0,
      higherAtSeconds: 0,
      left: 0,
      completed: false,
    },
    completes: false,
  };
}

/** Overwrites every field of `into`; `input.previous` may be the same object as `into.next`. */
export function computeDelta(input: DeltaInput, into: DeltaResult): void {
  const { previous } = input;
  const kind = kindOf(input);
  const isCredit = kind === 'credit';
  const sequence = kind === 'first' ? 1 : (previous.sequence + 1) >>> 0;
  into.kind = kind;
  into.completes = completes(input);
  into.uploadedDelta = isCredit ? input.uploaded - previous.uploaded : 0;
  into.downloadedDelta = isCredit ? input.downloaded - previous.downloaded : 0;
  const completedBefore = input.known && previous.completed;
  const { next } = into;
  next.sequence = sequence;
  if (kind === 'late') {
    next.uploaded = previous.uploaded;
    next.downloaded = previous.downloaded;
    next.key = previous.key;
    // A time from a clock that stood ahead would otherwise keep this client late until then.
    next.higherAtSeconds = Math.min(previous.higherAtSeconds, input.nowSeconds);
    next.left = into.completes ? 0 : previous.left;
    next.completed = completedBefore || into.completes;
    return;
  }
  next.uploaded = input.uploaded;
  next.downloaded = input.downloaded;
  // A client that leaves its key out once is still the one that had it.
  next.key = input.key === 0 && isCredit ? previous.key : input.key;
  next.higherAtSeconds = input.nowSeconds;
  next.left = input.left;
  next.completed = completedBefore || input.left === 0;
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
  if (seededBefore && result.kind !== 'first') flags |= RECORD_FLAG.seededBefore;
  if (result.completes) flags |= RECORD_FLAG.completes;
  if (addressRemoved) flags |= RECORD_FLAG.addressRemoved;
  return flags;
}

function kindOf(input: DeltaInput): DeltaKind {
  const { previous } = input;
  if (!input.known) return 'first';
  if (input.uploaded >= previous.uploaded && input.downloaded >= previous.downloaded) {
    return 'credit';
  }
  if (input.event === TRANSFER_EVENT.started) return 'reset';
  if (input.key !== 0 && previous.key !== 0 && input.key !== previous.key) return 'reset';
  if (input.nowSeconds - previous.higherAtSeconds >= input.resetAfterSeconds) return 'reset';
  return 'late';
}

/**
 * Whoever had everything before completes nothing, and a first sight with nothing left completed
 * somewhere else unless it says `completed`.
 */
function completes(input: DeltaInput): boolean {
  if (input.left !== 0) return false;
  if (input.event === TRANSFER_EVENT.completed) return !(input.known && input.previous.completed);
  if (!input.known) return false;
  // A late announce is older than the baseline: what it says of `left` is not new.
  return !input.previous.completed && input.previous.left !== 0 && kindOf(input) === 'credit';
}
