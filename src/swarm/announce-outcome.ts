// What the swarm says of an announce. One object per Swarm, overwritten by each begin(); the counts
// at its end are filled by settle(). Plain mutable numbers, so that an announce allocates nothing.

import { type BaselineStreams, STREAM_NUMBERS_MAX } from './baseline.ts';

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

/** More at once are for the caller to put off. */
export const FOUNDINGS_MAX = 3;

export interface AnnounceOutcome {
  /** When it is not 'none' no lock is held, and neither settle() nor abandon() is due. */
  refused: SwarmRefusal;
  /** A baseline exists; the ten fields below are its, else zeros and none. */
  known: boolean;
  uploaded: number;
  downloaded: number;
  key: number;
  sequence: number;
  higherAtSeconds: number;
  left: number;
  completed: boolean;
  passed: boolean;
  readonly streams: BaselineStreams;
  /** Unix seconds. */
  lastSeenSeconds: number;
  /** Announces that founded this baseline and are not durable yet, 0 to FOUNDINGS_MAX. */
  foundings: number;
  /** The last announce of the peer said `stopped`. */
  ended: boolean;
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
    passed: false,
    streams: { count: 0, numbers: new Float64Array(STREAM_NUMBERS_MAX) },
    lastSeenSeconds: 0,
    foundings: 0,
    ended: false,
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

/** Back to nothing known; the counts stay until they are filled. */
export function clearOutcome(outcome: AnnounceOutcome): void {
  outcome.refused = 'none';
  outcome.known = false;
  outcome.uploaded = 0;
  outcome.downloaded = 0;
  outcome.key = 0;
  outcome.sequence = 0;
  outcome.higherAtSeconds = 0;
  outcome.left = 0;
  outcome.completed = false;
  outcome.passed = false;
  outcome.streams.count = 0;
  outcome.lastSeenSeconds = 0;
  outcome.foundings = 0;
  outcome.ended = false;
  outcome.present = false;
  outcome.wasSeeder = false;
  outcome.channelKnown = false;
  outcome.repeated = false;
  outcome.early = false;
}
