// One run of one job: begun under a lease that is renewed while it runs, ended by its result, its
// time limit, a cancellation or the loss of the lease, and written down.

import type { Transaction } from 'kysely';
import { type Clock, sleep, type Timer } from '#base/clock.ts';
import { messageOf } from '#base/errors.ts';
import type { Job, JobContext, JobTransaction } from '#base/job.ts';
import type { Logger } from '#base/logger.ts';
import type { Random } from '#base/random.ts';
import type { JobsConfig } from './config.ts';
import { JobsError } from './errors.ts';
import type { JobStore, RunEnd } from './job-store.ts';
import type { JobTables } from './job-tables.ts';
import type { Lease, Leases } from './leases.ts';
import { nextRunMs, retryDelayMs } from './schedule.ts';

const PROGRESS_MS_MIN = 1000;

export interface JobRunWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly leases: Leases;
  readonly store: JobStore;
  readonly config: JobsConfig;
}

export interface RunOutcome {
  readonly result: RunEnd | 'lost';
  readonly durationMs: number;
  readonly summary: string;
}

export class JobRun {
  readonly job: Job;
  readonly #world: JobRunWorld;
  readonly #lease: Lease;
  readonly #startedMs: number;
  readonly #failuresBefore: number;
  readonly #isByHand: boolean;
  readonly #abort = new AbortController();
  readonly #settled = new AbortController();
  #progressAtMs = Number.NEGATIVE_INFINITY;
  /** Writes one after the other: two transactions about one row would wait for each other anyway. */
  #writing: Promise<void> = Promise.resolve();

  constructor(
    world: JobRunWorld,
    run: {
      readonly job: Job;
      readonly lease: Lease;
      readonly startedMs: number;
      readonly failuresBefore: number;
      readonly isByHand: boolean;
    },
  ) {
    this.#world = world;
    this.job = run.job;
    this.#lease = run.lease;
    this.#startedMs = run.startedMs;
    this.#failuresBefore = run.failuresBefore;
    this.#isByHand = run.isByHand;
  }

  cancel(why: string): void {
    this.#stop('JOB_CANCELLED', why);
  }

  /** Runs to the end and writes it down. Never rejects for the job's own failure. @throws SqlError */
  async toEnd(): Promise<RunOutcome> {
    const { clock, leases, logger } = this.#world;
    const sinceMs = clock.monotonicMs();
    const limit = this.#limitTime();
    const renewing = this.#renewWhileRunning();
    let summary: string;
    let result: RunEnd | 'lost' = 'done';
    try {
      const done = await this.job.run(this.#context());
      summary = [done.summary, ...countsOf(done.counts)].join(' ');
    } catch (error) {
      result = this.#resultOf(error);
      summary = messageOf(error);
    }
    limit.cancel();
    this.#settled.abort();
    await renewing;
    await this.#writing;
    const durationMs = clock.monotonicMs() - sinceMs;
    if (result !== 'lost') {
      result = (await this.#writeEnd(result, summary)) ? result : 'lost';
      await leases.giveBack(this.#lease);
    }
    if (result === 'done') logger.info(summary, { durationMs: Math.round(durationMs) });
    else if (result === 'cancelled') logger.info(`Cancelled: ${summary}`);
    else logger.error(`The job ended: ${result}`, { cause: summary });
    return { result, durationMs, summary };
  }

  #context(): JobContext {
    const { clock, logger, store, leases } = this.#world;
    const lease = this.#lease;
    return {
      signal: this.#abort.signal,
      clock,
      logger,
      fence: lease.fence,
      isByHand: this.#isByHand,
      progress: (done, total, unit) => this.#progress(done, total, unit),
      checkpoint: {
        load: () => store.loadCheckpoint(lease.name),
        save: (value) => store.saveCheckpoint(lease, value),
      },
      fenced: (transaction: JobTransaction) =>
        leases.check(transaction as Transaction<JobTables>, lease),
    };
  }

  #progress(done: number, total: number | undefined, unit: string): void {
    const { clock, store, logger } = this.#world;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#progressAtMs < PROGRESS_MS_MIN) return;
    this.#progressAtMs = nowMs;
    this.#writing = this.#writing.then(() =>
      store
        .progress(this.#lease, { done, total, unit })
        .catch((error: unknown) =>
          logger.debug('Progress was not kept', { error: messageOf(error) }),
        ),
    );
  }

  #limitTime(): Timer {
    const { timeLimitMs } = this.job;
    return this.#world.clock.after(timeLimitMs, () =>
      this.#stop('JOB_TIMED_OUT', `It took longer than ${timeLimitMs} ms`),
    );
  }

  #stop(code: 'JOB_CANCELLED' | 'JOB_TIMED_OUT' | 'JOB_LEASE_LOST', words: string): void {
    if (!this.#abort.signal.aborted) this.#abort.abort(new JobsError(code, words));
  }

  async #renewWhileRunning(): Promise<void> {
    const { clock, config, leases, logger } = this.#world;
    let goodUntilMs = clock.monotonicMs() + config.leaseMs;
    for (;;) {
      await sleep(clock, config.leaseMs / 3, this.#settled.signal).catch(() => undefined);
      if (this.#settled.signal.aborted) return;
      const askedMs = clock.monotonicMs();
      try {
        if (await leases.renew(this.#lease)) goodUntilMs = askedMs + config.leaseMs;
        else goodUntilMs = Number.NEGATIVE_INFINITY;
      } catch (error) {
        logger.warn('The lease could not be renewed; trying again', { cause: messageOf(error) });
      }
      if (clock.monotonicMs() < goodUntilMs) continue;
      this.#stop('JOB_LEASE_LOST', `The lease of "${this.job.name}" was not renewed in time`);
      return;
    }
  }

  #resultOf(error: unknown): RunEnd | 'lost' {
    // What a cancelled job fails with may be anything; why it was cancelled counts.
    const cause: unknown = this.#abort.signal.aborted ? this.#abort.signal.reason : error;
    if (!(cause instanceof JobsError)) return 'failed';
    if (cause.code === 'JOB_LEASE_LOST') return 'lost';
    if (cause.code === 'JOB_TIMED_OUT') return 'timed-out';
    return cause.code === 'JOB_CANCELLED' ? 'cancelled' : 'failed';
  }

  /** False when another node has the job: then nothing is written. */
  async #writeEnd(result: RunEnd, summary: string): Promise<boolean> {
    const { clock, store, config, random } = this.#world;
    const endedMs = clock.nowMs();
    const isFailure = result === 'failed' || result === 'timed-out';
    const failures = isFailure ? this.#failuresBefore + 1 : 0;
    const bounds = { min: config.retryMsMin, max: config.retryMsMax };
    const regularMs = nextRunMs(this.job.schedule, this.#startedMs, random);
    try {
      await store.end(this.#lease, {
        result,
        summary,
        endedMs,
        failures,
        // What was cancelled goes on as soon as it may.
        nextRunMs: isFailure
          ? endedMs + retryDelayMs(failures, bounds)
          : result === 'cancelled'
            ? endedMs
            : regularMs,
      });
      return true;
    } catch (error) {
      if (error instanceof JobsError && error.code === 'JOB_LEASE_LOST') return false;
      throw error;
    }
  }
}

function countsOf(counts: Readonly<Record<string, number>> = {}): string[] {
  const words = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  return words.length === 0 ? [] : [`(${words.join(', ')})`];
}
