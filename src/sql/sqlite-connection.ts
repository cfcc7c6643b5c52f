// A connection to SQLite as the rest of sql/ sees it: asynchronous, in a thread of its own or, for
// tests and short commands, in this one. Calls are answered in the order they were made. Those of one turn
// of the event loop go to the thread in one message and come back in one: waking a thread and being woken
// takes longer than most statements do.

import { Worker } from 'node:worker_threads';
import { AssertionFailure } from '#base/assert.ts';
import { SqlError, type SqlErrorCode } from './errors.ts';
import type { QueryRows } from './query-driver.ts';
import {
  type Columns,
  SqliteEngine,
  type SqliteOptions,
  type SqliteResult,
} from './sqlite-engine.ts';

export interface SqliteConnection {
  /** Calls that are not answered yet. */
  readonly waiting: number;
  /** @throws SqlError */
  execute(sql: string, parameters: readonly unknown[]): Promise<QueryRows>;
  /** One statement for each row of `columns`. @throws SqlError at the first failure */
  executeEach(sql: string, columns: Columns, rows: number): Promise<QueryRows>;
  rollback(): Promise<void>;
  close(): Promise<void>;
}

export type SqliteCall =
  | { readonly kind: 'execute'; readonly sql: string; readonly parameters: readonly unknown[] }
  | {
      readonly kind: 'each';
      readonly sql: string;
      readonly columns: Columns;
      readonly rows: number;
    }
  | { readonly kind: 'rollback' }
  | { readonly kind: 'close' };

export interface SqliteAsked {
  readonly id: number;
  readonly call: SqliteCall;
}

export interface SqliteAnswer {
  readonly id: number;
  readonly result?: SqliteResult;
  readonly error?: { readonly code: string; readonly message: string };
}

const NOTHING: SqliteResult = { columns: [], rows: [], changes: 0 };

/** Does what `call` says. Used by both kinds of connection, so that they cannot differ. */
export function performCall(engine: SqliteEngine, call: SqliteCall): SqliteResult {
  switch (call.kind) {
    case 'execute':
      return engine.execute(call.sql, call.parameters);
    case 'each':
      return engine.executeEach(call.sql, call.columns, call.rows);
    case 'rollback':
      engine.rollback();
      return NOTHING;
    case 'close':
      engine.close();
      return NOTHING;
  }
}

abstract class CallingConnection implements SqliteConnection {
  abstract readonly waiting: number;
  protected abstract call(call: SqliteCall): Promise<SqliteResult>;
  abstract close(): Promise<void>;

  async execute(sql: string, parameters: readonly unknown[]): Promise<QueryRows> {
    return named(await this.call({ kind: 'execute', sql, parameters }));
  }

  async executeEach(sql: string, columns: Columns, rows: number): Promise<QueryRows> {
    return named(await this.call({ kind: 'each', sql, columns, rows }));
  }

  async rollback(): Promise<void> {
    await this.call({ kind: 'rollback' });
  }
}

/** Runs in the caller's thread; every call blocks it. */
export class HereConnection extends CallingConnection {
  readonly waiting = 0;
  readonly #engine: SqliteEngine;
  #open = true;

  /** @throws SqlError SQL_OPEN_FAILED */
  constructor(options: SqliteOptions) {
    super();
    this.#engine = new SqliteEngine(options);
  }

  protected override async call(call: SqliteCall): Promise<SqliteResult> {
    if (!this.#open) throw new SqlError('SQL_CLOSED', 'The database is closed');
    return performCall(this.#engine, call);
  }

  override async close(): Promise<void> {
    this.#open = false;
    this.#engine.close();
  }
}

/** Rows as objects. */
function named({ columns, rows, changes }: SqliteResult): QueryRows {
  const all = rows.map((values) => {
    const row: Record<string, unknown> = {};
    for (let at = 0; at < columns.length; at++) row[columns[at]!] = values[at];
    return row;
  });
  return { rows: all, changes };
}

interface Waiting {
  readonly resolve: (result: SqliteResult) => void;
  readonly reject: (error: unknown) => void;
}

/** Runs in a thread of its own. */
export class ThreadConnection extends CallingConnection {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  /** Calls of this turn. */
  #leaving: SqliteAsked[] = [];
  readonly #gone: Promise<void>;
  #dead: SqlError | undefined;
  #closing: Promise<void> | undefined;
  #nextId = 1;

  private constructor(options: SqliteOptions, onDeath: (error: SqlError) => void) {
    super();
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    this.#worker = new Worker(new URL(`./sqlite-thread.${extension}`, import.meta.url), {
      name: options.readOnly ? 'sql-reader' : 'sql-writer',
      workerData: options,
    });
    this.#worker.on('message', (answers: readonly SqliteAnswer[] | object) => {
      // Under `node --watch` the engine tells by the same way which files the thread has read.
      if (!Array.isArray(answers)) return;
      for (const answer of answers) this.#settle(answer);
    });
    const gone = Promise.withResolvers<void>();
    this.#gone = gone.promise;
    let cause: unknown;
    this.#worker.on('error', (error) => {
      cause = error;
    });
    this.#worker.on('exit', () => {
      this.#die(cause);
      gone.resolve();
      if (this.#closing === undefined && this.#dead !== undefined) onDeath(this.#dead);
    });
  }

  /** @throws SqlError SQL_OPEN_FAILED. `onDeath` is told when the thread ends by itself. */
  static async open(
    options: SqliteOptions,
    onDeath: (error: SqlError) => void,
  ): Promise<ThreadConnection> {
    let opened = false;
    const connection = new ThreadConnection(options, (error) => {
      if (opened) onDeath(error);
    });
    try {
      await connection.execute('select 1', []);
    } catch (error) {
      await connection.close();
      throw error;
    }
    opened = true;
    return connection;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  protected override call(call: SqliteCall): Promise<SqliteResult> {
    if (this.#closing !== undefined) {
      return Promise.reject(new SqlError('SQL_CLOSED', 'The database is closed'));
    }
    return this.#ask(call);
  }

  override close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#dead === undefined) await this.#ask({ kind: 'close' }).catch(() => undefined);
    await this.#gone;
  }

  #ask(call: SqliteCall): Promise<SqliteResult> {
    return new Promise((resolve, reject) => {
      if (this.#dead !== undefined) {
        reject(this.#dead);
        return;
      }
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve, reject });
      this.#leaving.push({ id, call });
      if (this.#leaving.length === 1) process.nextTick(() => this.#send());
    });
  }

  #send(): void {
    const asked = this.#leaving;
    this.#leaving = [];
    try {
      this.#worker.postMessage(asked);
    } catch {
      for (const one of asked) this.#sendAlone(one);
    }
  }

  #sendAlone(asked: SqliteAsked): void {
    try {
      this.#worker.postMessage([asked]);
    } catch (error) {
      // A parameter that cannot be copied between threads is our own fault.
      const waiting = this.#waiting.get(asked.id);
      this.#waiting.delete(asked.id);
      waiting?.reject(
        new AssertionFailure(`a parameter cannot be sent to the database: ${String(error)}`),
      );
    }
  }

  #settle(answer: SqliteAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (answer.result !== undefined) waiting?.resolve(answer.result);
    else if (answer.error !== undefined) {
      waiting?.reject(new SqlError(answer.error.code as SqlErrorCode, answer.error.message));
    }
  }

  #die(cause: unknown): void {
    this.#dead = new SqlError('SQL_UNAVAILABLE', 'The database thread ended by itself', { cause });
    for (const waiting of this.#waiting.values()) waiting.reject(this.#dead);
    this.#waiting.clear();
  }
}
