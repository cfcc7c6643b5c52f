// Reads on PostgreSQL. Those that are asked for in one turn of the event loop go to one connection in one
// message and come back in one, so that a page waits for the server a few times and not once for each
// statement: a statement alone costs more in going there and back than in being answered. Each text is
// prepared once on a connection, under a name.
//
// On the wire (PostgreSQL's "extended query" protocol): for each statement Bind and Execute, before them
// Parse and Describe when the connection does not know it yet, and one Sync at the end. After an error the
// server skips what comes until Sync: those that follow are sent again.

import type { CompiledQuery, DatabaseConnection } from 'kysely';
import pg from 'pg';
import { assert } from '#base/assert.ts';
import { codeOf } from '#base/errors.ts';
import { SqlError } from './errors.ts';
import { postgresError, type ReadValue, sentParameter, typeParser } from './postgres-values.ts';
import { QueryingConnection, type QueryRows, ReadOnlyDriver } from './query-driver.ts';

/** Statements of one message. */
const BATCH_MAX = 64;
/** Texts that a connection keeps prepared; the one that was not used for longest goes first. */
const PREPARED_MAX = 256;

type Parameter = string | Buffer | null;

/** One statement on its way. */
interface Read {
  readonly text: string;
  readonly parameters: readonly Parameter[];
  readonly resolve: (rows: QueryRows) => void;
  readonly reject: (error: unknown) => void;
  isRepeated: boolean;
}

/** A text that a connection has prepared. */
interface Prepared {
  readonly name: string;
  /** Known when the server has described its rows. */
  columns: readonly { readonly name: string; readonly read: ReadValue }[];
}

/** The pool of connections, as far as reads use it. */
export interface ReadingPool {
  /** @throws SqlError */
  take(): Promise<pg.PoolClient>;
}

/** What Kysely is given. */
export class PostgresReadingDriver extends ReadOnlyDriver {
  readonly #connection: DatabaseConnection;

  constructor(reads: PostgresReads) {
    super();
    this.#connection = new QueryingConnection((query) => reads.ask(query));
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection;
  }
}

export class PostgresReads {
  readonly #pool: ReadingPool;
  readonly #connectionsMax: number;
  readonly #waitingMax: number;
  readonly #prepared = new WeakMap<pg.PoolClient, PreparedTexts>();
  #waiting: Read[] = [];
  #isDue = false;
  #unanswered = 0;
  #running = 0;
  #isClosed = false;

  constructor(pool: ReadingPool, bounds: { connectionsMax: number; waitingMax: number }) {
    this.#pool = pool;
    this.#connectionsMax = bounds.connectionsMax;
    this.#waitingMax = bounds.waitingMax;
  }

  /** @throws SqlError */
  async ask(query: CompiledQuery): Promise<QueryRows> {
    if (this.#isClosed) throw new SqlError('SQL_CLOSED', 'The database is closed');
    if (this.#unanswered >= this.#waitingMax) {
      throw new SqlError('SQL_BUSY', `${this.#unanswered} queries wait already`);
    }
    const parameters = query.parameters.map(sentParameter);
    this.#unanswered += 1;
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting.push({ text: query.sql, parameters, resolve, reject, isRepeated: false });
        this.#sendSoon();
      });
    } finally {
      this.#unanswered -= 1;
    }
  }

  /** What waits is answered; later calls are refused. */
  close(): void {
    this.#isClosed = true;
  }

  /** When everything that can go on without an answer has done so. */
  #sendSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    process.nextTick(() => {
      this.#isDue = false;
      this.#send();
    });
  }

  #send(): void {
    while (this.#waiting.length > 0 && this.#running < this.#connectionsMax) {
      void this.#run(this.#waiting.splice(0, BATCH_MAX));
    }
  }

  async #run(reads: Read[]): Promise<void> {
    this.#running += 1;
    try {
      const client = await this.#pool.take();
      let isBroken = true;
      client.on('error', heardElsewhere);
      try {
        isBroken = await this.#perform(client, reads);
      } finally {
        client.removeListener('error', heardElsewhere);
        client.release(isBroken);
      }
    } catch (error) {
      for (const read of reads) read.reject(error);
    } finally {
      this.#running -= 1;
      this.#send();
    }
  }

  /** Resolves with true when the connection is of no use any more. */
  async #perform(client: pg.PoolClient, reads: Read[]): Promise<boolean> {
    let texts = this.#prepared.get(client);
    if (texts === undefined) {
      texts = new PreparedTexts();
      this.#prepared.set(client, texts);
    }
    for (let rest = reads; rest.length > 0; ) {
      const batch = new ReadBatch(rest, texts);
      client.query(batch);
      const { left, isBroken } = await batch.ended;
      if (isBroken) return true;
      rest = left;
    }
    return false;
  }
}

/** The read that is waiting, or the next one, says what happened. */
function heardElsewhere(): void {}

/** The texts that one connection has prepared. */
class PreparedTexts {
  /** In order of last use; the first is the next to go. */
  readonly #byText = new Map<string, Prepared>();
  #made = 0;

  find(text: string): Prepared | undefined {
    const known = this.#byText.get(text);
    if (known === undefined) return undefined;
    this.#byText.delete(text);
    this.#byText.set(text, known);
    return known;
  }

  /** A name that this connection has never used, since a text that failed may be there or not. */
  add(text: string): Prepared {
    this.#made += 1;
    const added = { name: `read_${this.#made}`, columns: [] };
    this.#byText.set(text, added);
    return added;
  }

  forget(text: string): void {
    this.#byText.delete(text);
  }

  /** Takes out what is too many; its name. */
  takeOldest(): string | undefined {
    if (this.#byText.size < PREPARED_MAX) return undefined;
    const oldest = this.#byText.entries().next();
    if (oldest.done) return undefined;
    const [text, { name }] = oldest.value;
    this.#byText.delete(text);
    return name;
  }
}

interface BatchEnd {
  /** To be sent again. */
  readonly left: Read[];
  readonly isBroken: boolean;
}

/** One message, as the driver calls it: the `handle…` are what it hears from the server, in order. */
class ReadBatch implements pg.Submittable {
  readonly ended: Promise<BatchEnd>;
  readonly #end: (end: BatchEnd) => void;
  readonly #reads: readonly Read[];
  readonly #texts: PreparedTexts;
  #prepared: Prepared[] = [];
  #at = 0;
  #rows: Record<string, unknown>[] = [];
  #failure: unknown;

  constructor(reads: readonly Read[], texts: PreparedTexts) {
    this.#reads = reads;
    this.#texts = texts;
    const { promise, resolve } = Promise.withResolvers<BatchEnd>();
    this.ended = promise;
    this.#end = resolve;
  }

  submit(connection: pg.Connection): void {
    connection.stream.cork();
    try {
      this.#prepared = this.#reads.map((read) => this.#sendRead(connection, read));
      connection.sync();
    } finally {
      connection.stream.uncork();
    }
  }

  #sendRead(connection: pg.Connection, { text, parameters }: Read): Prepared {
    const known = this.#texts.find(text);
    if (known === undefined) {
      const oldest = this.#texts.takeOldest();
      if (oldest !== undefined) connection.close({ type: 'S', name: oldest }, true);
    }
    const prepared = known ?? this.#texts.add(text);
    const { name } = prepared;
    if (known === undefined) connection.parse({ name, text, types: [] }, true);
    connection.bind({ portal: '', statement: name, values: [...parameters] }, true);
    if (known === undefined) connection.describe({ type: 'P', name: '' }, true);
    connection.execute({ portal: '' }, true);
    return prepared;
  }

  handleRowDescription(message: { readonly fields: readonly pg.FieldDef[] }): void {
    this.#prepared[this.#at]!.columns = message.fields.map(({ name, dataTypeID }) => ({
      name,
      read: typeParser(dataTypeID),
    }));
  }

  handleDataRow(message: { readonly fields: readonly (string | null)[] }): void {
    if (this.#failure !== undefined) return;
    const { columns } = this.#prepared[this.#at]!;
    const row: Record<string, unknown> = {};
    try {
      for (let at = 0; at < columns.length; at++) {
        const { name, read } = columns[at]!;
        const value = message.fields[at]!;
        row[name] = value === null ? null : read(value);
      }
    } catch (error) {
      this.#failure = error;
    }
    this.#rows.push(row);
  }

  handleCommandComplete(): void {
    const read = this.#reads[this.#at]!;
    if (this.#failure === undefined) read.resolve({ rows: this.#rows, changes: 0 });
    else read.reject(this.#failure);
    this.#failure = undefined;
    this.#rows = [];
    this.#at += 1;
  }

  handleError(error: unknown): void {
    const rest = this.#reads.slice(this.#at);
    for (const { text } of rest) this.#texts.forget(text);
    if (!(error instanceof pg.DatabaseError)) {
      for (const read of rest) read.reject(postgresError(error));
      this.#end({ left: [], isBroken: true });
      return;
    }
    const [failed, ...left] = rest;
    assert(failed !== undefined, 'the server fails only what it was asked for');
    if (isStalePlan(error) && !failed.isRepeated) {
      failed.isRepeated = true;
      left.unshift(failed);
    } else {
      failed.reject(postgresError(error));
    }
    // The server ends the connection after a fatal error, and what is left goes the same way.
    this.#end({ left, isBroken: left.length === 0 && error.severity === 'FATAL' });
  }

  handleReadyForQuery(): void {
    this.#end({ left: [], isBroken: false });
  }

  handleEmptyQuery(): void {
    assert(false, 'no read is empty');
  }

  handlePortalSuspended(): void {
    assert(false, 'reads ask for all rows');
  }

  handleCopyInResponse(): void {
    assert(false, 'reads copy nothing');
  }
}

/** A table was changed since the text was prepared: prepared again, it is answered. */
function isStalePlan(error: Error): boolean {
  return codeOf(error) === '0A000' && error.message.includes('cached plan');
}
