// What can go wrong with jobs that an operator must act on.

import { CodedError } from '#base/errors.ts';

export const JOBS_ERRORS = {
  JOB_UNKNOWN: 'No job has this name. `swarmkeep jobs list` shows those there are.',
  JOB_LEASE_LOST:
    'Another node has the job now, because this one did not renew its lease in time (a long pause, a slow database). Nothing was written twice; that node does the work.',
  JOB_TIMED_OUT:
    'A run took longer than its time limit and was cancelled. It goes on with its next run.',
  JOB_CANCELLED: 'A run was cancelled: by an operator, a pause, or the end of the program.',
  JOB_SCHEDULE_INVALID: 'The schedule of a job cannot be read. This is a bug.',
} as const;

export type JobsErrorCode = keyof typeof JOBS_ERRORS;

export class JobsError extends CodedError<JobsErrorCode> {}
