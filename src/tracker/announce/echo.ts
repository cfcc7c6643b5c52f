// A packet that was on its way longer than the `stopped` behind it, in time or over another network.
//
// It proves nothing new, and whoever left must not come back by it: no client would take that peer out
// again, others would be sent to nobody until it ages, and it would count against what its member may
// run. After `accounting.resetAfterMs` the same packet is a client that began anew without saying so.

import type { DeltaInput, DeltaResult } from '#accounting/delta.ts';
import type { AnnounceOutcome } from '#swarm/announce-outcome.ts';
import { type AnnounceRequest, EVENT } from '#swarm/announce-slot.ts';

/** Not an object for the last two: this is asked at each announce. */
export function isEcho(
  request: AnnounceRequest,
  outcome: AnnounceOutcome,
  delta: DeltaResult,
  input: DeltaInput,
): boolean {
  // By another family or hash the client may be there still, and is then refreshed.
  if (!outcome.ended || outcome.channelKnown) return false;
  const { event } = request;
  if (event === EVENT.started || event === EVENT.stopped) return false;
  const { kind, uploadedDelta, downloadedDelta, completes } = delta;
  const isNothingNew =
    kind === 'late' || (kind === 'credit' && uploadedDelta + downloadedDelta === 0);
  if (!isNothingNew || completes) return false;
  const { nowSeconds, resetAfterSeconds } = input;
  return nowSeconds - outcome.lastSeenSeconds < resetAfterSeconds;
}
