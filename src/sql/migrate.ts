// Brings the schema forward. Each migration runs once, in a transaction of its own that also records
// it, so that a crash leaves either all of a step or nothing. There is no way back but a backup.

import type { Transaction } from 'kysely';
import { assert } from '#base/assert.ts';
import type { Clock } from '#base/clock.ts';
import { lockForTransaction } from './dialect.ts';
import { SqlError } from './errors.ts';
import type { Migration, Sql } from './sql.ts';

interface MigrationTables {
  schema_migration: { number: number; name: string; applied_ms: number };
}

/** A step may take an hour where there is much, and whoever waits for one waits as long. */
const UNTIMED = { isUntimed: true };

export interface MigrateOptions {
  readonly clock: Clock;
  /** Applies the pending ones in one transaction and rolls it back: shows whether they would. */
  readonly dryRun?: boolean;
  /** Called once before the first step is applied to a database that has some already: a backup. */
  readonly beforeFirst?: (pending: readonly Migration[]) => Promise<void>;
}

export interface MigrationState {
  readonly number: number;
  readonly name: string;
  /** Unix milliseconds; undefined while pending. */
  readonly appliedMs: number | undefined;
}

/**
 * Applies what is pending, by number, and returns the names. Several processes may do so at once.
 * @throws SqlError SQL_MIGRATION_FAILED, SQL_MIGRATION_UNKNOWN, SQL_MIGRATION_CHANGED
 */
export async function migrate(
  sql: Sql,
  migrations: readonly Migration[],
  options: MigrateOptions,
): Promise<readonly string[]> {
  const known = inOrder(migrations);
  if (options.dryRun === true) return await tryPending(sql, known, options.clock);
  await sql.transaction<MigrationTables, void>(createTable, UNTIMED);
  const states = await migrationStatus(sql, known);
  const pending = known.filter((_, at) => states[at]?.appliedMs === undefined);
  if (pending.length > 0 && pending.length < known.length) await options.beforeFirst?.(pending);
  const applied: string[] = [];
  for (const migration of pending) {
    const run = async (transaction: Transaction<MigrationTables>): Promise<boolean> => {
      // Whoever waited for the lock may find that the other process has done the step.
      await lockForTransaction(transaction, 'migrations');
      if (await isApplied(transaction, migration)) return false;
      await apply(transaction, { migration, dialect: sql.dialect, nowMs: options.clock.nowMs() });
      return true;
    };
    const isNew = await sql.transaction(run, UNTIMED);
    if (isNew) applied.push(migration.name);
  }
  return applied;
}

/**
 * The state of each known migration, by number.
 * @throws SqlError SQL_MIGRATION_UNKNOWN, SQL_MIGRATION_CHANGED
 */
export async function migrationStatus(
  sql: Sql,
  migrations: readonly Migration[],
): Promise<readonly MigrationState[]> {
  const known = inOrder(migrations);
  const applied = new Map<number, { readonly name: string; readonly appliedMs: number }>();
  const reading = sql.read<MigrationTables>();
  const tables = await reading.introspection.getTables();
  if (tables.some((table) => table.name === 'schema_migration')) {
    const rows = await reading.selectFrom('schema_migration').selectAll().execute();
    for (const row of rows) applied.set(row.number, { name: row.name, appliedMs: row.applied_ms });
  }
  for (const [number, { name }] of applied) {
    const migration = known.find((candidate) => candidate.number === number);
    if (migration === undefined) {
      throw new SqlError('SQL_MIGRATION_UNKNOWN', `The database has the unknown step "${name}"`);
    }
    if (migration.name !== name) {
      throw new SqlError(
        'SQL_MIGRATION_CHANGED',
        `Step ${number} of the database is "${name}", expected "${migration.name}"`,
      );
    }
  }
  return known.map(({ number, name }) => {
    return { number, name, appliedMs: applied.get(number)?.appliedMs };
  });
}

function inOrder(migrations: readonly Migration[]): readonly Migration[] {
  const sorted = [...migrations].sort((one, other) => one.number - other.number);
  for (const [at, migration] of sorted.entries()) {
    assert(migration.number !== sorted[at - 1]?.number, 'two migrations have the same number');
  }
  return sorted;
}

async function createTable(transaction: Transaction<MigrationTables>): Promise<void> {
  await lockForTransaction(transaction, 'migrations');
  await transaction.schema
    .createTable('schema_migration')
    .ifNotExists()
    .addColumn('number', 'bigint', (column) => column.primaryKey())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('applied_ms', 'bigint', (column) => column.notNull())
    .execute();
}

async function isApplied(
  transaction: Transaction<MigrationTables>,
  migration: Migration,
): Promise<boolean> {
  const row = await transaction
    .selectFrom('schema_migration')
    .select('number')
    .where('number', '=', migration.number)
    .executeTakeFirst();
  return row !== undefined;
}

async function apply(
  transaction: Transaction<MigrationTables>,
  step: { readonly migration: Migration; readonly dialect: Sql['dialect']; readonly nowMs: number },
): Promise<void> {
  const { migration } = step;
  try {
    await migration.up(transaction as unknown as Transaction<Record<string, never>>, step.dialect);
    await transaction
      .insertInto('schema_migration')
      .values({ number: migration.number, name: migration.name, applied_ms: step.nowMs })
      .execute();
  } catch (error) {
    throw new SqlError('SQL_MIGRATION_FAILED', `Cannot apply the step "${migration.name}"`, {
      cause: error,
    });
  }
}

/** Thrown to roll a dry run back. */
class DryRunEnd extends Error {}

async function tryPending(
  sql: Sql,
  known: readonly Migration[],
  clock: Clock,
): Promise<readonly string[]> {
  const states = await migrationStatus(sql, known);
  const pending = known.filter((_, at) => states[at]?.appliedMs === undefined);
  try {
    const run = async (transaction: Transaction<MigrationTables>): Promise<void> => {
      await createTable(transaction);
      for (const migration of pending) {
        await apply(transaction, { migration, dialect: sql.dialect, nowMs: clock.nowMs() });
      }
      throw new DryRunEnd();
    };
    await sql.transaction(run, UNTIMED);
  } catch (error) {
    if (!(error instanceof DryRunEnd)) throw error;
  }
  return pending.map((migration) => migration.name);
}
