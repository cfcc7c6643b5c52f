// The catalogue's part of the `[site]` settings.

import { z } from 'zod';
import { bytes, ms } from '#base/field.ts';
import { METAINFO_BYTES_MAX } from '#wire/metainfo.ts';

const MIB = 1024 * 1024;

export const catalogueConfig = z.strictObject({
  torrentSource: z
    .string()
    .min(1)
    .max(100)
    .default('Swarmkeep')
    .describe(
      'Written as `source` into uploaded torrents that have none, so that the same content shared elsewhere is another torrent. Name your community before the first upload; a change affects later uploads only.',
    ),
  torrentBytesMax: bytes({ min: 16 * 1024, max: METAINFO_BYTES_MAX })
    .default(10 * MIB)
    .describe(
      'The largest .torrent file that may be uploaded, in bytes. 10 MiB describe about 10 TiB, or 100,000 files. Larger ones are refused before they are read. Reading one takes up to 64 times as much memory for a few seconds; the `put` command takes 256 MiB whatever stands here.',
    ),
  coverBytesMax: bytes({ min: 65_536, max: 32 * MIB })
    .default(4 * MIB)
    .describe(
      'The largest picture that an uploader may send as the cover of a torrent, in bytes. It is made smaller by ffmpeg; without it only pictures of at most 512 KiB are taken.',
    ),
  magnets: z
    .boolean()
    .default(false)
    .describe(
      'Whether members may take a magnet link beside the .torrent. It holds their announce address as the file does, and is copied more easily. A client gets the description of the files from another one in the swarm, so somebody must be there.',
    ),
  draftsPerMemberMax: z
    .int()
    .min(1)
    .max(100)
    .default(5)
    .describe(
      'Uploads that one member may have waiting for a title and a last look. One more replaces the oldest.',
    ),
  draftBytesMax: bytes({ min: 16 * MIB, max: 16_384 * MIB })
    .default(256 * MIB)
    .describe(
      'Bytes of all uploads that wait for their uploaders, in the database. The oldest make room for new ones.',
    ),
  draftAgeMsMax: ms({ min: 60_000, max: 30 * 86_400_000 })
    .default(86_400_000)
    .describe('Milliseconds after which an upload that nobody finished is forgotten.'),
  tokenValidMs: ms({ min: 3_600_000 })
    .default(90 * 86_400_000)
    .describe('How long a member has to spend a freeleech token, from the day it was given.'),
  tokenWindowMs: ms({ min: 3_600_000 })
    .default(4 * 86_400_000)
    .describe(
      'How long a spent token makes its torrent free to take. Long enough for the slowest line to finish it.',
    ),
  pageRows: z
    .int()
    .min(5)
    .max(200)
    .default(50)
    .describe('Torrents on one page of the list. More make longer pages and slower queries.'),
});

export type CatalogueConfig = z.output<typeof catalogueConfig>;
