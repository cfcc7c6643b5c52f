// Takes addresses out of old transfer records, and out of all records of members of whom none is to
// stay (A17). Version 1 of the record has the address at a fixed place outside of every sum, so that
// nothing else changes: chain, ledger and audit stay as they are.
//
// Only sealed segments are rewritten. The last one of the topic is sealed when it is full or as old as
// `log.segmentAgeMsMax`, and gets its turn then.

import {
  isTransferValid,
  RECORD_FLAG,
  TRANSFER_AT,
  TRANSFERS_TOPIC,
} from '#accounting/transfers/transfer-record.ts';
import type { RecordChange, RewritingLog } from '#log/rewriting-log.ts';

/** A batch may seem this much older than its records, when the wall clock was set back between. */
const CLOCK_MS_MAX = 86_400_000;

/** The name by which the log knows the change. */
export const BLANK_ADDRESSES = 'blank-addresses';

interface BlankInput {
  /** Unix milliseconds: records from before lose their address. */
  readonly beforeMs: number;
  /** Members whose records lose it whatever their age. */
  readonly memberIds: readonly number[];
}

export const blankAddresses: RecordChange = (input) => {
  const { beforeMs, memberIds } = input as BlankInput;
  const members = new Set(memberIds);
  return (value) => {
    if (!isTransferValid(value) || value[TRANSFER_AT.family] === 0) return false;
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
    const timeMs = Number(view.getBigUint64(TRANSFER_AT.timeMs, true));
    const memberId = view.getUint32(TRANSFER_AT.memberId, true);
    if (timeMs >= beforeMs && !members.has(memberId)) return false;
    value[TRANSFER_AT.family] = 0;
    view.setUint16(TRANSFER_AT.port, 0, true);
    value.fill(0, TRANSFER_AT.address, TRANSFER_AT.address + 16);
    const flags = view.getUint16(TRANSFER_AT.flags, true) | RECORD_FLAG.addressRemoved;
    view.setUint16(TRANSFER_AT.flags, flags, true);
    return true;
  };
};

/** What a run hands to the next. */
export interface ForgottenSoFar {
  /** Records from before have no address, in every segment that was sealed then. */
  readonly beforeMs: number;
  /** Segments that begin below it were looked through for the members. */
  readonly throughOffset: number;
  /** For whom they were looked through. */
  readonly memberIds: readonly number[];
}

export interface ForgetWorld {
  readonly log: RewritingLog;
  readonly signal: AbortSignal;
  progress(done: number, total: number): void;
}

export interface Forgotten {
  readonly state: ForgottenSoFar;
  /** Records whose address was removed. */
  readonly addresses: number;
}

/** Cancelled halfway, what was rewritten stays so, and the next run begins at the same place again. */
export async function forgetAddresses(
  world: ForgetWorld,
  asked: { readonly beforeMs: number; readonly memberIds: readonly number[] },
  before: ForgottenSoFar | undefined,
): Promise<Forgotten> {
  const { log, signal } = world;
  const { beforeMs, memberIds } = asked;
  const known = new Set(before?.memberIds);
  // Somebody new on the list: every segment that may hold an address is looked through again.
  const isSame = memberIds.every((id) => known.has(id));
  const membersFrom = isSame ? (before?.throughOffset ?? 0) : 0;
  const { firstOffset, nextOffset: end } = await log.stats(TRANSFERS_TOPIC);
  let addresses = 0;
  let through = membersFrom;
  for (let from = firstOffset; ; ) {
    signal.throwIfAborted();
    const isForMembers = memberIds.length > 0 && from >= membersFrom;
    const { nextOffset, changed } = await log.rewriteSegment(TRANSFERS_TOPIC, {
      from,
      change: BLANK_ADDRESSES,
      input: { beforeMs, memberIds } satisfies BlankInput,
      newestMsMin: (before?.beforeMs ?? 0) - CLOCK_MS_MAX,
      ...(isForMembers ? {} : { oldestMsMax: beforeMs }),
      signal,
    });
    addresses += changed;
    if (nextOffset === undefined) break;
    from = nextOffset;
    through = Math.max(through, nextOffset);
    world.progress(from - firstOffset, end - firstOffset);
  }
  return { state: { beforeMs, throughOffset: through, memberIds }, addresses };
}
