// Many rows for one statement, by column: how a ledger writes ten thousand rows without building
// SQL text for each. On SQLite one prepared statement runs for each row; on PostgreSQL the columns
// travel as arrays in binary and are unnested. The text is the same for any number of rows.

import { CompiledQuery, type QueryExecutorProvider } from 'kysely';
import { assert } from '#base/assert.ts';
import { dialectOf } from './dialect.ts';
import { bigintArray, bytesArray, textArray } from './postgres-array.ts';
import type { Columns } from './sqlite-engine.ts';

export type RowColumn =
  /** Safe integers. */
  | { readonly name: string; readonly type: 'bigint'; readonly values: Float64Array }
  /** Without NUL characters, which PostgreSQL cannot keep. */
  | { readonly name: string; readonly type: 'text'; readonly values: readonly string[] }
  | { readonly name: string; readonly type: 'bytes'; readonly values: readonly Uint8Array[] };

export interface RowColumnsInsert {
  readonly table: string;
  /** All of the same length. */
  readonly columns: readonly RowColumn[];
  /** `(a, b) do update set c = excluded.c`; may name the row that is there by the table's name. */
  readonly onConflict?: string;
}

const POSTGRES_TYPES = { bigint: 'bigint', text: 'text', bytes: 'bytea' } as const;

/** How SQLite's connection is told to run a statement for each row; the only parameter then. */
export class EachRow {
  readonly columns: Columns;
  readonly rows: number;

  constructor(columns: Columns, rows: number) {
    this.columns = columns;
    this.rows = rows;
  }
}

/**
 * Inserts one row for each index of the columns. No two rows of one call may conflict with each
 * other: PostgreSQL refuses to update a row twice in one statement. Names are our own constants.
 * @throws SqlError
 */
export async function insertColumns(
  transaction: QueryExecutorProvider,
  insert: RowColumnsInsert,
): Promise<void> {
  const { table, columns, onConflict } = insert;
  const rows = columns[0]?.values.length ?? 0;
  assert(
    columns.every((column) => column.values.length === rows),
    'every column has a value for each row',
  );
  if (rows === 0) return;
  const names = columns.map((column) => column.name).join(', ');
  const conflict = onConflict === undefined ? '' : ` on conflict ${onConflict}`;
  const query =
    dialectOf(transaction) === 'sqlite'
      ? CompiledQuery.raw(
          `insert into ${table} (${names}) values (${columns.map(() => '?').join(', ')})${conflict}`,
          [
            new EachRow(
              columns.map((column) => column.values),
              rows,
            ),
          ],
        )
      : CompiledQuery.raw(
          // In the select list the arrays are walked together; in `from` each would be copied first.
          `insert into ${table} (${names}) select ${columns
            .map((column, at) => `unnest($${at + 1}::${POSTGRES_TYPES[column.type]}[])`)
            .join(', ')}${conflict}`,
          columns.map(arrayOf),
        );
  await transaction.getExecutor().executeQuery(query);
}

function arrayOf(column: RowColumn): Buffer {
  switch (column.type) {
    case 'bigint':
      return bigintArray(column.values);
    case 'text':
      return textArray(column.values);
    case 'bytes':
      return bytesArray(column.values);
  }
}
