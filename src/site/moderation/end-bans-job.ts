// Ends what has an end: bans of members and of networks. Each end is told to the trackers like the ban.

import type { Clock } from '#base/clock.ts';
import type { Job } from '#base/job.ts';
import type { AccountTables } from '#site/accounts/account-tables.ts';
import { changeMember } from '#site/accounts/members.ts';
import { Refusal } from '#site/refusal.ts';
import type { Sql } from '#sql/sql.ts';
import { endOldAddressBans } from './address-bans.ts';

const MEMBERS_AT_ONCE = 500;

export interface EndBansWorld {
  readonly sql: Sql;
  readonly clock: Clock;
  /** Wakes the outbox relay. */
  readonly changed: () => void;
}

export function endBansJob(world: EndBansWorld): Job {
  return {
    name: 'end-bans',
    summary: 'Lets members and networks in again whose ban was for a time that is over.',
    schedule: { everyMs: 60_000, jitterPercent: 10 },
    timeLimitMs: 300_000,
    async run({ signal }) {
      let members = 0;
      for (const name of await overdue(world)) {
        signal.throwIfAborted();
        if (await letIn(world, name)) members += 1;
      }
      const networks = await endOldAddressBans(world);
      return { summary: 'Bans that were over are ended.', counts: { members, networks } };
    },
  };
}

async function overdue({ sql, clock }: EndBansWorld): Promise<readonly string[]> {
  const rows = await sql
    .read<AccountTables>()
    .selectFrom('member')
    .select('name')
    .where('banned_until_ms', '<=', clock.nowMs())
    .where('state', '=', 'banned')
    .orderBy('id')
    .limit(MEMBERS_AT_ONCE)
    .execute();
  return rows.map((row) => row.name);
}

/** Looks again in the transaction: the ban may have been made longer meanwhile. */
async function letIn(world: EndBansWorld, name: string): Promise<boolean> {
  const nowMs = world.clock.nowMs();
  const changed = await changeMember(world, name, async (_, member) =>
    member.state === 'banned' && (member.bannedUntilMs ?? Number.POSITIVE_INFINITY) <= nowMs
      ? { state: 'active', reason: '', banned_until_ms: null }
      : new Refusal('not-over', 'This ban is not over.'),
  );
  return !(changed instanceof Refusal);
}
