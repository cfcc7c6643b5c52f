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
const NOTE_CHARACTERS_MAX = 1000;

export interface Pin {
  readonly ref: BlobRef;
  readonly note: string;
  readonly pinnedMs: number;
}

export class Pins implements RootSource {
  readonly name = 'pins';
  readonly #sql: Sql;
  readonly #clock: Clock;

  constructor(world: { readonly sql: Sql; readonly clock: Clock }) {
    this.#sql = world.sql;
    this.#clock = world.clock;
  }

  /**
   * Durable when it resolves: how many were not pinned before. Those keep their note. Whoever pins
   * has put the blob or asked the store for it (store/gc/roots.ts). Notes are cut at 1000 characters.
   */
  async pin(refs: readonly BlobRef[], note: string): Promise<number> {
    const row = { note: note.slice(0, NOTE_CHARACTERS_MAX), pinned_ms: this.#clock.nowMs() };
    return await this.#sql.transaction<PinTables, number>(async (transaction) => {
      let pinned = 0;
      for (const some of pagesOf(refs)) {
        const { numInsertedOrUpdatedRows } = await transaction
          .insertInto('store_pin')
          .values(some.map((ref) => ({ ref, ...row })))
          .onConflict((conflict) => conflict.column('ref').doNothing())
          .executeTakeFirst();
        pinned += Number(numInsertedOrUpdatedRows ?? 0);
      }
      return pinned;
    });
  }

  /** How many were pinned. The blobs stay at least a day longer. */
  async unpin(refs: readonly BlobRef[]): Promise<number> {
    return await this.#sql.transaction<PinTables, number>(async (transaction) => {
      let unpinned = 0;
      for (const some of pagesOf(refs)) {
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

function* pagesOf(refs: readonly BlobRef[]): Generator<BlobRef[]> {
  const all = [...new Set(refs)];
  for (let at = 0; at < all.length; at += ROWS_MAX) yield all.slice(at, at + ROWS_MAX);
}
