// The copies that keepers hold: their states, their proofs, and what they earned.

import type { Selectable, Transaction } from 'kysely';
import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import type { ArchiveConfig } from '#archive/config.ts';
import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import type { Sql } from '#sql/sql.ts';
import type { Keeper } from './keeper-book.ts';
import type { KeeperTables } from './keeper-tables.ts';

const GIB = 2 ** 30;
const DAY_MS = 86_400_000;
const HOLDERS_MAX = 10;

/** Grants points to a member; negative ones take them back. */
export interface KeeperCredit {
  grant(
    transaction: Transaction<KeeperTables>,
    entry: {
      readonly memberId: number;
      readonly atMs: number;
      /** Thousandths of a point. */
      readonly milliPoints: number;
      /** Granted once under this name. */
      readonly once: string;
    },
  ): Promise<void>;
}

export interface Copy {
  readonly id: number;
  readonly keeperId: number;
  readonly root: Uint8Array;
  readonly bytes: number;
  readonly state: KeeperTables['archive_copy']['state'];
  readonly sinceMs: number;
  readonly provenMs: number;
  readonly proofs: number;
  readonly earned: number;
}

export interface Challenge {
  readonly copy: number;
  readonly number: number;
  readonly start: number;
  readonly end: number;
  readonly nonce: Uint8Array;
}

export interface CopiesWorld {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly random: Random;
  readonly config: ArchiveConfig;
  readonly credit: KeeperCredit;
}

export class Copies {
  readonly #world: CopiesWorld;

  constructor(world: CopiesWorld) {
    this.#world = world;
  }

  async seen(keeperId: number, offeredBytes: number): Promise<void> {
    const seen = { seen_ms: this.#world.clock.nowMs(), offered_bytes: offeredBytes };
    await this.#write(async (transaction) => {
      const query = transaction.updateTable('archive_keeper').set(seen);
      await query.where('id', '=', keeperId).execute();
    });
  }

  async find(copyId: number): Promise<Copy | undefined> {
    const row = await this.#copies().where('id', '=', copyId).executeTakeFirst();
    return row === undefined ? undefined : copyOf(row);
  }

  async inState(keeperId: number, state: Copy['state'], max: number): Promise<readonly Copy[]> {
    const query = this.#copies().where('keeper_id', '=', keeperId).where('state', '=', state);
    return (await query.orderBy('id').limit(max).execute()).map(copyOf);
  }

  /** Held, to be challenged now, and not challenged yet. */
  async due(keeperId: number, max: number): Promise<readonly Copy[]> {
    const rows = await this.#copies()
      .where('keeper_id', '=', keeperId)
      .where('state', '=', 'held')
      .where('due_ms', '<=', this.#world.clock.nowMs())
      .where('id', 'not in', (of) => of.selectFrom('archive_challenge').select('copy_id'))
      .orderBy('due_ms')
      .limit(max)
      .execute();
    return rows.map(copyOf);
  }

  /** Held by keepers that were heard of since, the last one first. */
  async holdersOf(fileId: number, sinceMs: number): Promise<readonly Copy[]> {
    const rows = await this.#world.sql
      .read<KeeperTables & ArchiveTables>()
      .selectFrom('archive_copy')
      .innerJoin('archive_file', 'archive_file.root', 'archive_copy.root')
      .innerJoin('archive_keeper', 'archive_keeper.id', 'keeper_id')
      .selectAll('archive_copy')
      .where('archive_file.id', '=', fileId)
      .where('state', '=', 'held')
      .where('seen_ms', '>=', sinceMs)
      .orderBy('seen_ms', 'desc')
      .limit(HOLDERS_MAX)
      .execute();
    return rows.map(copyOf);
  }

  async challenge(copyId: number, challenge: Omit<Challenge, 'copy'>): Promise<void> {
    const { number, start, end, nonce } = challenge;
    await this.#write(async (transaction) => {
      await transaction
        .insertInto('archive_challenge')
        .values({
          ...{ copy_id: copyId, number, range_start: start, range_end: end, nonce },
          asked_ms: this.#world.clock.nowMs(),
        })
        .onConflict((of) => of.column('copy_id').doNothing())
        .execute();
    });
  }

  async challenges(keeperId: number, max: number): Promise<readonly Challenge[]> {
    const rows = await this.#world.sql
      .read<KeeperTables>()
      .selectFrom('archive_challenge')
      .innerJoin('archive_copy', 'archive_copy.id', 'copy_id')
      .selectAll('archive_challenge')
      .where('keeper_id', '=', keeperId)
      .where('state', '=', 'held')
      .orderBy('asked_ms')
      .limit(max)
      .execute();
    return rows.map(challengeOf);
  }

  async openChallenge(copyId: number): Promise<Challenge | undefined> {
    const row = await this.#world.sql
      .read<KeeperTables>()
      .selectFrom('archive_challenge')
      .selectAll()
      .where('copy_id', '=', copyId)
      .executeTakeFirst();
    return row === undefined ? undefined : challengeOf(row);
  }

  /** It says that it has all of it; the first challenge follows at once. */
  async held(copy: Copy): Promise<void> {
    const nowMs = this.#world.clock.nowMs();
    await this.#write(async (transaction) => {
      await transaction
        .updateTable('archive_copy')
        .set({ state: 'held', since_ms: nowMs, proven_ms: 0, due_ms: nowMs, earned: 0 })
        .where('id', '=', copy.id)
        .where('state', '=', 'wanted')
        .execute();
    });
  }

  /**
   * It says itself that it lost some of it: to be fetched again. Nothing is taken back for that, but what
   * it was to prove it has to prove then: or who holds little would decline until something is asked for
   * that it has.
   */
  async lost(copy: Copy): Promise<void> {
    const sinceMs = this.#world.clock.nowMs();
    await this.#write(async (transaction) => {
      await transaction
        .updateTable('archive_copy')
        .set({ state: 'wanted', since_ms: sinceMs, earned: 0 })
        .where('id', '=', copy.id)
        .where('state', '=', 'held')
        .execute();
    });
  }

  async confirmDrop(copy: Copy): Promise<void> {
    await this.#write(async (transaction) => {
      const query = transaction.deleteFrom('archive_copy').where('id', '=', copy.id);
      await query.where('state', '=', 'dropped').execute();
    });
  }

  async askAgain(copy: Copy, afterMs: number): Promise<void> {
    const dueMs = this.#world.clock.nowMs() + afterMs;
    await this.#write(async (transaction) => {
      await transaction.deleteFrom('archive_challenge').where('copy_id', '=', copy.id).execute();
      const query = transaction.updateTable('archive_copy').set({ due_ms: dueMs });
      await query.where('id', '=', copy.id).execute();
    });
  }

  /** Credit for all the time since it is held, less what was granted for it before. */
  async proven(keeper: Keeper, copy: Copy): Promise<void> {
    const { clock, random, config, credit } = this.#world;
    const nowMs = clock.nowMs();
    const days = Math.max(0, nowMs - copy.sinceMs) / DAY_MS;
    const points = (copy.bytes / GIB) * days * config.keeperPointsPerGibDay;
    const earned = Math.max(copy.earned, Math.floor(points * 1000));
    const everyMs = config.keeperProofEveryMs;
    const dueMs = nowMs + Math.round(everyMs * (0.5 + random.u32() / 2 ** 32));
    await this.#write(async (transaction) => {
      const { numDeletedRows } = await transaction
        .deleteFrom('archive_challenge')
        .where('copy_id', '=', copy.id)
        .executeTakeFirst();
      // Of two answers at once the second finds no challenge.
      if (numDeletedRows === 0n) return;
      await transaction
        .updateTable('archive_copy')
        .set({ proven_ms: nowMs, due_ms: dueMs, proofs: copy.proofs + 1, earned })
        .where('id', '=', copy.id)
        .execute();
      if (keeper.memberId === 0 || earned === copy.earned) return;
      await credit.grant(transaction, {
        ...{ memberId: keeper.memberId, atMs: nowMs, milliPoints: earned - copy.earned },
        once: `keep:${copy.id}:${copy.proofs + 1}`,
      });
    });
  }

  /** It loses what it earned, and the copy counts no more. */
  async failed(copy: Copy, reason: string): Promise<void> {
    const { clock, credit } = this.#world;
    const nowMs = clock.nowMs();
    await this.#write(async (transaction) => {
      await transaction.deleteFrom('archive_challenge').where('copy_id', '=', copy.id).execute();
      await transaction
        .updateTable('archive_copy')
        .set({ state: 'failed', since_ms: nowMs, reason, earned: 0 })
        .where('id', '=', copy.id)
        .execute();
      const keeper = await transaction
        .selectFrom('archive_keeper')
        .select('member_id')
        .where('id', '=', copy.keeperId)
        .executeTakeFirst();
      if (keeper === undefined || keeper.member_id === 0 || copy.earned === 0) return;
      await credit.grant(transaction, {
        ...{ memberId: keeper.member_id, atMs: nowMs, milliPoints: -copy.earned },
        once: `keep:${copy.id}:failed:${nowMs}`,
      });
    });
  }

  #copies() {
    return this.#world.sql.read<KeeperTables>().selectFrom('archive_copy').selectAll();
  }

  #write(run: (transaction: Transaction<KeeperTables>) => Promise<void>): Promise<void> {
    return this.#world.sql.transaction<KeeperTables, void>(run);
  }
}

export function copyOf(row: Selectable<KeeperTables['archive_copy']>): Copy {
  return {
    ...{ id: row.id, keeperId: row.keeper_id, root: row.root, bytes: row.size_bytes },
    ...{ state: row.state, sinceMs: row.since_ms, provenMs: row.proven_ms },
    ...{ proofs: row.proofs, earned: row.earned },
  };
}

function challengeOf(row: Selectable<KeeperTables['archive_challenge']>): Challenge {
  const { copy_id: copy, number, range_start: start, range_end: end, nonce } = row;
  return { copy, number, start, end, nonce };
}
