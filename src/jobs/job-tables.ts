// The tables of jobs/. Times are Unix milliseconds; booleans are 0 and 1, as both databases keep them.

import type { Transaction } from 'kysely';

export interface JobTables {
  leases: LeaseRow;
  jobs: JobRow;
  job_runs: JobRunRow;
}

export interface LeaseRow {
  name: string;
  /** The node that has it; empty when it was given back. */
  holder: string;
  fence: number;
  expires_ms: number;
}

export interface JobRow {
  name: string;
  is_paused: number;
  /** Somebody asked for a run now. */
  is_requested: number;
  next_run_ms: number;
  /** In a row; 0 after a success. */
  failures: number;
  last_started_ms: number | null;
  progress_done: number | null;
  progress_total: number | null;
  progress_unit: string;
  /** JSON. */
  checkpoint: string | null;
}

export interface JobRunRow {
  name: string;
  fence: number;
  holder: string;
  started_ms: number;
  /** Null while it runs, or when its node died. */
  ended_ms: number | null;
  result: string;
  summary: string;
}

export async function createJobTables(
  transaction: Transaction<Record<string, never>>,
): Promise<void> {
  const { schema } = transaction;
  await schema
    .createTable('leases')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('holder', 'text', (column) => column.notNull())
    .addColumn('fence', 'bigint', (column) => column.notNull())
    .addColumn('expires_ms', 'bigint', (column) => column.notNull())
    .execute();
  await schema
    .createTable('jobs')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('is_paused', 'integer', (column) => column.notNull())
    .addColumn('is_requested', 'integer', (column) => column.notNull())
    .addColumn('next_run_ms', 'bigint', (column) => column.notNull())
    .addColumn('failures', 'integer', (column) => column.notNull())
    .addColumn('last_started_ms', 'bigint')
    .addColumn('progress_done', 'bigint')
    .addColumn('progress_total', 'bigint')
    .addColumn('progress_unit', 'text', (column) => column.notNull())
    .addColumn('checkpoint', 'text')
    .execute();
  await schema
    .createTable('job_runs')
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('fence', 'bigint', (column) => column.notNull())
    .addColumn('holder', 'text', (column) => column.notNull())
    .addColumn('started_ms', 'bigint', (column) => column.notNull())
    .addColumn('ended_ms', 'bigint')
    .addColumn('result', 'text', (column) => column.notNull())
    .addColumn('summary', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('job_runs_key', ['name', 'fence'])
    .execute();
}
