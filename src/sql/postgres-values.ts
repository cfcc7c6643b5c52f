// What differs from SQLite in values and errors, made the same: int8 comes as text and bytea as a Buffer,
// and what the server or the driver calls a failure becomes an SqlError.

import pg from 'pg';
import { codeOf } from '#base/errors.ts';
import { SqlError, type SqlErrorCode } from './errors.ts';

const INT8 = 20;
const BYTEA = 17;

/** Reads a value as the server sends it. */
export type ReadValue = (value: string) => unknown;

export function typeParser(oid: number, format?: 'text' | 'binary'): ReadValue {
  if (format !== 'binary' && oid === INT8) return safeInteger;
  const parse = pg.types.getTypeParser(oid, format ?? 'text') as ReadValue;
  if (oid !== BYTEA) return parse;
  return (value) => {
    const bytes = parse(value) as Buffer;
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}

function safeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) {
    throw new SqlError('SQL_INTEGER_UNSAFE', `The integer ${text} is beyond 2^53`);
  }
  return value;
}

/** A parameter as it is sent: bytes in binary, all others as text. @throws SqlError */
export function sentParameter(value: unknown): string | Buffer | null {
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value);
    default:
      if (value === null || value === undefined) return null;
      if (value instanceof Uint8Array) {
        return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      }
      throw new SqlError('SQL_STATEMENT_FAILED', `A parameter is ${typeof value}, not a value`);
  }
}

const CODES: Readonly<Record<string, SqlErrorCode>> = {
  '23505': 'SQL_UNIQUE',
  '40001': 'SQL_DEADLOCK',
  '40P01': 'SQL_DEADLOCK',
  '53100': 'SQL_DISK_FULL',
  '53300': 'SQL_BUSY',
  '55P03': 'SQL_BUSY',
  '57014': 'SQL_TRANSACTION_TIMEOUT',
  '25P03': 'SQL_TRANSACTION_TIMEOUT',
};

/** SQLSTATE by its class where the whole code does not matter. */
const CLASSES: Readonly<Record<string, SqlErrorCode>> = {
  '08': 'SQL_UNAVAILABLE',
  '23': 'SQL_CONSTRAINT',
  '57': 'SQL_UNAVAILABLE',
};

export function postgresError(error: unknown): unknown {
  if (error instanceof SqlError || !(error instanceof Error)) return error;
  const state = codeOf(error) ?? '';
  if (error instanceof pg.DatabaseError) {
    const code = CODES[state] ?? CLASSES[state.slice(0, 2)] ?? 'SQL_STATEMENT_FAILED';
    return new SqlError(code, `PostgreSQL: ${error.message}`, { cause: error });
  }
  if (/^E[A-Z]+$/.test(state) || /connection|terminated|timeout/i.test(error.message)) {
    return new SqlError('SQL_UNAVAILABLE', `PostgreSQL does not answer: ${error.message}`, {
      cause: error,
    });
  }
  return error;
}
