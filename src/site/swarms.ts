// What pages ask of the living swarms. cli plugs in the shared memory of swarm/; both calls are
// plain reads of it, without a message to another thread.

export interface SwarmCounts {
  readonly seeders: number;
  readonly leechers: number;
  readonly completed: number;
}

/** One client in one swarm. */
export interface SwarmPeer {
  readonly memberId: number;
  readonly torrentId: number;
  /** 20 bytes; the first ones name the client. */
  readonly peerId: Uint8Array;
  /** As the client counts them in this session. */
  readonly uploaded: number;
  readonly downloaded: number;
  /** Bytes that the client still lacks; 2^53-1 when unknown. */
  readonly left: number;
  readonly state: 'seeder' | 'leecher' | 'partial-seed';
  /** Wire bytes of the address; undefined when not reachable by that family. Never shown to others. */
  readonly ipv4: Uint8Array | undefined;
  readonly ipv6: Uint8Array | undefined;
  /** Unix seconds. */
  readonly lastSeenSeconds: number;
}

export interface Swarms {
  /** By which the archive's own peer is known among the others, 20 bytes. */
  readonly archivePeerId: Uint8Array;
  /** Undefined for a torrent that no tracker knows yet. */
  counts(torrentId: number): SwarmCounts | undefined;
  peersOfMember(memberId: number, limit: number): readonly SwarmPeer[];
  peersOfTorrent(torrentId: number, limit: number): readonly SwarmPeer[];
}
