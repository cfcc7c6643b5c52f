// Sql over SQLite: one connection that writes, a few that only read. Transactions run one at a time,
// in the order they were asked for.

import {
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type Transaction,
} from 'kysely';
import { assert } from '#base/assert.ts';
import type { Clock } from '#base/clock.ts';
import type { SqlConfig } from './config.ts';
import { SqlError } from './errors.ts';
import { QueryDriver, QueryingConnection, type QueryRows, ReadOnlyDriver } from './query-driver.ts';
import { EachRow } from './row-columns.ts';
import type { Sql, TransactionOptions } from './sql.ts';
import type { SqliteConnection } from './sqlite-connection.ts';

type Nothing = Record<string, never>;

export interface SqliteWorld {
  readonly writer: SqliteConnection;
  readonly readers: readonly SqliteConnection[];
  /** A reader for one snapshot, closed after it. */
  readonly openReader: () => Promise<SqliteConnection>;
  readonly config: SqlConfig;
  /** Without one, transactions have no time limit. */
  readonly clock: Clock | undefined;
}

export class SqliteSql implements Sql {
  readonly dialect = 'sqlite';
  readonly #world: SqliteWorld;
  readonly #reading: Kysely<Nothing>;
  #lastTransaction: Promise<unknown> = Promise.resolve();
  #transactions = 0;
  #transactionsEnded = 0;
  #snapshot: Promise<unknown> | undefined;
  #closing: Promise<void> | undefined;

  constructor(world: SqliteWorld) {
    this.#world = world;
    this.#reading = kyselyOver(new ReadingDriver(world.readers, world.config.readQueueMax));
  }

  get transactionsEnded(): number {
    return this.#transactionsEnded;
  }

  read<Tables>(): Kysely<Tables> {
    return this.#reading as unknown as Kysely<Tables>;
  }

  async transaction<Tables, Result>(
    run: (transaction: Transaction<Tables>) => Promise<Result>,
    options: TransactionOptions = {},
  ): Promise<Result> {
    if (this.#closing !== undefined) throw new SqlError('SQL_CLOSED', 'The database is closed');
    const { transactionQueueMax } = this.#world.config;
    if (this.#transactions >= transactionQueueMax) {
      throw new SqlError('SQL_BUSY', `${transactionQueueMax} transactions wait already`);
    }
    this.#transactions++;
    const result = this.#lastTransaction.then(() => this.#transact(run, options));
    this.#lastTransaction = result.catch(() => undefined);
    try {
      return await result;
    } finally {
      this.#transactionsEnded++;
      this.#transactions--;
    }
  }

  async snapshot<Tables, Result>(
    run: (snapshot: Transaction<Tables>) => Promise<Result>,
  ): Promise<Result> {
    if (this.#closing !== undefined) throw new SqlError('SQL_CLOSED', 'The database is closed');
    if (this.#snapshot !== undefined) throw new SqlError('SQL_BUSY', 'A snapshot is open already');
    const result = this.#readSnapshot(run);
    this.#snapshot = result.catch(() => undefined);
    try {
      return await result;
    } finally {
      this.#snapshot = undefined;
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#lastTransaction;
    await this.#snapshot;
    await Promise.all(this.#world.readers.map((reader) => reader.close()));
    // Last, so that SQLite folds its journal into the file.
    await this.#world.writer.close();
  }

  #transact<Tables, Result>(
    run: (transaction: Transaction<Tables>) => Promise<Result>,
    { isUntimed = false }: TransactionOptions,
  ): Promise<Result> {
    const driver = new TransactionDriver(this.#world.writer, 'begin immediate');
    const done = kyselyOver<Tables>(driver).transaction().execute(run);
    const { clock, config } = this.#world;
    if (clock === undefined || isUntimed) return done;
    return new Promise((resolve, reject) => {
      const limit = clock.after(config.transactionMsMax, () => {
        const end = driver.end();
        if (end === undefined) return;
        const error = new SqlError(
          'SQL_TRANSACTION_TIMEOUT',
          `A transaction took longer than ${config.transactionMsMax} ms`,
        );
        end.then(() => reject(error), reject);
      });
      done.then(resolve, reject).finally(() => limit.cancel());
    });
  }

  async #readSnapshot<Tables, Result>(
    run: (snapshot: Transaction<Tables>) => Promise<Result>,
  ): Promise<Result> {
    const reader = await this.#world.openReader();
    try {
      const driver = new TransactionDriver(reader, 'begin');
      return await kyselyOver<Tables>(driver)
        .transaction()
        .execute(async (snapshot) => {
          // SQLite takes the snapshot at the first read, not at `begin`.
          await reader.execute('select count(*) from sqlite_schema', []);
          return await run(snapshot);
        });
    } finally {
      await reader.close();
    }
  }
}

/**
 * Otherwise Kysely keeps every query waiting until the one before it is answered, as for a driver with one
 * connection: ours put them in line themselves.
 */
class ManyConnections extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

function kyselyOver<Tables>(driver: Driver): Kysely<Tables> {
  return new Kysely<Tables>({
    dialect: {
      createAdapter: () => new ManyConnections(),
      createDriver: () => driver,
      createIntrospector: (kysely) => new SqliteIntrospector(kysely),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  });
}

/** The queries of one turn of the event loop go to one reader: that with the shortest queue. */
class ReadingDriver extends ReadOnlyDriver {
  readonly #readers: readonly SqliteConnection[];
  readonly #waitingMax: number;
  #ofThisTurn: SqliteConnection | undefined;

  constructor(readers: readonly SqliteConnection[], waitingMax: number) {
    super();
    assert(readers.length > 0, 'there is at least one reader');
    this.#readers = readers;
    this.#waitingMax = waitingMax;
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    const waiting = this.#readers.reduce((sum, reader) => sum + reader.waiting, 0);
    if (waiting >= this.#waitingMax) {
      throw new SqlError('SQL_BUSY', `${waiting} queries wait already`);
    }
    const reader = this.#ofThisTurn ?? this.#shortest();
    return new QueryingConnection((query) => perform(reader, query));
  }

  #shortest(): SqliteConnection {
    const shortest = this.#readers.reduce((least, reader) =>
      reader.waiting < least.waiting ? reader : least,
    );
    this.#ofThisTurn = shortest;
    process.nextTick(() => {
      this.#ofThisTurn = undefined;
    });
    return shortest;
  }
}

/** Serves one transaction. After end() its statements are refused, whoever still holds it. */
class TransactionDriver extends QueryDriver {
  readonly #connection: SqliteConnection;
  readonly #begin: string;
  #state: 'open' | 'committing' | 'ended' = 'open';

  constructor(connection: SqliteConnection, begin: string) {
    super();
    this.#connection = connection;
    this.#begin = begin;
  }

  /** Rolls back now; undefined when it is too late for that. */
  end(): Promise<void> | undefined {
    if (this.#state !== 'open') return undefined;
    this.#state = 'ended';
    return this.#connection.rollback();
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    return new QueryingConnection((query) => {
      this.#assertOpen();
      return perform(this.#connection, query);
    });
  }

  override async beginTransaction(): Promise<void> {
    await this.#connection.execute(this.#begin, []);
  }

  override async commitTransaction(): Promise<void> {
    this.#assertOpen();
    this.#state = 'committing';
    await this.#connection.execute('commit', []);
    this.#state = 'ended';
  }

  override async rollbackTransaction(): Promise<void> {
    // Once ended the connection may already serve the next transaction.
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    await this.#connection.rollback();
  }

  #assertOpen(): void {
    if (this.#state !== 'open') {
      throw new SqlError('SQL_TRANSACTION_TIMEOUT', 'The transaction has ended already');
    }
  }
}

function perform(connection: SqliteConnection, query: CompiledQuery): Promise<QueryRows> {
  const each = query.parameters[0];
  return each instanceof EachRow
    ? connection.executeEach(query.sql, each.columns, each.rows)
    : connection.execute(query.sql, query.parameters);
}
