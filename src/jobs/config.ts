// Settings of the jobs, by consequence. `config print` shows these sentences.

import { z } from 'zod';
import { ms } from '#base/field.ts';

export const jobsConfig = z.strictObject({
  runningMax: z
    .int()
    .min(1)
    .max(64)
    .default(4)
    .describe('Jobs that run at once. Others that are due wait for their turn.'),
  gapMsMin: ms({ min: 0, max: 86_400_000 })
    .default(1000)
    .describe(
      'Milliseconds between the starts of two runs of one job, whoever asks for them: the rate limit of running by hand.',
    ),
  leaseMs: ms({ min: 3000, max: 3_600_000 })
    .default(30_000)
    .describe(
      'Milliseconds after which another node may take a job over from one that fell silent. Shorter moves jobs sooner, and sooner from a node that is only slow.',
    ),
  retryMsMin: ms({ min: 1000, max: 3_600_000 })
    .default(30_000)
    .describe('Milliseconds until a failed job is tried again; doubled with each failure.'),
  retryMsMax: ms({ min: 1000, max: 7 * 86_400_000 })
    .default(3_600_000)
    .describe('Longest wait of a job that fails again and again, in milliseconds.'),
  pollIntervalMs: ms({ min: 100, max: 600_000 })
    .default(5000)
    .describe(
      'Milliseconds between looks at the table of jobs, for what other nodes and commands asked for.',
    ),
  runsKept: z
    .int()
    .min(1)
    .max(100_000)
    .default(200)
    .describe('Past runs kept for each job, with duration and result.'),
});

export type JobsConfig = z.output<typeof jobsConfig>;
