// What can go wrong with the database that a caller or an operator must act on.

import { CodedError } from '#base/errors.ts';

export const SQL_ERRORS = {
  SQL_URL_INVALID:
    'The setting `sql.url` is neither empty (SQLite in the data folder) nor a `postgres://` URL.',
  SQL_OPEN_FAILED:
    'The database could not be opened. Look at the cause: a missing folder, a full disk, a wrong password or a server that does not answer.',
  SQL_BUSY:
    'More work waits for the database than `sql.transactionQueueMax` or `sql.readQueueMax` allows, or another process holds it. Try again; if it lasts, the disk is too slow.',
  SQL_TRANSACTION_TIMEOUT:
    'A transaction took longer than `sql.transactionMsMax` and was rolled back. Nothing of it was saved.',
  SQL_UNIQUE: 'The row exists already: a value that must be unique is taken.',
  SQL_CONSTRAINT: 'The database refused a row that breaks one of its rules.',
  SQL_DEADLOCK: 'Two transactions waited for each other and this one was given up. Try again.',
  SQL_DISK_FULL: 'The disk of the database is full. Nothing was saved; make room.',
  SQL_UNAVAILABLE:
    'The database server or the database thread does not answer. What was in flight may or may not be saved.',
  SQL_STATEMENT_FAILED: 'The database refused a statement. The message names it; this is a bug.',
  SQL_INTEGER_UNSAFE: 'A number in the database is beyond 2^53 and cannot be kept exactly.',
  SQL_CLOSED: 'The database was closed while it was still asked something.',
  SQL_MIGRATION_FAILED:
    'A step of the schema could not be applied. The database is as it was before that step.',
  SQL_MIGRATION_UNKNOWN:
    'The database has schema steps that this version does not know: it was used by a newer version. Run that version, or restore the backup taken before.',
  SQL_MIGRATION_CHANGED:
    'The database has a schema step under another name than this version. It belongs to another program or branch.',
  SQL_POSITION_TAKEN:
    'Another process moved the position of a consumer. Only one may run on a database; end the other.',
} as const;

export type SqlErrorCode = keyof typeof SQL_ERRORS;

export class SqlError extends CodedError<SqlErrorCode> {}
