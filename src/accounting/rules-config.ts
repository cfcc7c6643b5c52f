// The `[rules]` part of the configuration: which strategy judges members, and its numbers.

import { z } from 'zod';
import { bytes, count, ms } from '#base/field.ts';
import { STRATEGY_NAMES } from './strategies/strategy.ts';

const GIB = 2 ** 30;
const DAY_MS = 86_400_000;

const quotient = (max: number) => z.number().min(0).max(max);

export const rulesConfig = z.strictObject({
  strategy: z
    .enum(STRATEGY_NAMES)
    .default('free')
    .describe(
      'How members are judged: "free" records and never sanctions; "upload-download" asks for a ratio of bytes; "required-ratio" asks for more the more was taken, and less of those who go on seeding; "seed-leech" counts torrents, "seed-leech-time" hours; "seed-time" is the rule against hit and run.',
    ),
  checkEveryMs: ms({ min: 60_000 })
    .default(3_600_000)
    .describe(
      'Milliseconds between two judgements of every member. Shorter restricts and lifts sooner, and reads the whole ledger more often.',
    ),
  watchMs: ms()
    .default(14 * DAY_MS)
    .describe(
      'How long a member who fell short is watched before they may not take more, in milliseconds.',
    ),
  watchBytesMax: bytes()
    .default(10 * GIB)
    .describe('Bytes that a member may take during a watch; one more ends it early.'),
  ratioRequired: quotient(100)
    .default(0.6)
    .describe('Strategy "upload-download": credited upload by credited download.'),
  ratioGraceBytes: bytes()
    .default(5 * GIB)
    .describe('Strategy "upload-download": up to so many downloaded bytes nothing is asked.'),
  seedLeechRequired: quotient(1)
    .default(0.5)
    .describe('Strategy "seed-leech": torrents seeded for each torrent taken.'),
  seedLeechSecondsMin: count()
    .default(7 * 86_400)
    .describe('Strategy "seed-leech": seeded for so many seconds, a torrent counts for ever.'),
  seedLeechGraceTorrents: count()
    .default(3)
    .describe('Strategy "seed-leech": up to so many taken torrents nothing is asked.'),
  seedLeechTimeRequired: quotient(100)
    .default(1)
    .describe('Strategy "seed-leech-time": seconds of seeding for each second of downloading.'),
  seedLeechTimeWindowDays: count({ min: 1, max: 365 })
    .default(30)
    .describe('Strategy "seed-leech-time": the days that are looked at.'),
  seedLeechTimeGraceSeconds: count()
    .default(86_400)
    .describe(
      'Strategy "seed-leech-time": up to so many seconds of downloading in the window nothing is asked.',
    ),
  seedTimeSecondsRequired: count()
    .default(7 * 86_400)
    .describe('Strategy "seed-time": seconds that a taken torrent must be seeded.'),
  seedTimeRatioRequired: quotient(100)
    .default(1)
    .describe('Strategy "seed-time": uploaded bytes by its size that are as good as the time.'),
  seedTimeBufferShare: quotient(1)
    .default(0.1)
    .describe('Strategy "seed-time": share of a torrent that may be taken without owing anything.'),
  seedTimeWarnAfterMs: ms()
    .default(DAY_MS)
    .describe('Strategy "seed-time": away for so long before its end, a member is warned.'),
  seedTimeHitAndRunAfterMs: ms()
    .default(3 * DAY_MS)
    .describe('Strategy "seed-time": away for so long, it is a hit and run.'),
  seedTimeHitAndRunsMax: count()
    .default(2)
    .describe('Strategy "seed-time": with more hit and runs at once a member is on watch.'),
});

export type RulesConfig = z.output<typeof rulesConfig>;
