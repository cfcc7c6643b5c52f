// An account is erased: sessions, keys, notices and whatever else is personal go for good; totals,
// torrents and records of the log stay, because sums of others rest on them, under the pseudonym
// `removed-<id>`. There is nothing that could bring it back: names and keys are stored nowhere else,
// ids are never used again, and the ledger counts ids alone. The next run of the job forget-addresses
// takes the addresses out of the log.

import type { Transaction } from 'kysely';
import type { AccountTables } from '#site/accounts/account-tables.ts';
import {
  type AccountsWorld,
  changeMember,
  type Member,
  type MemberChange,
  memberOf,
  selectMembers,
} from '#site/accounts/members.ts';
import { endAccount } from '#site/accounts/remove-member.ts';
import { Refusal } from '#site/refusal.ts';
import { eraseHeld } from './held-data.ts';

const REMOVED = /^removed-(\d{1,10})$/i;

/** What is left of them; one who was removed before is erased by the name that is left. */
export async function eraseMember(world: AccountsWorld, name: string): Promise<Member | Refusal> {
  const removedId = REMOVED.exec(name)?.[1];
  if (removedId !== undefined) return await eraseRemoved(world, Number(removedId));
  return await changeMember(world, name, async (transaction, member) => {
    const nowMs = world.clock.nowMs();
    const ended = await endAccount(transaction, member, nowMs);
    if (ended instanceof Refusal) return ended;
    await eraseHeld(transaction, member.id);
    return { ...ended, ...nothingPersonal(nowMs) };
  });
}

async function eraseRemoved(world: AccountsWorld, memberId: number): Promise<Member | Refusal> {
  const unknown = new Refusal('member-unknown', `No member is called "removed-${memberId}".`);
  return await world.sql.transaction<AccountTables, Member | Refusal>(async (transaction) => {
    const known = await removedMember(transaction, memberId);
    if (known === undefined) return unknown;
    await eraseHeld(transaction, memberId);
    await transaction
      .updateTable('member')
      .set(nothingPersonal(world.clock.nowMs()))
      .where('id', '=', memberId)
      .execute();
    return (await removedMember(transaction, memberId)) ?? unknown;
  });
}

async function removedMember(
  transaction: Transaction<AccountTables>,
  memberId: number,
): Promise<Member | undefined> {
  const row = await selectMembers(transaction)
    .where('member.id', '=', memberId)
    .where('member.state', '=', 'removed')
    .executeTakeFirst();
  return row === undefined ? undefined : memberOf(row);
}

function nothingPersonal(nowMs: number): MemberChange {
  return { invited_by: null, created_ms: 0, is_protected: 0, erased_ms: nowMs };
}
