// What an announce and its answer are carried in between the codecs and the tracker. The codecs
// fill objects that the caller owns and uses again for the next packet, so that no announce
// allocates. `AnnounceTarget` has the fields of the swarm's AnnounceRequest that a codec fills.

/** BEP 15's numbers. `paused` is BEP 21's, and libtorrent's event 4 over UDP. */
export const ANNOUNCE_EVENT = {
  none: 0,
  completed: 1,
  started: 2,
  stopped: 3,
  paused: 4,
} as const;
export type AnnounceEventNumber = (typeof ANNOUNCE_EVENT)[keyof typeof ANNOUNCE_EVENT];

/** `left` when the client does not know it: the first announce of a magnet link. */
export const LEFT_UNKNOWN: number = Number.MAX_SAFE_INTEGER;

export interface AnnounceTarget {
  event: AnnounceEventNumber;
  port: number;
  /** 20 bytes. */
  readonly infoHash: Uint8Array;
  /** 20 bytes. */
  readonly peerId: Uint8Array;
  /** The client's random `key`, 0 when it sent none. */
  key: number;
  uploaded: number;
  downloaded: number;
  /** Bytes missing, or `LEFT_UNKNOWN`. */
  left: number;
  /** Peers wanted; -1 when negative or absent, meaning the default. */
  numwant: number;
}

/** An answer to an announce; the encoders read it. Reused by the caller from answer to answer. */
export interface AnnounceAnswer {
  intervalSeconds: number;
  /** 0: left out. UDP has no place for it. */
  minIntervalSeconds: number;
  seeders: number;
  /** Partial seeds counted in (BEP 21). */
  leechers: number;
  /** How many members completed it. UDP has no place for it. */
  completed: number;
  /** Compact entries of 6 bytes: address and port in network order. */
  peers4: Uint8Array;
  peers4Count: number;
  /** Compact entries of 18 bytes. */
  peers6: Uint8Array;
  peers6Count: number;
  /** 0: no `external ip` (BEP 24); else 4 or 16 bytes at the start of `externalAddress`. */
  externalBytes: 0 | 4 | 16;
  externalAddress: Uint8Array;
  /** Encoded once as UTF-8; empty: none. UDP has no place for it. */
  warning: Uint8Array;
}
