// The syncs of `store.syncs` in a running server: each far store is opened when it can be, and kept.

import { createHash } from 'node:crypto';
import { SyncTable } from '#archive/syncs/sync-table.ts';
import { type Clock, sleep } from '#base/clock.ts';
import { messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import type { Random } from '#base/random.ts';
import type { Config } from '#config/schema.ts';
import type { Log } from '#log/log.ts';
import type { Registry } from '#metrics/registry.ts';
import type { Sql } from '#sql/sql.ts';
import type { Stack } from '#store/stack/stack.ts';
import type { QueueLag } from '#store/sync/durable-queue.ts';
import { StoreSync } from '#store/sync/store-sync.ts';
import type { SyncBook, SyncState } from '#store/sync/sync-book.ts';
import { SyncMetrics } from '#store/sync/sync-metrics.ts';
import { StoreQueue } from './store-queue.ts';
import type { StoreRoom } from './store-room.ts';

const OPEN_AGAIN_MS = 60_000;

export interface StoreSyncsParts {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Registry;
  readonly log: Log;
  readonly store: StoreRoom;
  readonly book: SyncBook;
}

export interface SyncStatus extends SyncState {
  /** The far store's line. */
  readonly sync: string;
  /** False offline, and while the far store cannot be opened. */
  readonly isOpen: boolean;
  readonly lag: QueueLag;
  readonly unacknowledged: number;
}

export class StoreSyncs {
  readonly book: SyncBook;
  readonly #parts: StoreSyncsParts;
  readonly #queue: StoreQueue;
  readonly #metrics: SyncMetrics;
  readonly #open = new Map<string, Stack>();

  constructor(parts: StoreSyncsParts) {
    const { config, log, store, metrics, book } = parts;
    this.#parts = parts;
    this.book = book;
    this.#queue = new StoreQueue(log, config.store.syncQueueBytesMax);
    this.#metrics = new SyncMetrics(metrics);
    if (config.store.syncs.length > 0) {
      store.onReceived = ({ ref }) => this.#queue.add([ref]);
    }
  }

  /** The far store of this line, while a sync has it open. */
  stackOf(text: string): Stack | undefined {
    for (const [name, stack] of this.#open) if (name === text || stack.text === text) return stack;
    return undefined;
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#parts.config.store.syncs.map((name) => this.#runOne(name, signal)));
  }

  async status(): Promise<SyncStatus[]> {
    const found: SyncStatus[] = [];
    for (const sync of this.#parts.config.store.syncs) {
      found.push({
        ...{ sync, isOpen: this.#open.has(sync), ...(await this.book.state(sync)) },
        lag: await this.#queue.lag(readerOf(sync)),
        unacknowledged: await this.book.unacknowledgedCount(sync),
      });
    }
    return found;
  }

  async #runOne(name: string, signal: AbortSignal): Promise<void> {
    const { store, logger, clock } = this.#parts;
    while (!signal.aborted) {
      try {
        const from = (await store.stack()).store;
        await store.withOther(name, async (stack) => {
          this.#open.set(name, stack);
          const sync = this.#syncOf(name, { from, to: stack.store });
          await sync.run(signal).finally(() => this.#open.delete(name));
        });
      } catch (error) {
        if (signal.aborted) return;
        this.#metrics.isAway(name, true);
        logger.warn('A far store cannot be opened', { sync: name, cause: messageOf(error) });
        await sleep(clock, OPEN_AGAIN_MS, signal).catch(() => {});
      }
    }
  }

  #syncOf(name: string, stores: Pick<ConstructorParameters<typeof StoreSync>[0], 'from' | 'to'>) {
    const { clock, random, logger, config } = this.#parts;
    return new StoreSync({
      ...stores,
      ...{ name, reader: readerOf(name), queue: this.#queue, book: this.book },
      ...{ clock, random, logger: logger.for('sync'), metrics: this.#metrics },
      compareEveryMs: config.store.syncCompareEveryMs,
      sampleBytes: config.store.syncSampleBytes,
    });
  }
}

/** Of the rooms that are open. */
export function openSyncs(parts: {
  readonly sql: Sql;
  readonly log: Log;
  readonly config: Config;
  readonly metrics: Registry;
  readonly store: StoreRoom;
}): StoreSyncs {
  const { clock, random, logger } = parts.store.world;
  const book = new SyncTable({ sql: parts.sql, clock });
  return new StoreSyncs({ ...parts, clock, random, logger, book });
}

/** A line of stores is no name of a consumer. */
function readerOf(name: string): string {
  return `sync-${createHash('sha256').update(name).digest('hex').slice(0, 24)}`;
}
