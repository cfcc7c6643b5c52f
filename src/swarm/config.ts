// The `[swarm]` part of the configuration.

import { z } from 'zod';
import { ms } from '#base/field.ts';

export const swarmConfig = z.strictObject({
  peersMax: z
    .int()
    .min(64)
    .max(16_000_000)
    .default(2_000_000)
    .describe(
      'Peers and silent baselines held at once, about 100 bytes each when used (an IPv6 address adds 72). At the limit new peers are refused; those that are in stay in.',
    ),
  torrentsMax: z
    .int()
    .min(64)
    .max(16_000_000)
    .default(1_000_000)
    .describe(
      'Torrents held at once, about 125 bytes each when used. At the limit announces for further torrents are refused.',
    ),
  membersMax: z
    .int()
    .min(64)
    .max(16_000_000)
    .default(1_000_000)
    .describe(
      'Members that may be seen between two starts, about 8 bytes each. At the limit further members are refused.',
    ),
  shards: z
    .int()
    .min(1)
    .max(4096)
    .default(64)
    .describe(
      'Parts of the swarm with a lock of their own. More let more tracker threads work at once.',
    ),
  peerAgeMsMax: ms({ min: 10_000 })
    .default(2_700_000)
    .describe(
      'Silence after which a peer leaves the swarm, in milliseconds. At least the announce interval and a grace, or live peers are lost.',
    ),
  baselineSilentMs: ms({ min: 1000 })
    .default(10_800_000)
    .describe(
      'How long the counters of a peer that left stay in memory, in milliseconds, before they move to the baseline file.',
    ),
  announceIntervalMsMin: ms({ min: 0, max: 36_000_000 })
    .default(300_000)
    .describe(
      'A client that announces sooner is credited but given no peers, in milliseconds. It is also the `min interval` that clients are told.',
    ),
  peersPerMemberTorrentMax: z
    .int()
    .min(1)
    .max(64)
    .default(3)
    .describe('Clients of one member in one torrent at once; a further one is refused.'),
  torrentsPerMemberMax: z
    .int()
    .min(1)
    .max(10_000_000)
    .default(100_000)
    .describe('Torrents in which one member is active at once; a further one is refused.'),
  peersPerAnswerMax: z
    .int()
    .min(1)
    .max(1000)
    .default(200)
    .describe(
      'The most peers that one answer holds per address family. More fill clients faster and cost bandwidth.',
    ),
});

export type SwarmConfig = z.output<typeof swarmConfig>;
