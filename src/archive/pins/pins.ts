// Pins: blobs that stay because somebody said so, until `unpin`. What is put by hand is pinned, for
// nothing else refers to it. For garbage collection they are a RootSource.

import type { Clock } from '#base/clock.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import type { Sql } from '#sql/sql.ts';
import type { RootSource } from '#store/gc/roots.ts';
import type { PinRow, PinTables } from './pin-tables.ts';

/** Rows that one statement names: databases bound how many values it may have. */
const ROWS_MAX = 500;
const PAGE = 1000;
/** That share a transaction. */
const CALLS_MAX = 1000;
const NOTE_CHARACTERS_MAX = 1000;

export interface Pin {
  readonly ref: BlobRef;
  readonly note: string;
  readonly pinnedMs: number;
}

interface PinCall {
  readonly refs: ReadonlySet<BlobRef>;
  readonly row: Omit<PinRow, 'ref'>;
  readonly resolve: (pinned: number) => void;
  readonly reject: (error: unknown) => void;
}

export class Pins implements RootSource {
  readonly name = 'pins';
  readonly #sql: Sql;
  readonly #clock: Clock;
  readonly #waiting: PinCall[] = [];
  #running: Promise<void> | undefined;

  constructor(world: { readonly sql: Sql; readonly clock: Clock }) {
    this.#sql = world.sql;
    this.#clock = world.clock;
  }

  /**
   * Durable when it resolves: how many were not pinned before. Those keep their note. Whoever pins
   * has put the blob or asked the store for it (store/gc/roots.ts). Notes are cut at 1000 characters. Calls
   * that come while a transaction runs share the next one: with many puts on their way, one for each would
   * take most of the time.
   */
  pin(refs: readonly BlobRef[], note: string): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const row = { note: note.slice(0, NOTE_CHARACTERS_MAX), pinned_ms: this.#clock.nowMs() };
    this.#waiting.push({ refs: new Set(refs), row, resolve, reject });
    this.#running ??= this.#pinWaiting();
    return promise;
  }

  async #pinWaiting(): Promise<void> {
    // Those who pin in the same turn share the first.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const calls = this.#waiting.splice(0, CALLS_MAX);
      try {
        const fresh = await this.#insert(calls);
        for (const { refs, resolve } of calls) {
          let pinned = 0;
          for (const ref of refs) if (fresh.delete(ref)) pinned++;
          resolve(pinned);
        }
      } catch (error) {
        for (const { reject } of calls) reject(error);
      }
    }
    this.#running = undefined;
  }

  /** Those that were not pinned before. */
  async #insert(calls: readonly PinCall[]): Promise<Set<string>> {
    const rows = new Map<string, PinRow>();
    for (const { refs, row } of calls) {
      for (const ref of refs) if (!rows.has(ref)) rows.set(ref, { ref, ...row });
    }
    return await this.#sql.transaction<PinTables, Set<string>>(async (transaction) => {
      const fresh = new Set<string>();
      for (const some of pagesOf([...rows.values()])) {
        const inserted = await transaction
          .insertInto('store_pin')
          .values(some)
          .onConflict((conflict) => conflict.column('ref').doNothing())
          .returning('ref')
          .execute();
        for (const { ref } of inserted) fresh.add(ref);
      }
      return fresh;
    });
  }

  /** How many were pinned. The blobs stay at least a day longer. */
  async unpin(refs: readonly BlobRef[]): Promise<number> {
    return await this.#sql.transaction<PinTables, number>(async (transaction) => {
      let unpinned = 0;
      for (const some of pagesOf([...new Set(refs)])) {
        const { numDeletedRows } = await transaction
          .deleteFrom('store_pin')
          .where('ref', 'in', some)
          .executeTakeFirst();
        unpinned += Number(numDeletedRows);
      }
      return unpinned;
    });
  }

  /** In the order of names, those after `after`. */
  async list(options: { readonly after?: BlobRef; readonly limit: number }): Promise<Pin[]> {
    const { after = '', limit } = options;
    const rows = await this.#sql
      .read<PinTables>()
      .selectFrom('store_pin')
      .selectAll()
      .where('ref', '>', after)
      .orderBy('ref')
      .limit(limit)
      .execute();
    return rows.map(pinOf);
  }

  async *refs(signal: AbortSignal): AsyncGenerator<BlobRef> {
    let after: BlobRef | undefined;
    for (;;) {
      signal.throwIfAborted();
      const page = await this.list({ limit: PAGE, ...(after === undefined ? {} : { after }) });
      for (const { ref } of page) yield ref;
      after = page.at(-1)?.ref;
      if (after === undefined) return;
    }
  }
}

function pinOf({ ref, note, pinned_ms: pinnedMs }: PinRow): Pin {
  const name = blobRef(ref);
  // A name that is none would keep nothing, and nobody would know: better no collection at all.
  if (name === undefined) throw new Error(`The table of pins names "${ref}", which is no blob`);
  return { ref: name, note, pinnedMs };
}

function* pagesOf<T>(all: readonly T[]): Generator<T[]> {
  for (let at = 0; at < all.length; at += ROWS_MAX) yield all.slice(at, at + ROWS_MAX);
}
