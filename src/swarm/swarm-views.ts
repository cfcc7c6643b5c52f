// What the site and the commands see of a swarm: copies, taken under the shard's lock.

export interface SwarmCounts {
  seeders: number;
  /** Leechers that are not partial seeds; BEP 48's `incomplete` is leechers + partialSeeds. */
  leechers: number;
  partialSeeds: number;
  /** Completions as the ledger counted them. */
  completed: number;
}

export function newSwarmCounts(): SwarmCounts {
  return { seeders: 0, leechers: 0, partialSeeds: 0, completed: 0 };
}

export type PeerState = 'seeder' | 'leecher' | 'partial-seed';

export interface PeerView {
  /** 0 when nobody was named (`listed`, `open`). */
  readonly memberId: number;
  readonly torrentId: number;
  /** 20 bytes. */
  readonly peerId: Uint8Array;
  readonly state: PeerState;
  /** Four bytes and two of port, as on the wire; undefined when not reachable by IPv4. */
  readonly ipv4: Uint8Array | undefined;
  /** Sixteen bytes and two of port. */
  readonly ipv6: Uint8Array | undefined;
  readonly webrtc: boolean;
  readonly uploaded: number;
  readonly downloaded: number;
  /** 2^53-1 when unknown. */
  readonly left: number;
  /** Unix seconds. */
  readonly lastSeenSeconds: number;
}

/** Of the whole memory, for metrics. */
export interface SwarmTotals {
  readonly torrents: number;
  /** Counted peers; an address more does not count again. */
  readonly peers: number;
  readonly seeders: number;
  /** Baselines of peers that left, not counted above. */
  readonly silentBaselines: number;
  readonly peersMax: number;
  readonly torrentsMax: number;
}
