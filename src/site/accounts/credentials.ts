// Whoever knows a member's password: signing in with it, and changing it.

import { Refusal } from '#site/refusal.ts';
import type { AccountTables } from './account-tables.ts';
import { type AccountsWorld, type Member, memberOf, nameKey, selectMembers } from './members.ts';
import { checkPassword } from './passwords.ts';
import { endHalfDone, endSessions } from './ways-in.ts';

/** Of a member who proved who they are; other devices are signed out, this one stays. */
export async function changePassword(
  world: AccountsWorld,
  memberId: number,
  change: { readonly next: string; readonly sessionId: number },
): Promise<Refusal | undefined> {
  const row = await world.sql
    .read<AccountTables>()
    .selectFrom('member')
    .select('name')
    .where('id', '=', memberId)
    .executeTakeFirst();
  if (row === undefined) return new Refusal('member-unknown', 'This member is not there.');
  const wrong = checkPassword(change.next, row.name);
  if (wrong !== undefined) return wrong;
  const password_hash = await world.passwords.hash(change.next);
  await world.sql.transaction<AccountTables, void>(async (transaction) => {
    await transaction
      .updateTable('member')
      .set({ password_hash })
      .where('id', '=', memberId)
      .execute();
    await endSessions(transaction, memberId, change.sessionId);
    await endHalfDone(transaction, memberId);
  });
  return undefined;
}

/** The member whose name and password these are; undefined without saying which was wrong. */
export async function authenticate(
  world: AccountsWorld,
  name: string,
  password: string,
): Promise<Member | undefined> {
  const row = await selectMembers(world.sql.read<AccountTables>())
    .select('member.password_hash')
    .where('member.name_key', '=', nameKey(name))
    .where('member.state', '!=', 'removed')
    .executeTakeFirst();
  const matches = await world.passwords.verify(password, row?.password_hash);
  return matches && row !== undefined ? memberOf(row) : undefined;
}
