// What the swarm says of an announce. One object per Swarm, overwritten by each begin(); the counts
// at its end are filled by settle(). Plain mutable numbers, so that an announce allocates nothing.

export type SwarmRefusal =
  | 'none'
  /** Nobody added the torrent, or it was removed. */
  | 'torrent-unknown'
  /** peersMax, or the room for peer lists, is reached. Who is in stays in. */
  | 'swarm-full'
  /** The member has peersPerMemberTorrentMax other peers in this torrent. */
  | 'member-peers'
  /** The member is active in torrentsPerMemberMax other torrents. */
  | 'member-torrents'
  /** Another connection announces this peer id, in a mode in which nobody is named (T14). */
  | 'peer-of-other';

export interface AnnounceOutcome {
  /** When it is not 'none' no lock is held, and neither settle() nor abandon() is due. */
  refused: SwarmRefusal;
  /** A baseline exists; the nine fields below are its, else zeros. */
  known: boolean;
  uploaded: number;
  downloaded: number;
  key: number;
  sequence: number;
  higherAtSeconds: number;
  left: number;
  completed: boolean;
  /** Unix seconds. */
  lastSeenSeconds: number;
  /** The peer is in the swarm (counted), by any address and hash. */
  present: boolean;
  /** Whether it was counted as a seeder before this announce. */
  wasSeeder: boolean;
  /** It is in the swarm by this hash and family, and announced so by this door before. */
  channelKnown: boolean;
  /** The same request (peer, hash, family, door, event, counters) came within the last 60 s. */
  repeated: boolean;
  /**
   * It came sooner than `announceIntervalMsMin` after the last one by the same hash, family and
   * door, is a plain one (no `started`, `completed`, `stopped`), and no repeat. The swarm judges
   * every mode alike: whether an early one gets peers is the tracker's rule.
   */
  early: boolean;
  /** After settle(): counts of the torrent. Partial seeds are counted apart from leechers. */
  seeders: number;
  leechers: number;
  partialSeeds: number;
  /** Completions as setCompleted() told them last. */
  downloadsCompleted: number;
}

export function newAnnounceOutcome(): AnnounceOutcome {
  return {
    refused: 'none',
    known: false,
    uploaded: 0,
    downloaded: 0,
    key: 0,
    sequence: 0,
    higherAtSeconds: 0,
    left: 0,
    completed: false,
    lastSeenSeconds: 0,
    present: false,
    wasSeeder: false,
    channelKnown: false,
    repeated: false,
    early: false,
    seeders: 0,
    leechers: 0,
    partialSeeds: 0,
    downloadsCompleted: 0,
  };
}
