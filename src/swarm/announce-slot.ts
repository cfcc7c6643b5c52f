// The one reusable object that an announce is carried in between a door, the swarm and the
// tracker. A thread has one; nothing in it survives the next announce. Fields are plain numbers and
// views, so that filling it allocates nothing.

/** BEP 15's numbers. `paused` is BEP 21's, and libtorrent's event 4 over UDP. */
export const EVENT = { none: 0, completed: 1, started: 2, stopped: 3, paused: 4 } as const;
export type AnnounceEvent = (typeof EVENT)[keyof typeof EVENT];

export const DOOR = { udp: 0, http: 1, websocket: 2 } as const;
export type Door = (typeof DOOR)[keyof typeof DOOR];

/** Which of a torrent's hashes was announced; a bit set in peer records. */
export const HASH_VERSION = { v1: 1, v2: 2 } as const;

/** What a client announced, decoded; filled by a door, then by admission. */
export interface AnnounceRequest {
  door: Door;
  event: AnnounceEvent;
  /** 4 or 6; `address` holds 4 or 16 bytes at its start, in wire order. */
  family: 4 | 6;
  readonly address: Uint8Array;
  port: number;
  /** It came by TLS. */
  isTls: boolean;
  /** The WebSocket connection by which the peer is reached, and its tracker thread; else 0. */
  connection: number;
  worker: number;
  readonly infoHash: Uint8Array;
  readonly peerId: Uint8Array;
  /** The client's random `key`, 0 when it sent none. */
  key: number;
  uploaded: number;
  downloaded: number;
  /** Bytes missing; `Number.MAX_SAFE_INTEGER` stands for "unknown" (a magnet's first announce). */
  left: number;
  /** Peers wanted: negative or absent is -1, meaning the default. */
  numwant: number;
  /** Set by admission. Zero when nobody was named (`listed`, `open`). */
  memberId: number;
  torrentId: number;
  hashVersion: number;
  /** Where Swarm.locate() saw the torrent, so that begin() finds it at once; 0 for no idea. */
  place: number;
}
