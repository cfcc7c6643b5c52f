// A job: work that the program does by itself, now and then. Each room exports its own as functions
// that take what they need and return a Job; jobs/scheduler.ts runs them, one at a time per name.
//
// A job may be killed at any point, by a time limit, an operator or a power cut, and is then run
// again: it must be idempotent. What it writes to SQL goes through `fenced`, so that of two nodes
// that both believe to run it only the later one gets through.

import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';

/** Every so often from the start of the last run, or by the calendar (five fields, UTC). */
export type JobSchedule =
  | { readonly everyMs: number; readonly jitterPercent?: number }
  | { readonly cron: string };

export interface Job {
  /** Kebab-case: `ratio-watch`. */
  readonly name: string;
  /** One sentence for the operator: what it does and why it must run. */
  readonly summary: string;
  readonly schedule: JobSchedule;
  /** A run that takes longer is cancelled and counted as failed. */
  readonly timeLimitMs: number;
  /** Between the starts of two runs, whoever asks for them. Absent: `jobs.gapMsMin`. */
  readonly gapMsMin?: number;
  /** Rejects with the signal's reason soon after it aborts. */
  run(context: JobContext): Promise<JobResult>;
}

export interface JobResult {
  /** One sentence for the operator: what was done. */
  readonly summary: string;
  /** What was counted, by name: `{ warned: 3 }`. */
  readonly counts?: Readonly<Record<string, number>>;
}

export interface JobContext {
  /** Aborts at the time limit, when the job is paused or lost to another node, and at the end. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A person asked for this run; absent when it is simply due. */
  readonly isByHand?: boolean;
  /** Grows with every run on any node: what is written outside of SQL carries it. */
  readonly fence: number;
  /** Shown while the job runs. `total` is undefined while nobody knows it. */
  progress(done: number, total: number | undefined, unit: string): void;
  /** A small value kept between runs (JSON, at most 64 KiB): a run goes on where the last stopped. */
  readonly checkpoint: {
    load(): Promise<unknown>;
    /** Survives a crash when it resolved. @throws JobsError JOB_LEASE_LOST */
    save(value: unknown): Promise<void>;
  };
  /**
   * Call first in each SQL transaction of the job: the transaction fails when another node has the
   * job now. @throws JobsError JOB_LEASE_LOST
   */
  fenced(transaction: JobTransaction): Promise<void>;
}

/** A Kysely transaction; this rank knows no SQL. */
export type JobTransaction = object;
