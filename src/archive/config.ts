// Settings of the archive, by consequence. `config print` shows these sentences.

import { z } from 'zod';
import { bytes, count, ms } from '#base/field.ts';
import { isSegmentBytes, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN } from './content/segments.ts';

const MIB = 1024 * 1024;

export const archiveConfig = z.strictObject({
  segmentBytes: bytes({ min: SEGMENT_BYTES_MIN, max: SEGMENT_BYTES_MAX })
    .refine(isSegmentBytes, 'expected a power of two, such as 4 MiB')
    .default(4 * MIB)
    .describe(
      'Bytes of the segments that new files are cut into, a power of two. Larger ones make smaller maps and fewer blobs; smaller ones let a reader of a few bytes wait less. Files that are there stay as they are.',
    ),
  readCacheBytes: bytes({ min: 0 })
    .default(64 * MIB)
    .describe(
      'Bytes of verified segments that stay in memory for the next reader. Clients ask for parts of a segment; without it each part costs reading and hashing the whole of it.',
    ),
  seedStreamsMax: count({ min: 0, max: 100_000 })
    .default(100)
    .describe(
      'Files that the web seed gives at once; more are told to try again later. Each may hold two segments in memory. 0 turns the web seed off.',
    ),
  seedStreamsPerMemberMax: count({ min: 1, max: 100_000 })
    .default(16)
    .describe('Files that the web seed gives to one member at once.'),
  seedVerifiedMs: ms({ min: 0 })
    .default(600_000)
    .describe(
      'Milliseconds for which a segment that was verified is given by the web seed without being hashed again, from a pack that nobody else has changed since. Longer costs less processor time for what many take; what a disk falsifies in that time without an error is only noticed by who receives it. 0 verifies for each reader.',
    ),
  takenAtOnceMax: count({ min: 1, max: 100 })
    .default(2)
    .describe(
      'Wanted torrents that are taken from their swarms at once; others wait. Each may hold 64 MiB of pieces in memory.',
    ),
  scrubPeriodMs: ms({ min: 60_000 })
    .default(30 * 86_400_000)
    .describe(
      'Milliseconds within which everything that is kept is read and proven again, so that rot is found while there is something to heal it from.',
    ),
  scrubBytesPerSecond: bytes()
    .default(20 * MIB)
    .describe(
      'Bytes a second that the scrub reads at most, so that members have the disk. Too few, and the period is not kept. 0 turns the scrub off.',
    ),
  hashThreads: z
    .int()
    .min(1)
    .max(64)
    .default(2)
    .describe(
      'Threads that hash content while it comes in. More is faster as long as there are processors.',
    ),
});

export type ArchiveConfig = z.output<typeof archiveConfig>;
