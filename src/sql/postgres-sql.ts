// Sql over a PostgreSQL server, by two bounded pools of connections: one whose sessions are read
// only (postgres-reads.ts), one that writes.

import {
  Kysely,
  PostgresAdapter,
  PostgresDialect,
  PostgresIntrospector,
  type PostgresPool,
  type PostgresPoolClient,
  PostgresQueryCompiler,
  type PostgresQueryResult,
  sql,
  type Transaction,
} from 'kysely';
import pg from 'pg';
import { assert } from '#base/assert.ts';
import { messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import type { SqlConfig } from './config.ts';
import { SqlError } from './errors.ts';
import { PostgresReadingDriver, PostgresReads, type ReadingPool } from './postgres-reads.ts';
import { postgresError, typeParser } from './postgres-values.ts';
import type { Sql, TransactionOptions } from './sql.ts';

type Nothing = Record<string, never>;

export interface PostgresWorld {
  readonly url: string;
  readonly config: SqlConfig;
  readonly logger: Logger;
}

const VERSION_MIN = 140_000;

export class PostgresSql implements Sql {
  readonly dialect = 'postgres';
  readonly #world: PostgresWorld;
  readonly #pools: { readonly reading: BoundedPool; readonly writing: BoundedPool };
  readonly #reads: PostgresReads;
  readonly #reading: Kysely<Nothing>;
  /** Over the connections of `#reading`, for transactions that only read. */
  readonly #snapshots: Kysely<Nothing>;
  readonly #writing: Kysely<Nothing>;
  #transactions = 0;
  #isSnapshotOpen = false;
  #closing: Promise<void> | undefined;
  readonly #open = new Set<Promise<unknown>>();

  private constructor(world: PostgresWorld) {
    this.#world = world;
    const { connectionsMax, readQueueMax } = world.config;
    const readersMax = Math.max(1, Math.floor(connectionsMax / 2));
    const pools = {
      reading: new BoundedPool(world, readersMax, '-c default_transaction_read_only=on'),
      writing: new BoundedPool(world, Math.max(1, connectionsMax - readersMax), ''),
    };
    this.#pools = pools;
    const bounds = { connectionsMax: readersMax, waitingMax: readQueueMax };
    this.#reads = new PostgresReads(pools.reading, bounds);
    const driver = new PostgresReadingDriver(this.#reads);
    this.#reading = new Kysely({
      dialect: {
        createAdapter: () => new PostgresAdapter(),
        createDriver: () => driver,
        createIntrospector: (kysely) => new PostgresIntrospector(kysely),
        createQueryCompiler: () => new PostgresQueryCompiler(),
      },
    });
    this.#snapshots = new Kysely({ dialect: new PostgresDialect({ pool: pools.reading }) });
    this.#writing = new Kysely({ dialect: new PostgresDialect({ pool: pools.writing }) });
  }

  /** Connects once, to say early what is wrong. @throws SqlError SQL_OPEN_FAILED */
  static async open(world: PostgresWorld): Promise<PostgresSql> {
    const opened = new PostgresSql(world);
    try {
      await opened.#check();
      return opened;
    } catch (error) {
      await opened.close().catch(() => undefined);
      throw new SqlError('SQL_OPEN_FAILED', `Cannot use the database ${withoutSecret(world.url)}`, {
        cause: error,
      });
    }
  }

  read<Tables>(): Kysely<Tables> {
    return this.#reading as unknown as Kysely<Tables>;
  }

  async transaction<Tables, Result>(
    run: (transaction: Transaction<Tables>) => Promise<Result>,
    { isUntimed = false }: TransactionOptions = {},
  ): Promise<Result> {
    this.#assertUsable();
    const { transactionQueueMax } = this.#world.config;
    if (this.#transactions >= transactionQueueMax) {
      throw new SqlError('SQL_BUSY', `${transactionQueueMax} transactions wait already`);
    }
    this.#transactions++;
    try {
      const writing = this.#writing as unknown as Kysely<Tables>;
      const execute = async (transaction: Transaction<Tables>): Promise<Result> => {
        if (isUntimed) await endTimeLimits(transaction);
        return await run(transaction);
      };
      return await this.#track(writing.transaction().execute(execute));
    } finally {
      this.#transactions--;
    }
  }

  async snapshot<Tables, Result>(
    run: (snapshot: Transaction<Tables>) => Promise<Result>,
  ): Promise<Result> {
    this.#assertUsable();
    if (this.#isSnapshotOpen) throw new SqlError('SQL_BUSY', 'A snapshot is open already');
    this.#isSnapshotOpen = true;
    try {
      const snapshots = this.#snapshots as unknown as Kysely<Tables>;
      const transaction = snapshots.transaction().setIsolationLevel('repeatable read');
      return await this.#track(
        transaction.execute(async (snapshot) => {
          // Whoever audits reads the log between two queries, for as long as that takes.
          await endTimeLimits(snapshot);
          // PostgreSQL takes the snapshot at the first query, not at `begin`.
          await sql`select 1`.execute(snapshot);
          return await run(snapshot);
        }),
      );
    } finally {
      this.#isSnapshotOpen = false;
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#open);
    this.#reads.close();
    await Promise.all([this.#snapshots.destroy(), this.#writing.destroy()]);
    await Promise.all([this.#pools.reading.end(), this.#pools.writing.end()]);
  }

  async #check(): Promise<void> {
    const { rows } = await sql<{ version: string; fsync: string; encoding: string }>`
      select current_setting('server_version_num') as version, current_setting('fsync') as fsync,
        current_setting('server_encoding') as encoding`.execute(this.#writing);
    const server = rows[0];
    assert(server !== undefined, 'a query without a table gives one row');
    if (Number(server.version) < VERSION_MIN || server.encoding !== 'UTF8') {
      throw new SqlError(
        'SQL_OPEN_FAILED',
        `PostgreSQL is ${server.version} with ${server.encoding}, expected 14 or newer with UTF8`,
      );
    }
    if (server.fsync !== 'on') {
      this.#world.logger.warn('The database server runs with fsync off and may lose what it saved');
    }
  }

  async #track<Result>(work: Promise<Result>): Promise<Result> {
    this.#open.add(work);
    try {
      return await work;
    } finally {
      this.#open.delete(work);
    }
  }

  #assertUsable(): void {
    if (this.#closing !== undefined) throw new SqlError('SQL_CLOSED', 'The database is closed');
  }
}

async function endTimeLimits<Tables>(transaction: Transaction<Tables>): Promise<void> {
  await sql`set local idle_in_transaction_session_timeout = 0`.execute(transaction);
  await sql`set local statement_timeout = 0`.execute(transaction);
}

/** A pool that refuses when too many wait, and whose errors are SqlErrors. */
class BoundedPool implements PostgresPool, ReadingPool {
  readonly options: object;
  readonly #pool: pg.Pool;
  readonly #waitingMax: number;
  #ending: Promise<void> | undefined;

  constructor(world: PostgresWorld, connectionsMax: number, sessionOptions: string) {
    const { config, logger } = world;
    this.#waitingMax = config.readQueueMax;
    this.#pool = new pg.Pool({
      connectionString: world.url,
      max: connectionsMax,
      connectionTimeoutMillis: config.connectMsMax,
      statement_timeout: config.transactionMsMax,
      idle_in_transaction_session_timeout: config.transactionMsMax,
      application_name: 'swarmkeep',
      // Compiling a statement takes longer than any of ours runs.
      options: `-c synchronous_commit=on -c jit=off ${sessionOptions}`,
      types: { getTypeParser: typeParser as typeof pg.types.getTypeParser },
    });
    this.#pool.on('error', (error) => {
      logger.warn('An idle connection to the database ended', { error: messageOf(error) });
    });
    this.options = this.#pool.options;
  }

  async connect(): Promise<PostgresPoolClient> {
    if (this.#pool.waitingCount >= this.#waitingMax) {
      throw new SqlError('SQL_BUSY', `${this.#waitingMax} wait for a connection already`);
    }
    return new NormalClient(await this.take()) as unknown as PostgresPoolClient;
  }

  async take(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      throw postgresError(error);
    }
  }

  async end(): Promise<void> {
    this.#ending ??= this.#pool.end();
    await this.#ending;
  }
}

/** A client of the pool, with our errors. */
class NormalClient {
  readonly #client: pg.PoolClient;
  #broken = false;

  constructor(client: pg.PoolClient) {
    this.#client = client;
    client.on('error', this.#onError);
  }

  readonly #onError = (): void => {
    // The query that is waiting, or the next one, says what happened.
    this.#broken = true;
  };

  async query<Row>(
    text: string,
    parameters: readonly unknown[],
  ): Promise<PostgresQueryResult<Row>> {
    try {
      const result = await this.#client.query(text, [...parameters]);
      return result as unknown as PostgresQueryResult<Row>;
    } catch (error) {
      throw postgresError(error);
    }
  }

  release(destroy?: boolean): void {
    this.#client.removeListener('error', this.#onError);
    this.#client.release(destroy === true || this.#broken);
  }
}

function withoutSecret(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined) return '(an address that is not a URL)';
  return `postgres://${parsed.host}${parsed.pathname}`;
}
