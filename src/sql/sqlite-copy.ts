// A copy of the SQLite database as it is at one moment, taken while others write: SQLite's own backup,
// in one step, so that no write can make it begin again. Pages stand where they stood: two copies differ
// only where the database did.

import { backup, DatabaseSync } from 'node:sqlite';
import type { CopiedPosition } from './consumer-position.ts';
import { SqlError } from './errors.ts';

/** More pages than a database can have. */
const ALL_PAGES = 0x7fff_ffff;

/** `to` must not exist. @throws SqlError SQL_OPEN_FAILED, SQL_STATEMENT_FAILED (a full disk, for one) */
export async function copySqlite(from: string, to: string): Promise<void> {
  const database = openFile(from, true);
  try {
    await backup(database, to, { rate: ALL_PAGES });
  } catch (cause) {
    throw new SqlError('SQL_STATEMENT_FAILED', `Cannot copy the database to "${to}"`, { cause });
  } finally {
    database.close();
  }
  // Read through once: what is kept is a database, all of it.
  const copy = openFile(to, false);
  try {
    copy.exec('pragma journal_mode = delete');
    checkWhole(copy, to);
  } finally {
    copy.close();
  }
}

export function positionsOf(path: string): CopiedPosition[] {
  const database = openFile(path, true);
  try {
    const rows = database
      .prepare('select consumer, log_id, epoch, next_offset from consumer_position')
      .all();
    return rows.map((row) => ({
      consumer: String(row['consumer']),
      logId: String(row['log_id']),
      epoch: Number(row['epoch']),
      nextOffset: Number(row['next_offset']),
    }));
  } finally {
    database.close();
  }
}

/** @throws SqlError SQL_OPEN_FAILED when the file is not a whole database */
export function enterEpoch(
  path: string,
  to: { readonly logId: string; readonly before: number; readonly epoch: number },
): void {
  const database = openFile(path, false);
  try {
    database.exec('pragma synchronous = full');
    checkWhole(database, path);
    database
      .prepare('update consumer_position set epoch = ? where log_id = ? and epoch = ?')
      .run(to.epoch, to.logId, to.before);
  } finally {
    database.close();
  }
}

function checkWhole(database: DatabaseSync, path: string): void {
  const found = database.prepare('pragma quick_check(1)').all();
  if (found.length === 1 && found[0]?.['quick_check'] === 'ok') return;
  throw new SqlError('SQL_OPEN_FAILED', `The database "${path}" is damaged`);
}

function openFile(path: string, readOnly: boolean): DatabaseSync {
  try {
    return new DatabaseSync(path, { readOnly });
  } catch (cause) {
    throw new SqlError('SQL_OPEN_FAILED', `Cannot open the database "${path}"`, { cause });
  }
}
