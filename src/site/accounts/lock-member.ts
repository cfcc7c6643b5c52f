// What is counted of a member and then added to goes one after another, or a bound would be passed by two
// requests at once. SQLite has one writer anyway; on PostgreSQL the member's row is held.

import type { Transaction } from 'kysely';
import { dialectOf } from '#sql/dialect.ts';
import type { AccountTables } from './account-tables.ts';

/** Until the transaction ends. */
export async function lockMember<Tables>(
  transaction: Transaction<Tables>,
  memberId: number,
): Promise<void> {
  if (dialectOf(transaction) === 'sqlite') return;
  await (transaction as unknown as Transaction<AccountTables>)
    .selectFrom('member')
    .select('id')
    .where('id', '=', memberId)
    .forNoKeyUpdate()
    .execute();
}
