// One open SQLite file, synchronous: what the writer's and the readers' threads run. WAL, and
// synchronous=FULL, so that a commit is on disk when it is answered.

import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { assert } from '#base/assert.ts';
import { SqlError, type SqlErrorCode } from './errors.ts';

export interface SqliteOptions {
  readonly path: string;
  readonly readOnly: boolean;
  readonly cacheKiB: number;
}

/** Rows without the names of their columns, which takes half as long to send to another thread. */
export interface SqliteResult {
  /** Empty for a statement that returns nothing. */
  readonly columns: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
  /** Rows inserted, updated or deleted; 0 for a query. */
  readonly changes: number;
}

/** Values by column; a row is the values at one index. For statements run once for each row. */
export type Columns = readonly (Float64Array | readonly (string | Uint8Array)[])[];

interface Statement {
  readonly run: StatementSync;
  readonly columns: readonly string[];
  /** False for `select *`, which has other columns when the table has, without being prepared anew. */
  readonly isFixed: boolean;
}

const STATEMENTS_MAX = 256;
const BUSY_MS = 5000;

/** SQLite's result codes by their low byte, and the extended ones that are told apart. */
const CODES: Readonly<Record<number, SqlErrorCode>> = {
  5: 'SQL_BUSY',
  13: 'SQL_DISK_FULL',
  19: 'SQL_CONSTRAINT',
};
const UNIQUE_CODES = new Set([1555, 2067, 2579]);

export class SqliteEngine {
  readonly #database: DatabaseSync;
  /** In order of last use; the first is the next to go. */
  readonly #statements = new Map<string, Statement>();

  /** @throws SqlError SQL_OPEN_FAILED */
  constructor(options: SqliteOptions) {
    try {
      this.#database = new DatabaseSync(options.path, {
        readOnly: options.readOnly,
        enableForeignKeyConstraints: true,
        timeout: BUSY_MS,
      });
      if (!options.readOnly) this.#database.exec('pragma journal_mode = wal');
      this.#database.exec('pragma synchronous = full');
      this.#database.exec(`pragma cache_size = -${options.cacheKiB}`);
      // What is deleted is overwritten: an account that was erased is not to be found in the file.
      this.#database.exec('pragma secure_delete = on');
      this.#database.exec('pragma temp_store = memory');
      this.#database.exec('pragma trusted_schema = off');
    } catch (error) {
      throw new SqlError('SQL_OPEN_FAILED', `Cannot open the database "${options.path}"`, {
        cause: error,
      });
    }
  }

  /** @throws SqlError */
  execute(sql: string, parameters: readonly unknown[]): SqliteResult {
    try {
      const statement = this.#statement(sql);
      const bound = parameters.map(bindable);
      const { run, columns } = statement;
      if (columns.length === 0)
        return { columns, rows: [], changes: Number(run.run(...bound).changes) };
      const rows = run.all(...bound) as unknown as unknown[][];
      return { columns: statement.isFixed ? columns : columnsOf(run), rows, changes: 0 };
    } catch (error) {
      throw sqliteError(error, sql);
    }
  }

  /** Runs one statement for each row of `columns`, in order. @throws SqlError at the first failure */
  executeEach(sql: string, columns: Columns, rows: number): SqliteResult {
    try {
      const statement = this.#statement(sql);
      assert(statement.columns.length === 0, 'a statement for each row returns none');
      const bound: SQLInputValue[] = columns.map(() => null);
      let changes = 0;
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns.length; column++) {
          bound[column] = columns[column]![row] ?? null;
        }
        changes += Number(statement.run.run(...bound).changes);
      }
      return { columns: [], rows: [], changes };
    } catch (error) {
      throw sqliteError(error, sql);
    }
  }

  /** Nothing happens when SQLite has rolled back by itself, as it does on a full disk. */
  rollback(): void {
    if (this.#database.isTransaction) this.#database.exec('rollback');
  }

  close(): void {
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  #statement(sql: string): Statement {
    const known = this.#statements.get(sql);
    if (known !== undefined) {
      this.#statements.delete(sql);
      this.#statements.set(sql, known);
      return known;
    }
    // A changed schema changes the columns of prepared statements.
    if (/^\s*(create|alter|drop)\s/i.test(sql)) this.#statements.clear();
    const run = this.#database.prepare(sql);
    run.setReturnArrays(true);
    const statement = { run, columns: columnsOf(run), isFixed: !sql.includes('*') };
    if (this.#statements.size >= STATEMENTS_MAX) {
      const oldest = this.#statements.keys().next();
      if (!oldest.done) this.#statements.delete(oldest.value);
    }
    this.#statements.set(sql, statement);
    return statement;
  }
}

function columnsOf(run: StatementSync): readonly string[] {
  return run.columns().map(({ name }) => name);
}

function bindable(value: unknown): SQLInputValue {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'bigint':
      return value;
    case 'boolean':
      return value ? 1 : 0;
    default:
      if (value === null || value instanceof Uint8Array) return value;
      throw new SqlError('SQL_STATEMENT_FAILED', `A parameter is ${typeof value}, not a value`);
  }
}

function sqliteError(error: unknown, statement: string): unknown {
  if (!(error instanceof Error)) return error;
  if ('code' in error && error.code === 'ERR_OUT_OF_RANGE') {
    return new SqlError('SQL_INTEGER_UNSAFE', `An integer is beyond 2^53: ${excerpt(statement)}`, {
      cause: error,
    });
  }
  if (!('errcode' in error) || typeof error.errcode !== 'number') return error;
  const code = UNIQUE_CODES.has(error.errcode)
    ? 'SQL_UNIQUE'
    : (CODES[error.errcode & 0xff] ?? 'SQL_STATEMENT_FAILED');
  return new SqlError(code, `SQLite: ${error.message}, in: ${excerpt(statement)}`, {
    cause: error,
  });
}

function excerpt(statement: string): string {
  return statement.length <= 200 ? statement : `${statement.slice(0, 200)}…`;
}
