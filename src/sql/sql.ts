// SQL behind one interface: SQLite inside the program, or a PostgreSQL server by URL. Rooms write
// queries with Kysely against their own table types; sql/ knows no table but its own two.

import type { Kysely, Transaction } from 'kysely';

export type Dialect = 'sqlite' | 'postgres';

export interface Sql {
  readonly dialect: Dialect;

  /**
   * How many transactions have ended, however, of a database that this object alone writes to: as long as
   * it is the same number, nobody has changed anything. Undefined where others may write as well.
   */
  readonly transactionsEnded?: number | undefined;

  /** For reading only. Sees every transaction that has resolved. Integers come back as numbers. */
  read<Tables>(): Kysely<Tables>;

  /**
   * Runs `run` in one transaction and commits when it resolves; rolls back and rethrows when it
   * rejects. On SQLite transactions queue for the one writer, so `run` does SQL and nothing slow.
   * Bounded by `sql.transactionQueueMax`. @throws SqlError SQL_BUSY
   */
  transaction<Tables, Result>(
    run: (transaction: Transaction<Tables>) => Promise<Result>,
    options?: TransactionOptions,
  ): Promise<Result>;

  /**
   * Runs `run` against one unchanging state of the database, for reading only, however long it
   * takes; audits compare totals over many queries. One at a time. While it runs, SQLite's journal
   * grows by what others write. @throws SqlError SQL_BUSY when another snapshot is open
   */
  snapshot<Tables, Result>(
    run: (snapshot: Transaction<Tables>) => Promise<Result>,
  ): Promise<Result>;

  /** Waits for the open transactions, then closes. Idempotent. Later calls fail with SQL_CLOSED. */
  close(): Promise<void>;
}

export interface TransactionOptions {
  /** For steps of the schema, which may go through all rows: `sql.transactionMsMax` does not end it. */
  readonly isUntimed?: boolean;
}

/** One forward step of the schema. Numbers are one sequence over all rooms: 1-99 sql, 100-199
 * accounting, 200-399 site, 400-419 jobs, 420-599 site, 600 and up archive. */
export interface Migration {
  readonly number: number;
  /** `0003-catalogue`: number and noun, as the file is called. */
  readonly name: string;
  /** Runs in a transaction of its own, on both dialects. */
  up(transaction: Transaction<Record<string, never>>, dialect: Dialect): Promise<void>;
}
