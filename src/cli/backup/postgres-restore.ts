// Fills an empty PostgreSQL database with the rows of a backup: first the tables as they were then, by the
// migrations that had been applied, then the rows in one transaction.

import { join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '#base/clock.ts';
import { CliError } from '#cli/errors.ts';
import { MIGRATIONS } from '#cli/migrations.ts';
import type { Config } from '#config/schema.ts';
import { movePositionsToEpoch } from '#sql/consumer-position.ts';
import { migrate } from '#sql/migrate.ts';
import { openSql } from '#sql/open.ts';
import { beginFilling, importRows } from '#sql/rows-copy.ts';
import { linesOfFile } from './postgres-files.ts';

const MIGRATION_TABLE = 'schema_migration';

export async function fillPostgres(work: {
  readonly config: Config;
  /** Where the files of rows are. */
  readonly folder: string;
  readonly tables: readonly string[];
  readonly clock: Clock;
  readonly to: { readonly logId: string; readonly before: number; readonly epoch: number };
}): Promise<void> {
  const { config, folder, tables, clock, to } = work;
  const applied = await appliedMigrations(join(folder, MIGRATION_TABLE));
  const known = MIGRATIONS.filter(({ number }) => applied.has(number));
  if (known.length < applied.size) {
    throw new CliError(
      'CLI_REFUSED',
      'The backup is of a newer version, whose tables this one does not know: restore with that version',
    );
  }
  const sql = await openSql({ url: config.sql.url, folder: '', config: config.sql, clock });
  try {
    await beginFilling(sql);
    await migrate(sql, known, { clock });
    await importRows(sql, tables, (table) => linesOfFile(join(folder, table)));
    await sql.transaction((transaction) => movePositionsToEpoch(transaction, to));
  } finally {
    await sql.close();
  }
}

async function appliedMigrations(path: string): Promise<ReadonlySet<number>> {
  const numbers = new Set<number>();
  let column = -1;
  for await (const line of linesOfFile(path)) {
    const cells = z.array(z.union([z.string(), z.number()])).parse(JSON.parse(line));
    if (column < 0) column = cells.indexOf('number');
    else numbers.add(z.number().parse(cells[column]));
  }
  return numbers;
}
