// When a job runs next: from the start of its last run, or by the calendar.

import { Cron } from 'croner';
import type { JobSchedule } from '#base/job.ts';
import { below, type Random } from '#base/random.ts';
import { JobsError } from './errors.ts';

const PERMILLE = 1000;

/** Unix milliseconds of the next run after one that started at `startedMs`; always later. */
export function nextRunMs(schedule: JobSchedule, startedMs: number, random: Random): number {
  if ('cron' in schedule) return nextByCalendar(schedule.cron, startedMs);
  const { everyMs, jitterPercent = 0 } = schedule;
  // Spread to both sides, so that the mean stays what was asked for.
  const share = (below(random, 2 * PERMILLE + 1) - PERMILLE) / PERMILLE;
  return startedMs + Math.max(1, Math.round(everyMs * (1 + (share * jitterPercent) / 100)));
}

/** The wait after the nth failure in a row, 1 and up. */
export function retryDelayMs(failures: number, bounds: { min: number; max: number }): number {
  // Beyond 2^30 doublings nothing is exact any more, and every bound was reached long before.
  return Math.min(bounds.max, bounds.min * 2 ** Math.min(failures - 1, 30));
}

/** @throws JobsError JOB_SCHEDULE_INVALID */
function nextByCalendar(pattern: string, afterMs: number): number {
  try {
    const next = new Cron(pattern, { timezone: 'UTC' }).nextRun(new Date(afterMs));
    if (next !== null) return next.getTime();
  } catch (error) {
    throw new JobsError('JOB_SCHEDULE_INVALID', `Cannot read the schedule "${pattern}"`, {
      cause: error,
    });
  }
  throw new JobsError('JOB_SCHEDULE_INVALID', `The schedule "${pattern}" names no time to come`);
}
