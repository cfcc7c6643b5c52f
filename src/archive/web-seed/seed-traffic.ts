// What each member took from the web seed, by torrent, in a column of its own: clients may or may not
// count it in `downloaded`. Sums wait in memory and are written now and then; what a crash takes of them
// is at most what was given since.

import type { Transaction } from 'kysely';
import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import type { Clock, Timer } from '#base/clock.ts';
import { messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import type { Sql } from '#sql/sql.ts';

const WRITE_MS = 5000;
/** Sums that may wait; at the bound they are written at once. */
const WAITING_MAX = 10_000;

interface Sum {
  readonly memberId: number;
  readonly torrentId: number;
  bytes: number;
}

export interface SeedTrafficWorld {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told in the transaction of each sum, where these bytes are taken off what the member is credited. */
  readonly takeOff?: (
    transaction: Transaction<ArchiveTables>,
    sum: { readonly memberId: number; readonly torrentId: number; readonly bytes: number },
  ) => Promise<void>;
}

export class SeedTraffic {
  readonly #world: SeedTrafficWorld;
  #waiting = new Map<string, Sum>();
  #timer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(world: SeedTrafficWorld) {
    this.#world = world;
  }

  add(memberId: number, torrentId: number, bytes: number): void {
    const key = `${memberId} ${torrentId}`;
    const sum = this.#waiting.get(key) ?? { memberId, torrentId, bytes: 0 };
    sum.bytes += bytes;
    this.#waiting.set(key, sum);
    if (this.#waiting.size >= WAITING_MAX) void this.flush();
    else this.#timer ??= this.#world.clock.after(WRITE_MS, () => void this.flush());
  }

  /** Writes what waits. A failure is logged, and the sums wait for the next time. */
  flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  async #write(): Promise<void> {
    const sums = [...this.#waiting.values()];
    if (sums.length === 0) return;
    this.#waiting = new Map();
    try {
      await writeSums(this.#world, sums);
    } catch (error) {
      this.#world.logger.error('What members took from the web seed could not be written', {
        error: messageOf(error),
      });
      for (const { memberId, torrentId, bytes } of sums) this.add(memberId, torrentId, bytes);
    }
  }
}

async function writeSums({ sql, takeOff }: SeedTrafficWorld, sums: readonly Sum[]): Promise<void> {
  await sql.transaction<ArchiveTables, void>(async (transaction) => {
    for (const { memberId, torrentId, bytes } of sums) {
      await transaction
        .insertInto('archive_traffic')
        .values({ member_id: memberId, torrent_id: torrentId, seed_bytes: bytes })
        .onConflict((of) =>
          of
            .columns(['member_id', 'torrent_id'])
            .doUpdateSet((set) => ({ seed_bytes: set('archive_traffic.seed_bytes', '+', bytes) })),
        )
        .execute();
      await takeOff?.(transaction, { memberId, torrentId, bytes });
    }
  });
}
