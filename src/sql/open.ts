// Opens the database that the configuration names.

import { join } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { type Logger, silentLogger } from '#base/logger.ts';
import { type SqlConfig, sqlConfig } from './config.ts';
import { SqlError } from './errors.ts';
import type { Sql } from './sql.ts';
import { HereConnection, type SqliteConnection, ThreadConnection } from './sqlite-connection.ts';
import type { SqliteOptions } from './sqlite-engine.ts';
import { SqliteSql } from './sqlite-sql.ts';

export const SQLITE_FILE = 'swarmkeep.sqlite';

export interface OpenSql {
  /** Empty for SQLite, or `postgres://…`. */
  readonly url: string;
  /** Existing folder of SQLite's files; not used with a server. */
  readonly folder: string;
  readonly config?: SqlConfig;
  readonly logger?: Logger;
  /** Without one, transactions on SQLite have no time limit. */
  readonly clock?: Clock;
  /** False runs SQLite in the caller's thread: for tests and short commands. */
  readonly threads?: boolean;
  /** A thread of SQLite ended by itself; every later call fails. The owner ends the process. */
  readonly onDeath?: (error: SqlError) => void;
}

/** @throws SqlError SQL_URL_INVALID, SQL_OPEN_FAILED */
export async function openSql(options: OpenSql): Promise<Sql> {
  const config = options.config ?? sqlConfig.parse({});
  const logger = options.logger ?? silentLogger;
  if (options.url === '') return await openSqlite(options, config);
  if (!/^postgres(ql)?:\/\//.test(options.url)) {
    throw new SqlError(
      'SQL_URL_INVALID',
      'The setting sql.url is not a database that is known, expected postgres://… or nothing',
    );
  }
  // Loaded only when asked for: the driver costs a start on SQLite time and memory.
  const { PostgresSql } = await import('./postgres-sql.ts');
  return await PostgresSql.open({ url: options.url, config, logger });
}

async function openSqlite(options: OpenSql, config: SqlConfig): Promise<Sql> {
  const path = join(options.folder, SQLITE_FILE);
  const opened: SqliteConnection[] = [];
  const open = async (readOnly: boolean): Promise<SqliteConnection> => {
    const engine: SqliteOptions = { path, readOnly, cacheKiB: config.cacheKiB };
    return options.threads === false
      ? new HereConnection(engine)
      : await ThreadConnection.open(engine, (error) => options.onDeath?.(error));
  };
  try {
    // The writer first: it makes the file and its journal, which a reader cannot.
    const writer = await open(false);
    opened.push(writer);
    const readers: SqliteConnection[] = [];
    const count = options.threads === false ? 1 : config.readers;
    for (let at = 0; at < count; at++) {
      const reader = await open(true);
      opened.push(reader);
      readers.push(reader);
    }
    return new SqliteSql({
      writer,
      readers,
      openReader: () => open(true),
      config,
      clock: options.clock,
    });
  } catch (error) {
    await Promise.all(opened.map((connection) => connection.close()));
    throw error;
  }
}
