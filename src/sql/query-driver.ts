// What our own drivers for Kysely have in common: there is nothing to set up, and streams are not needed.

import type { CompiledQuery, DatabaseConnection, Driver, QueryResult } from 'kysely';
import { assert } from '#base/assert.ts';

export interface QueryRows {
  readonly rows: readonly unknown[];
  /** Rows inserted, updated or deleted; 0 for a query. */
  readonly changes: number;
}

export abstract class QueryDriver implements Driver {
  abstract acquireConnection(): Promise<DatabaseConnection>;
  abstract beginTransaction(): Promise<void>;
  abstract commitTransaction(): Promise<void>;
  abstract rollbackTransaction(): Promise<void>;
  async init(): Promise<void> {}
  async releaseConnection(): Promise<void> {}
  async destroy(): Promise<void> {}
}

/** For reads that belong to no transaction. */
export abstract class ReadOnlyDriver extends QueryDriver {
  override async beginTransaction(): Promise<void> {
    assert(false, 'read() has no transactions; use transaction() or snapshot()');
  }

  override async commitTransaction(): Promise<void> {}
  override async rollbackTransaction(): Promise<void> {}
}

export class QueryingConnection implements DatabaseConnection {
  readonly #perform: (query: CompiledQuery) => Promise<QueryRows>;

  constructor(perform: (query: CompiledQuery) => Promise<QueryRows>) {
    this.#perform = perform;
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const { rows, changes } = await this.#perform(query);
    return { rows: rows as Row[], numAffectedRows: BigInt(changes) };
  }

  // biome-ignore lint/correctness/useYield: it only says that it cannot.
  async *streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    assert(false, 'queries are read in pages, not streamed');
  }
}
