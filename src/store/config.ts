// Settings of the store, by consequence. `config print` shows these sentences.

import { z } from 'zod';
import { bytes, ms } from '#base/field.ts';

const MIB = 1024 * 1024;

export const storeConfig = z.strictObject({
  packBytesMax: bytes({ min: 65_536, max: 16_384 * MIB })
    .default(512 * MIB)
    .describe(
      'Bytes after which the store goes on in a new pack. Space is given back a pack at a time: smaller packs need less free space for it, larger ones fewer open files.',
    ),
  writeBytesMax: bytes({ min: 4096, max: 64 * MIB })
    .default(4 * MIB)
    .describe(
      'Bytes of blobs that are written before one sync; a larger blob is written alone. More gives more throughput when many put at once, at the price of as much memory.',
    ),
  queueBytesMax: bytes({ min: 4096, max: 1024 * MIB })
    .default(64 * MIB)
    .describe('Bytes of blobs that may wait for the disk. Beyond it puts wait for room.'),
  noRushMsMax: ms({ min: 1, max: 60_000 })
    .default(200)
    .describe(
      'Milliseconds that a put without hurry waits at most for others to share a sync with.',
    ),
  compactDeadPercent: z
    .int()
    .min(1)
    .max(100)
    .default(30)
    .describe(
      'Percent of a pack that must be removed blobs before compaction rewrites it. Lower gives back more space and writes more.',
    ),
});

export type StoreConfig = z.output<typeof storeConfig>;
