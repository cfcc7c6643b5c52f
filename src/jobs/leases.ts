// Leases: who may do something that only one may do. A lease has a holder, an end and a fence, a
// number that grows each time the lease is taken. A node that was slow may still believe to have it;
// so whatever it writes carries the fence, and `check` refuses it in the same transaction.
//
//   free or expired -> take: fence + 1 -> renew before it expires ... -> give back: expired at once
//
// A node's own leases are taken over at once: it was restarted, and its old self is gone. Ends are
// written by the clocks of the nodes; clocks that differ by more than a lease's length only make a
// lease move too soon or too late, and the fence keeps both from writing.

import type { Transaction } from 'kysely';
import type { Clock } from '#base/clock.ts';
import { lockForTransaction } from '#sql/dialect.ts';
import type { Sql } from '#sql/sql.ts';
import { JobsError } from './errors.ts';
import type { JobTables } from './job-tables.ts';

export interface Lease {
  readonly name: string;
  readonly fence: number;
}

export interface LeasesWorld {
  readonly sql: Sql;
  readonly clock: Clock;
  /** This node's name: the same after a restart, different on every other node. */
  readonly holder: string;
  readonly leaseMs: number;
}

export class Leases {
  readonly #world: LeasesWorld;

  constructor(world: LeasesWorld) {
    this.#world = world;
  }

  /** Undefined while another node has it. */
  async take(name: string): Promise<Lease | undefined> {
    const { sql, clock, holder, leaseMs } = this.#world;
    return await sql.transaction<JobTables, Lease | undefined>(async (transaction) => {
      await lockForTransaction(transaction, 'leases');
      const row = await transaction
        .selectFrom('leases')
        .selectAll()
        .where('name', '=', name)
        .executeTakeFirst();
      const nowMs = clock.nowMs();
      if (row !== undefined && row.holder !== holder && row.expires_ms > nowMs) return undefined;
      const next = { holder, fence: (row?.fence ?? 0) + 1, expires_ms: nowMs + leaseMs };
      if (row === undefined) {
        await transaction
          .insertInto('leases')
          .values({ name, ...next })
          .execute();
      } else {
        await transaction.updateTable('leases').set(next).where('name', '=', name).execute();
      }
      return { name, fence: next.fence };
    });
  }

  /** False when it was lost. */
  async renew(lease: Lease): Promise<boolean> {
    const { clock, leaseMs } = this.#world;
    return await this.#setEnd(lease, clock.nowMs() + leaseMs);
  }

  /** The next may take it at once. Harmless when it was lost already. */
  async giveBack(lease: Lease): Promise<void> {
    await this.#setEnd(lease, 0);
  }

  /** @throws JobsError JOB_LEASE_LOST */
  async check(transaction: Transaction<JobTables>, lease: Lease): Promise<void> {
    // An update, not a select: on PostgreSQL it keeps the row until the commit.
    const { numUpdatedRows } = await transaction
      .updateTable('leases')
      .set((row) => ({ fence: row.ref('fence') }))
      .where('name', '=', lease.name)
      .where('fence', '=', lease.fence)
      .executeTakeFirst();
    if (Number(numUpdatedRows) === 0) {
      throw new JobsError(
        'JOB_LEASE_LOST',
        `Another node has the job "${lease.name}": this one had fence ${lease.fence}`,
      );
    }
  }

  async #setEnd(lease: Lease, expiresMs: number): Promise<boolean> {
    return await this.#world.sql.transaction<JobTables, boolean>(async (transaction) => {
      const { numUpdatedRows } = await transaction
        .updateTable('leases')
        .set({ expires_ms: expiresMs })
        .where('name', '=', lease.name)
        .where('fence', '=', lease.fence)
        .executeTakeFirst();
      return Number(numUpdatedRows) > 0;
    });
  }
}
