// What is kept of jobs in SQL: when each is due, whether it is paused or asked for, how far it is,
// its checkpoint, and its past runs. Everything that a run writes checks the run's lease first.

import type { Transaction } from 'kysely';
import type { Sql } from '#sql/sql.ts';
import { JobsError } from './errors.ts';
import type { JobRow, JobRunRow, JobTables } from './job-tables.ts';
import type { Lease, Leases } from './leases.ts';

/** `lost`: its node died or was too slow; another run goes on with the work. */
export type RunEnd = 'done' | 'failed' | 'timed-out' | 'cancelled';
export type RunState = RunEnd | 'running' | 'lost';

export interface RunRecord {
  readonly result: RunEnd;
  readonly summary: string;
  readonly endedMs: number;
  readonly nextRunMs: number;
  readonly failures: number;
}

export interface ProgressRecord {
  readonly done: number;
  readonly total: number | undefined;
  readonly unit: string;
}

type JobTransaction = Transaction<JobTables>;

/** Longer ones would not be small. */
const CHECKPOINT_CHARACTERS_MAX = 65_536;

export class JobStore {
  readonly #sql: Sql;
  readonly #leases: Leases;
  readonly #runsKept: number;

  constructor(world: { readonly sql: Sql; readonly leases: Leases; readonly runsKept: number }) {
    this.#sql = world.sql;
    this.#leases = world.leases;
    this.#runsKept = world.runsKept;
  }

  /**
   * Adds the jobs that are not known yet. The others stay as they are, but for one whose schedule would
   * run it sooner by now: it comes at that time.
   */
  async add(jobs: readonly { readonly name: string; readonly nextRunMs: number }[]): Promise<void> {
    if (jobs.length === 0) return;
    const rows = jobs.map(({ name, nextRunMs }) => ({
      name,
      is_paused: 0,
      is_requested: 0,
      next_run_ms: nextRunMs,
      failures: 0,
      progress_unit: '',
    }));
    await this.#sql.transaction<JobTables, void>(async (transaction) => {
      await transaction
        .insertInto('jobs')
        .values(rows)
        .onConflict((conflict) =>
          conflict
            .column('name')
            .doUpdateSet((of) => ({ next_run_ms: of.ref('excluded.next_run_ms') }))
            .whereRef('excluded.next_run_ms', '<', 'jobs.next_run_ms')
            // One that failed waits for its turn.
            .where('jobs.failures', '=', 0),
        )
        .execute();
    });
  }

  async rows(): Promise<readonly JobRow[]> {
    return await this.#sql.read<JobTables>().selectFrom('jobs').selectAll().execute();
  }

  /** The newest run of each job. */
  async lastRuns(): Promise<ReadonlyMap<string, JobRunRow>> {
    const rows = await this.#sql
      .read<JobTables>()
      .selectFrom('job_runs')
      .selectAll()
      .where(({ eb, refTuple, selectFrom }) =>
        eb(
          refTuple('name', 'fence'),
          'in',
          selectFrom('job_runs')
            .select((of) => ['name', of.fn.max('fence').as('fence')])
            .groupBy('name')
            .$asTuple('name', 'fence'),
        ),
      )
      .execute();
    return new Map(rows.map((row) => [row.name, row]));
  }

  /** Newest first. */
  async runs(name: string, runsMax: number): Promise<readonly JobRunRow[]> {
    return await this.#sql
      .read<JobTables>()
      .selectFrom('job_runs')
      .selectAll()
      .where('name', '=', name)
      .orderBy('fence', 'desc')
      .limit(runsMax)
      .execute();
  }

  /** @throws JobsError JOB_UNKNOWN */
  async request(name: string): Promise<void> {
    await this.#set(name, { is_requested: 1 });
  }

  /** A request that waits is forgotten by a pause. @throws JobsError JOB_UNKNOWN */
  async setPaused(name: string, isPaused: boolean): Promise<void> {
    await this.#set(name, { is_paused: isPaused ? 1 : 0, ...(isPaused && { is_requested: 0 }) });
  }

  /** False when the run that made it due was made by another node meanwhile. */
  async begin(lease: Lease, run: { holder: string; startedMs: number }): Promise<boolean> {
    const { name, fence } = lease;
    return await this.#fenced(lease, async (transaction) => {
      const { numUpdatedRows } = await transaction
        .updateTable('jobs')
        .set({
          is_requested: 0,
          last_started_ms: run.startedMs,
          progress_done: null,
          progress_total: null,
        })
        .where('name', '=', name)
        .where('is_paused', '=', 0)
        .where((row) =>
          row.or([row('is_requested', '=', 1), row('next_run_ms', '<=', run.startedMs)]),
        )
        .executeTakeFirst();
      if (Number(numUpdatedRows) === 0) return false;
      // Of a run that a crash or a lost lease ended nobody else tells.
      await transaction
        .updateTable('job_runs')
        .set({ result: 'lost', summary: 'It did not come to its end.' })
        .where('name', '=', name)
        .where('result', '=', 'running')
        .execute();
      await transaction
        .insertInto('job_runs')
        .values({
          name,
          fence,
          holder: run.holder,
          started_ms: run.startedMs,
          ended_ms: null,
          result: 'running',
          summary: '',
        })
        .execute();
      return true;
    });
  }

  /** @throws JobsError JOB_LEASE_LOST */
  async end(lease: Lease, record: RunRecord): Promise<void> {
    const { name, fence } = lease;
    await this.#fenced(lease, async (transaction) => {
      await transaction
        .updateTable('job_runs')
        .set({ ended_ms: record.endedMs, result: record.result, summary: record.summary })
        .where('name', '=', name)
        .where('fence', '=', fence)
        .execute();
      await transaction
        .updateTable('jobs')
        .set({ next_run_ms: record.nextRunMs, failures: record.failures })
        .where('name', '=', name)
        .execute();
      await transaction
        .deleteFrom('job_runs')
        .where('name', '=', name)
        .where('fence', '<=', fence - this.#runsKept)
        .execute();
    });
  }

  async progress(lease: Lease, { done, total, unit }: ProgressRecord): Promise<void> {
    await this.#fenced(lease, async (transaction) => {
      await transaction
        .updateTable('jobs')
        .set({ progress_done: done, progress_total: total ?? null, progress_unit: unit })
        .where('name', '=', lease.name)
        .execute();
    });
  }

  async loadCheckpoint(name: string): Promise<unknown> {
    const row = await this.#sql
      .read<JobTables>()
      .selectFrom('jobs')
      .select('checkpoint')
      .where('name', '=', name)
      .executeTakeFirst();
    const text = row?.checkpoint ?? null;
    return text === null ? undefined : (JSON.parse(text) as unknown);
  }

  /** `undefined` forgets it. @throws JobsError JOB_LEASE_LOST; RangeError when it is too long */
  async saveCheckpoint(lease: Lease, value: unknown): Promise<void> {
    const checkpoint = value === undefined ? null : JSON.stringify(value);
    if (checkpoint !== null && checkpoint.length > CHECKPOINT_CHARACTERS_MAX) {
      throw new RangeError(`The checkpoint of "${lease.name}" has ${checkpoint.length} characters`);
    }
    await this.#fenced(lease, async (transaction) => {
      await transaction
        .updateTable('jobs')
        .set({ checkpoint })
        .where('name', '=', lease.name)
        .execute();
    });
  }

  async #set(name: string, change: Partial<JobRow>): Promise<void> {
    await this.#sql.transaction<JobTables, void>(async (transaction) => {
      const { numUpdatedRows } = await transaction
        .updateTable('jobs')
        .set(change)
        .where('name', '=', name)
        .executeTakeFirst();
      if (Number(numUpdatedRows) > 0) return;
      throw new JobsError('JOB_UNKNOWN', `There is no job "${name}"`);
    });
  }

  async #fenced<Result>(
    lease: Lease,
    run: (transaction: JobTransaction) => Promise<Result>,
  ): Promise<Result> {
    return await this.#sql.transaction<JobTables, Result>(async (transaction) => {
      await this.#leases.check(transaction, lease);
      return await run(transaction);
    });
  }
}
