// Settings of the archive, by consequence. `config print` shows these sentences.

import { z } from 'zod';
import { bytes } from '#base/field.ts';
import { isSegmentBytes, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN } from './content/segments.ts';

const MIB = 1024 * 1024;

export const archiveConfig = z.strictObject({
  segmentBytes: bytes({ min: SEGMENT_BYTES_MIN, max: SEGMENT_BYTES_MAX })
    .refine(isSegmentBytes, 'expected a power of two, such as 4 MiB')
    .default(4 * MIB)
    .describe(
      'Bytes of the segments that new files are cut into, a power of two. Larger ones make smaller maps and fewer blobs; smaller ones let a reader of a few bytes wait less. Files that are there stay as they are.',
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
