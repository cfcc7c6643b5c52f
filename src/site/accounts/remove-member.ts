// Members who go for good. The id stays, without a name, because the ledger and the torrents refer to
// it; privacy/erase-member.ts also removes everything else that is held on them.

import type { Transaction } from 'kysely';
import type { Refusal } from '#site/refusal.ts';
import type { AccountTables } from './account-tables.ts';
import { dropKeys } from './download-keys.ts';
import {
  type AccountsWorld,
  changeMember,
  type Member,
  type MemberChange,
  refuseLastAdmin,
} from './members.ts';
import { endSessions } from './ways-in.ts';

/** What a removed member is called. */
export function removedName(memberId: number): string {
  return `removed-${memberId}`;
}

export async function removeMember(world: AccountsWorld, name: string): Promise<Member | Refusal> {
  return await changeMember(world, name, (transaction, member) =>
    endAccount(transaction, member, world.clock.nowMs()),
  );
}

/** Ends sessions, keys and open invites; returns what the account's row becomes. */
export async function endAccount(
  transaction: Transaction<AccountTables>,
  member: Member,
  nowMs: number,
): Promise<MemberChange | Refusal> {
  const last = await refuseLastAdmin(transaction, member);
  if (last !== undefined) return last;
  await endSessions(transaction, member.id);
  await dropKeys(transaction, member.id, nowMs);
  await transaction
    .updateTable('invite')
    .set({ revoked_ms: nowMs })
    .where('member_id', '=', member.id)
    .where('used_by', 'is', null)
    .execute();
  const name = removedName(member.id);
  return {
    state: 'removed',
    reason: '',
    role: 'member',
    name,
    name_key: name,
    password_hash: null,
    seen_ms: null,
  };
}
