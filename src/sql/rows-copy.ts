// All rows of a PostgreSQL database at one moment, as text, and back into an empty one: a backup that
// needs no program beside this one. A table is a file of lines; the first names its columns, each other
// is a row, in JSON: integers, text and null as they are, bytes as {"b":"<base64>"}. `_sequences` has
// how far the numbers of identity columns have come, which no row may get again.

import { type Kysely, sql as raw, type Transaction } from 'kysely';
import { z } from 'zod';
import { type CopiedPosition, copiedPositions } from './consumer-position.ts';
import { SqlError } from './errors.ts';
import type { Sql } from './sql.ts';

type Nothing = Record<string, never>;
type Tables = Record<string, Record<string, unknown>>;

export const SEQUENCES = '_sequences';
/** In a database that is being filled, and in no other. */
const FILLING_TABLE = 'swarmkeep_restoring';
const FETCH_ROWS = 1000;
const INSERT_VALUES_MAX = 20_000;

const sequences = z.array(z.object({ table: z.string(), column: z.string(), value: z.int() }));
const cell = z.union([
  z.number(),
  z.string(),
  z.boolean(),
  z.null(),
  z.strictObject({ b: z.base64() }),
]);

/** Takes the lines of one table, each with its line feed, in order. */
export type TableSink = (table: string, lines: AsyncIterable<string>) => Promise<void>;

/** @throws SqlError SQL_BUSY while another snapshot is open */
export async function exportRows(sql: Sql, sink: TableSink): Promise<CopiedPosition[]> {
  return await sql.snapshot<Nothing, CopiedPosition[]>(async (snapshot) => {
    const tables = await tableNames(snapshot);
    for (const table of tables) await sink(table, linesOf(snapshot, table));
    const { rows } = await raw<{ table: string; column: string; value: number }>`
      select c.table_name as "table", c.column_name as "column",
        coalesce(pg_sequence_last_value(pg_get_serial_sequence(
          quote_ident(c.table_schema) || '.' || quote_ident(c.table_name), c.column_name)::regclass),
          0) as value
      from information_schema.columns c
      where c.table_schema = current_schema() and c.is_identity = 'YES'
      order by 1, 2`.execute(snapshot);
    await sink(SEQUENCES, once(`${JSON.stringify(rows)}\n`));
    return await copiedPositions(snapshot);
  });
}

/**
 * Fills a database that has its tables and nothing that is wanted in them, in one transaction: all of it
 * or nothing. @throws SqlError SQL_STATEMENT_FAILED when the lines are not what exportRows wrote
 */
export async function importRows(
  sql: Sql,
  tables: readonly string[],
  lines: (table: string) => AsyncIterable<string>,
): Promise<void> {
  await sql.transaction<Tables, void>(async (transaction) => {
    await raw`set local statement_timeout = 0`.execute(transaction);
    await raw`set local idle_in_transaction_session_timeout = 0`.execute(transaction);
    for (const table of tables) {
      if (table === SEQUENCES) continue;
      await empty(transaction, table);
      await importTable(transaction, table, lines(table));
    }
    for await (const line of lines(SEQUENCES)) await setSequences(transaction, line);
    await transaction.schema.dropTable(FILLING_TABLE).execute();
  });
}

/** Rows of migrations go. A table that has none is not asked to remove any: it may be one that refuses to. */
async function empty(transaction: Transaction<Tables>, table: string): Promise<void> {
  const { rows } = await raw`select 1 from ${raw.table(table)} limit 1`.execute(transaction);
  if (rows.length > 0) await transaction.deleteFrom(table).execute();
}

/**
 * Marks an empty database as one that is being filled. One that was being filled is emptied again: a
 * restore before this one had not ended. @throws SqlError SQL_CONSTRAINT when anything else is in it
 */
export async function beginFilling(sql: Sql): Promise<void> {
  await sql.transaction<Nothing, void>(async (transaction) => {
    const tables = await tableNames(transaction);
    if (tables.length > 0 && !tables.includes(FILLING_TABLE)) {
      throw new SqlError(
        'SQL_CONSTRAINT',
        `The database is not empty: it has ${tables.length} tables`,
      );
    }
    for (const table of tables) {
      await raw`drop table ${raw.table(table)} cascade`.execute(transaction);
    }
    await raw`create table ${raw.table(FILLING_TABLE)} (nothing integer)`.execute(transaction);
  });
}

async function tableNames(executor: Kysely<Nothing>): Promise<string[]> {
  const { rows } = await raw<{ name: string }>`
    select table_name as name from information_schema.tables
    where table_schema = current_schema() and table_type = 'BASE TABLE'
    order by 1`.execute(executor);
  return rows.map(({ name }) => name);
}

async function* linesOf(snapshot: Transaction<Nothing>, table: string): AsyncGenerator<string> {
  const { rows: columns } = await raw<{ name: string }>`
    select column_name as name from information_schema.columns
    where table_schema = current_schema() and table_name = ${table} and is_generated = 'NEVER'
    order by ordinal_position`.execute(snapshot);
  const names = columns.map(({ name }) => name);
  yield `${JSON.stringify(names)}\n`;
  const cursor = raw.id(`copy_${table}`);
  const list = raw.join(names.map((name) => raw.ref(name)));
  // In the order of the first columns, the key's: two copies differ only where the rows do.
  const order = raw.join(names.slice(0, 4).map((_, at) => raw.lit(at + 1)));
  await raw`declare ${cursor} no scroll cursor for
    select ${list} from ${raw.table(table)} order by ${order}`.execute(snapshot);
  for (;;) {
    const { rows } = await raw<Record<string, unknown>>`
      fetch ${raw.lit(FETCH_ROWS)} from ${cursor}`.execute(snapshot);
    if (rows.length === 0) break;
    yield rows.map((row) => `${JSON.stringify(names.map((name) => cellOf(row[name])))}\n`).join('');
  }
  await raw`close ${cursor}`.execute(snapshot);
}

function cellOf(value: unknown): unknown {
  if (!(value instanceof Uint8Array)) return value;
  return { b: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') };
}

async function importTable(
  transaction: Transaction<Tables>,
  table: string,
  lines: AsyncIterable<string>,
): Promise<void> {
  let names: readonly string[] | undefined;
  let rows: Record<string, unknown>[] = [];
  const insert = async (): Promise<void> => {
    if (rows.length > 0) await transaction.insertInto(table).values(rows).execute();
    rows = [];
  };
  for await (const line of lines) {
    if (names === undefined) {
      names = z.array(z.string()).parse(JSON.parse(line));
      continue;
    }
    rows.push(rowOf(names, line, table));
    if (rows.length * names.length >= INSERT_VALUES_MAX) await insert();
  }
  await insert();
}

function rowOf(names: readonly string[], line: string, table: string): Record<string, unknown> {
  const cells = z.array(cell).safeParse(JSON.parse(line));
  if (!cells.success || cells.data.length !== names.length) {
    throw new SqlError('SQL_STATEMENT_FAILED', `A row of "${table}" has not the table's columns`);
  }
  const value = (at: number): unknown => {
    const one = cells.data[at];
    return typeof one === 'object' && one !== null ? Buffer.from(one.b, 'base64') : one;
  };
  return Object.fromEntries(names.map((name, at) => [name, value(at)]));
}

async function setSequences(transaction: Transaction<Tables>, line: string): Promise<void> {
  for (const { table, column, value } of sequences.parse(JSON.parse(line))) {
    if (value < 1) continue;
    await raw`select setval(pg_get_serial_sequence(${table}, ${column}), ${value})`.execute(
      transaction,
    );
  }
}

async function* once(line: string): AsyncGenerator<string> {
  yield line;
}
