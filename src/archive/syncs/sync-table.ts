// The book of syncs in SQL, where it comes back with a backup.

import type { ExpressionBuilder } from 'kysely';
import type { Clock } from '#base/clock.ts';
import type { BlobRef } from '#base/ids.ts';
import type { Sql } from '#sql/sql.ts';
import type { SyncBook, SyncFailure, SyncState } from '#store/sync/sync-book.ts';
import type { SyncRow, SyncTables } from './sync-tables.ts';

/** Rows that one statement names: databases bound how many values it may have. */
const ROWS_MAX = 500;

const NEW: SyncState = {
  isOwed: true,
  prefix: undefined,
  failedPrefixes: [],
  comparedMs: undefined,
  sampledMs: undefined,
};

export class SyncTable implements SyncBook {
  readonly #sql: Sql;
  readonly #clock: Clock;

  constructor(world: { readonly sql: Sql; readonly clock: Clock }) {
    this.#sql = world.sql;
    this.#clock = world.clock;
  }

  async state(sync: string): Promise<SyncState> {
    const row = await this.#sql
      .read<SyncTables>()
      .selectFrom('store_sync')
      .selectAll()
      .where('sync', '=', sync)
      .executeTakeFirst();
    return row === undefined ? NEW : stateOf(row);
  }

  async change(sync: string, change: Partial<SyncState>): Promise<void> {
    await this.#sql.transaction<SyncTables, void>(async (transaction) => {
      const row = await transaction
        .selectFrom('store_sync')
        .selectAll()
        .where('sync', '=', sync)
        .executeTakeFirst();
      const state = { ...(row === undefined ? NEW : stateOf(row)), ...change };
      const values = {
        is_owed: state.isOwed ? 1 : 0,
        prefix: state.prefix ?? null,
        failed_prefixes: state.failedPrefixes.join(','),
        compared_ms: state.comparedMs ?? null,
        sampled_ms: state.sampledMs ?? null,
      };
      await transaction
        .insertInto('store_sync')
        .values({ sync, ...values })
        .onConflict((conflict) => conflict.column('sync').doUpdateSet(values))
        .execute();
    });
  }

  async failed(sync: string, failures: readonly { ref: BlobRef; code: string }[]): Promise<void> {
    const nowMs = this.#clock.nowMs();
    await this.#sql.transaction<SyncTables, void>(async (transaction) => {
      for (const some of pagesOf(failures)) {
        const times = { first_ms: nowMs, last_ms: nowMs, tries: 1 };
        await transaction
          .insertInto('store_sync_failure')
          .values(
            some.map(({ ref, code }) => ({
              ...{ sync, ref, code, ...times },
              ...{ is_copied: 0, is_acknowledged: 0 },
            })),
          )
          .onConflict((conflict) =>
            conflict.columns(['sync', 'ref']).doUpdateSet((row) => ({
              code: row.ref('excluded.code'),
              last_ms: nowMs,
              tries: row('store_sync_failure.tries', '+', 1),
              is_copied: 0,
              is_acknowledged: row
                .case()
                .when('store_sync_failure.code', '=', row.ref('excluded.code'))
                .then(row.ref('store_sync_failure.is_acknowledged'))
                .else(0)
                .end(),
            })),
          )
          .execute();
      }
    });
  }

  async copied(sync: string, refs: readonly BlobRef[]): Promise<void> {
    await this.#sql.transaction<SyncTables, void>(async (transaction) => {
      for (const some of pagesOf(refs)) {
        await transaction
          .deleteFrom('store_sync_failure')
          .where('sync', '=', sync)
          .where('ref', 'in', some)
          .where('is_acknowledged', '=', 1)
          .execute();
        await transaction
          .updateTable('store_sync_failure')
          .set({ is_copied: 1 })
          .where('sync', '=', sync)
          .where('ref', 'in', some)
          .execute();
      }
    });
  }

  async uncopied(
    sync: string,
    page: { readonly after?: BlobRef; limit: number },
  ): Promise<BlobRef[]> {
    const rows = await this.#sql
      .read<SyncTables>()
      .selectFrom('store_sync_failure')
      .select('ref')
      .where('sync', '=', sync)
      .where('is_copied', '=', 0)
      .where('ref', '>', page.after ?? '')
      .orderBy('ref')
      .limit(page.limit)
      .execute();
    return rows.map(({ ref }) => ref as BlobRef);
  }

  async unacknowledged(page: {
    readonly after?: { readonly sync: string; readonly ref: BlobRef };
    readonly limit: number;
  }): Promise<SyncFailure[]> {
    const { sync, ref } = page.after ?? { sync: '', ref: '' };
    const rows = await this.#sql
      .read<SyncTables>()
      .selectFrom('store_sync_failure')
      .selectAll()
      .where('is_acknowledged', '=', 0)
      .where((row) =>
        row.or([row('sync', '>', sync), row.and([row('sync', '=', sync), row('ref', '>', ref)])]),
      )
      .orderBy('sync')
      .orderBy('ref')
      .limit(page.limit)
      .execute();
    return rows.map((row) => ({
      ...{ sync: row.sync, ref: row.ref as BlobRef, code: row.code, tries: row.tries },
      ...{ firstMs: row.first_ms, lastMs: row.last_ms, isCopied: row.is_copied === 1 },
    }));
  }

  async unacknowledgedCount(sync: string): Promise<number> {
    const row = await this.#sql
      .read<SyncTables>()
      .selectFrom('store_sync_failure')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .where('sync', '=', sync)
      .where('is_acknowledged', '=', 0)
      .executeTakeFirst();
    return Number(row?.count ?? 0);
  }

  async acknowledge(refs: readonly BlobRef[] | undefined): Promise<number> {
    return await this.#sql.transaction<SyncTables, number>(async (transaction) => {
      let listed = 0;
      for (const some of refs === undefined ? [undefined] : pagesOf(refs)) {
        const isMeant = (row: ExpressionBuilder<SyncTables, 'store_sync_failure'>) => {
          const open = row('is_acknowledged', '=', 0);
          return some === undefined ? open : row.and([open, row('ref', 'in', [...some])]);
        };
        const gone = await transaction
          .deleteFrom('store_sync_failure')
          .where(isMeant)
          .where('is_copied', '=', 1)
          .executeTakeFirst();
        const kept = await transaction
          .updateTable('store_sync_failure')
          .set({ is_acknowledged: 1 })
          .where(isMeant)
          .executeTakeFirst();
        listed += Number(gone.numDeletedRows) + Number(kept.numUpdatedRows);
      }
      return listed;
    });
  }
}

function stateOf(row: SyncRow): SyncState {
  return {
    isOwed: row.is_owed === 1,
    prefix: row.prefix ?? undefined,
    failedPrefixes: row.failed_prefixes === '' ? [] : row.failed_prefixes.split(',').map(Number),
    comparedMs: row.compared_ms ?? undefined,
    sampledMs: row.sampled_ms ?? undefined,
  };
}

function* pagesOf<T>(all: readonly T[]): Generator<T[]> {
  for (let at = 0; at < all.length; at += ROWS_MAX) yield all.slice(at, at + ROWS_MAX);
}
