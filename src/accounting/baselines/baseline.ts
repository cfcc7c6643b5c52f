// A baseline: the counters that a client's next announce is measured against. The swarm keeps
// those of active and recently silent peers in its own memory, baseline-store.ts the older ones.
// swarm/ declares the same shape for itself: neither room knows the other, cli joins them.

import type { Streams } from './streams.ts';

/** Names a baseline: a member's client in a torrent. Addresses are no part of it. */
export interface BaselineKey {
  readonly memberId: number;
  readonly torrentId: number;
  /** 20 bytes. */
  readonly peerId: Uint8Array;
}

/** What the next announce is measured against. Counters are safe integers, in bytes. */
export interface BaselineNumbers {
  readonly uploaded: number;
  readonly downloaded: number;
  /** The client's announce key, 0 when it sent none. */
  readonly key: number;
  /** Sequence of the last record of this baseline; the next one is one more. */
  readonly sequence: number;
  /** Unix seconds of the last announce that carried these counters or more. */
  readonly higherAtSeconds: number;
  /** 2^53-1 when unknown. */
  readonly left: number;
  /** The client had the whole torrent at some time, so it cannot complete it again. */
  readonly completed: boolean;
  /** This stream announced counters other than zero before these. Absent is false. */
  readonly passed?: boolean;
  /** What was measured before this stream; absent is none, as for nearly every client. */
  readonly streams?: Streams;
}

export interface Baseline extends BaselineKey, BaselineNumbers {
  /** Unix seconds of the last announce of any kind. */
  readonly lastSeenSeconds: number;
}

/** A string that is equal for equal keys and sorts nothing; for maps. */
export function baselineKeyText(key: BaselineKey): string {
  const { peerId } = key;
  const text = Buffer.from(peerId.buffer, peerId.byteOffset, peerId.byteLength).toString('latin1');
  return `${key.memberId}:${key.torrentId}:${text}`;
}
