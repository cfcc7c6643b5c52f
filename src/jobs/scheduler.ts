// Runs the program's jobs: each when it is due or asked for, one at a time per name on any number of
// nodes, at most `jobs.runningMax` at once here. What is due stands in SQL, so every node and every
// command sees the same; a node looks when a job of its own falls due, when it is woken, and every
// `jobs.pollIntervalMs`.

import { assert } from '#base/assert.ts';
import type { Clock } from '#base/clock.ts';
import { messageOf } from '#base/errors.ts';
import type { Job } from '#base/job.ts';
import type { Logger } from '#base/logger.ts';
import type { Random } from '#base/random.ts';
import { Waker } from '#base/waker.ts';
import type { Registry } from '#metrics/registry.ts';
import type { Sql } from '#sql/sql.ts';
import type { JobsConfig } from './config.ts';
import { JobsError } from './errors.ts';
import { JobRun } from './job-run.ts';
import { JobStore, type RunState } from './job-store.ts';
import type { JobRow, JobRunRow } from './job-tables.ts';
import { Leases } from './leases.ts';
import { nextRunMs } from './schedule.ts';

export interface SchedulerWorld {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Registry;
  readonly config: JobsConfig;
  /** This node's name: the same after a restart, different on every other node. */
  readonly holder: string;
}

export interface JobView {
  readonly name: string;
  readonly summary: string;
  readonly isPaused: boolean;
  readonly isRequested: boolean;
  readonly nextRunMs: number;
  readonly failures: number;
  readonly progress:
    | { readonly done: number; readonly total: number | undefined; readonly unit: string }
    | undefined;
  readonly lastRun: JobRunView | undefined;
}

export interface JobRunView {
  readonly result: RunState;
  readonly summary: string;
  readonly holder: string;
  readonly startedMs: number;
  readonly endedMs: number | undefined;
}

export class Scheduler {
  readonly #world: SchedulerWorld;
  readonly #jobs: ReadonlyMap<string, Job>;
  readonly #leases: Leases;
  readonly #store: JobStore;
  readonly #running = new Map<string, { readonly run: JobRun; readonly ended: Promise<void> }>();
  readonly #runsEnded: ReturnType<Registry['counter']>;
  readonly #seconds: ReturnType<Registry['counter']>;
  readonly #runningNow: ReturnType<Registry['gauge']>;
  readonly #waker: Waker;

  constructor(world: SchedulerWorld, jobs: readonly Job[]) {
    const { sql, clock, holder, config, metrics } = world;
    this.#world = world;
    this.#waker = new Waker(clock);
    this.#jobs = new Map(jobs.map((job) => [job.name, job]));
    assert(this.#jobs.size === jobs.length, 'every job has a name of its own');
    this.#leases = new Leases({ sql, clock, holder, leaseMs: config.leaseMs });
    this.#store = new JobStore({ sql, leases: this.#leases, runsKept: config.runsKept });
    this.#runsEnded = metrics.counter('swarmkeep_job_runs_total', 'Runs of jobs by result.');
    this.#seconds = metrics.counter('swarmkeep_job_seconds_total', 'Seconds that jobs ran.');
    this.#runningNow = metrics.gauge('swarmkeep_jobs_running', 'Jobs that run now.');
  }

  /**
   * Makes the jobs known to the database; call it before anything else. Idempotent.
   * @throws SqlError; JobsError JOB_SCHEDULE_INVALID
   */
  async prepare(): Promise<void> {
    const { clock, random } = this.#world;
    const nowMs = clock.nowMs();
    await this.#store.add(
      [...this.#jobs.values()].map(({ name, schedule }) => ({
        name,
        nextRunMs: nextRunMs(schedule, nowMs, random),
      })),
    );
  }

  /** Runs jobs until `signal` aborts, then cancels those that run and waits for their ends. */
  async run(signal: AbortSignal): Promise<void> {
    const { logger, config } = this.#world;
    while (!signal.aborted) {
      this.#waker.reset();
      let waitMs: number = config.pollIntervalMs;
      try {
        waitMs = Math.min(waitMs, await this.#look());
      } catch (error) {
        logger.error('Jobs could not be looked at; trying again', { cause: messageOf(error) });
      }
      await this.#waker.sleep(Math.max(1, waitMs), signal);
    }
    for (const { run } of this.#running.values()) run.cancel('The program stops');
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
  }

  /** Runs it as soon as it may, here or on another node. @throws JobsError JOB_UNKNOWN */
  async request(name: string): Promise<void> {
    await this.#store.request(name);
    this.#waker.wake();
  }

  /**
   * Runs it in this process and waits for its end: for commands that work without a server.
   * @throws JobsError JOB_UNKNOWN; JOB_CANCELLED when another node has it or it is paused
   */
  async runHere(name: string, signal: AbortSignal): Promise<void> {
    await this.#store.request(name);
    const job = this.#jobs.get(name);
    const row = (await this.#store.rows()).find((one) => one.name === name);
    assert(job !== undefined && row !== undefined, 'a job that was requested is known');
    await this.#start(job, row);
    const running = this.#running.get(name);
    if (running === undefined) {
      throw new JobsError('JOB_CANCELLED', `The job "${name}" is paused or runs elsewhere`);
    }
    const cancel = (): void => running.run.cancel('It was interrupted');
    signal.addEventListener('abort', cancel, { once: true });
    await running.ended;
    signal.removeEventListener('abort', cancel);
  }

  /** A run under way is cancelled, on whatever node. @throws JobsError JOB_UNKNOWN */
  async pause(name: string): Promise<void> {
    await this.#store.setPaused(name, true);
    this.#waker.wake();
  }

  /** @throws JobsError JOB_UNKNOWN */
  async resume(name: string): Promise<void> {
    await this.#store.setPaused(name, false);
    this.#waker.wake();
  }

  async views(): Promise<readonly JobView[]> {
    const [rows, lastRuns] = [await this.#store.rows(), await this.#store.lastRuns()];
    return rows
      .flatMap((row) => {
        const job = this.#jobs.get(row.name);
        return job === undefined ? [] : [viewOf(job, row, lastRuns.get(row.name))];
      })
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Newest first. */
  async runs(name: string, runsMax: number): Promise<readonly JobRunView[]> {
    return (await this.#store.runs(name, runsMax)).map(runViewOf);
  }

  /** Starts what is due; returns the milliseconds until something else may be. */
  async #look(): Promise<number> {
    const { clock, config } = this.#world;
    const rows = await this.#store.rows();
    for (const row of rows) {
      if (row.is_paused === 1) this.#running.get(row.name)?.run.cancel('It was paused');
    }
    const waiting = rows
      .filter((row) => row.is_paused === 0 && !this.#running.has(row.name))
      .flatMap((row) => {
        const job = this.#jobs.get(row.name);
        return job === undefined ? [] : [{ job, row, dueMs: this.#dueMs(job, row) }];
      })
      .sort((a, b) => a.dueMs - b.dueMs);
    const nowMs = clock.nowMs();
    for (const { job, row, dueMs } of waiting) {
      if (dueMs > nowMs) return dueMs - nowMs;
      if (this.#running.size >= config.runningMax) break;
      await this.#start(job, row);
    }
    // Runs that end wake us; a lease that another node has is looked at again after a while.
    return config.pollIntervalMs;
  }

  #dueMs(job: Job, row: JobRow): number {
    const gapMs = job.gapMsMin ?? this.#world.config.gapMsMin;
    const wantedMs = row.is_requested === 1 ? 0 : row.next_run_ms;
    return Math.max(wantedMs, (row.last_started_ms ?? Number.NEGATIVE_INFINITY) + gapMs);
  }

  async #start(job: Job, row: JobRow): Promise<void> {
    const { clock, holder } = this.#world;
    const lease = await this.#leases.take(job.name);
    if (lease === undefined) return;
    const startedMs = clock.nowMs();
    if (!(await this.#store.begin(lease, { holder, startedMs }))) {
      await this.#leases.giveBack(lease);
      return;
    }
    const logger = this.#world.logger.for(job.name);
    const world = { ...this.#world, logger, leases: this.#leases, store: this.#store };
    const run = new JobRun(world, {
      ...{ job, lease, startedMs },
      failuresBefore: row.failures,
      isByHand: row.is_requested === 1,
    });
    this.#running.set(job.name, { run, ended: this.#follow(run) });
    this.#runningNow.set(this.#running.size);
  }

  async #follow(run: JobRun): Promise<void> {
    const { name } = run.job;
    try {
      const { result, durationMs } = await run.toEnd();
      this.#runsEnded.add(1, { job: name, result });
      this.#seconds.add(durationMs / 1000, { job: name });
    } catch (error) {
      this.#runsEnded.add(1, { job: name, result: 'lost' });
      this.#world.logger.error('The end of a run could not be written down', {
        job: name,
        cause: messageOf(error),
      });
    }
    this.#running.delete(name);
    this.#runningNow.set(this.#running.size);
    this.#waker.wake();
  }
}

function viewOf(job: Job, row: JobRow, lastRun: JobRunRow | undefined): JobView {
  const { progress_done: done, progress_total: total, progress_unit: unit } = row;
  const isRunning = lastRun?.result === 'running';
  return {
    name: job.name,
    summary: job.summary,
    isPaused: row.is_paused === 1,
    isRequested: row.is_requested === 1,
    nextRunMs: row.next_run_ms,
    failures: row.failures,
    progress: isRunning && done !== null ? { done, total: total ?? undefined, unit } : undefined,
    lastRun: lastRun === undefined ? undefined : runViewOf(lastRun),
  };
}

function runViewOf(row: JobRunRow): JobRunView {
  return {
    result: row.result as RunState,
    summary: row.summary,
    holder: row.holder,
    startedMs: row.started_ms,
    endedMs: row.ended_ms ?? undefined,
  };
}
