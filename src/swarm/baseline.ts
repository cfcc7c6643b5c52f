// A baseline: the counters that a client's next announce is measured against. The swarm keeps those
// of active and recently silent peers beside their addresses; accounting/ declares the same shape
// for the older ones. Plain data, so that neither room needs the other.

/** Names a baseline: a member's client in a torrent. Addresses are no part of it. */
export interface BaselineKey {
  readonly memberId: number;
  readonly torrentId: number;
  /** 20 bytes. */
  readonly peerId: Uint8Array;
}

/** Numbers of a BaselineStreams, at most. */
export const STREAM_NUMBERS_MAX = 28;

/** What accounting remembers beside a baseline. The swarm keeps it and does not look into it. */
export interface BaselineStreams {
  /** 0 to 4; each is as many of the numbers as the next, from the beginning. */
  count: number;
  /** STREAM_NUMBERS_MAX of them. */
  readonly numbers: Float64Array;
}

/** Counters and `left` are safe integers, in bytes. */
export interface BaselineNumbers {
  readonly uploaded: number;
  readonly downloaded: number;
  /** The client's announce key, 0 when it sent none. */
  readonly key: number;
  /** Sequence of the last record of this baseline; 32 bits. */
  readonly sequence: number;
  /**
   * Unix seconds of the last announce that carried these counters or more. Kept as a distance from
   * the last announce, which is held at 65,535 s: what is older reads as if it were that old.
   */
  readonly higherAtSeconds: number;
  /** 2^53-1 when unknown. */
  readonly left: number;
  /** The client had the whole torrent at some time, so it cannot complete it again. */
  readonly completed: boolean;
  /** Accounting's, like `streams`: kept and given back. Absent is false. */
  readonly passed?: boolean;
  /** Absent is none. */
  readonly streams?: BaselineStreams;
}

export interface Baseline extends BaselineKey, BaselineNumbers {
  /** Unix seconds of the last announce of any kind. */
  readonly lastSeenSeconds: number;
}
