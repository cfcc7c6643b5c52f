// Whether members may take more: set by rules, in force at the trackers within a second.

import type { Transaction } from 'kysely';
import { enqueue } from '#sql/outbox.ts';
import type { AccountTables } from './account-tables.ts';
import { memberOf, messageOf, selectMembers } from './members.ts';

export interface RightsChange {
  readonly memberId: number;
  readonly mayLeech: boolean;
}

/** Call last in the transaction: the trackers are told here. Members that are gone are left out. */
export async function setMayLeech<Tables>(
  transaction: Transaction<Tables>,
  changes: readonly RightsChange[],
): Promise<void> {
  if (changes.length === 0) return;
  const tables = transaction as unknown as Transaction<AccountTables>;
  const byId = changes.toSorted((one, other) => one.memberId - other.memberId);
  for (const { memberId, mayLeech } of byId) {
    await tables
      .updateTable('member')
      .set({ may_leech: mayLeech ? 1 : 0 })
      .where('id', '=', memberId)
      .execute();
  }
  const ids = byId.map((change) => change.memberId);
  const rows = await selectMembers(tables)
    .where('member.id', 'in', ids)
    .where('member.state', '!=', 'removed')
    .execute();
  await enqueue(
    transaction,
    rows.map((row) => messageOf(memberOf(row))),
  );
}
