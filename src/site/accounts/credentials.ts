// Whoever knows a member's password: signing in with it, and changing it.

import { Refusal } from '#site/refusal.ts';
import type { AccountTables } from './account-tables.ts';
import { type AccountsWorld, type Member, memberOf, nameKey, selectMembers } from './members.ts';
import { checkPassword } from './passwords.ts';

/** Of a member who shows the current one; other devices are signed out, this one stays. */
export async function changePassword(
  world: AccountsWorld,
  memberId: number,
  change: { readonly current: string; readonly next: string; readonly sessionId: number },
): Promise<Refusal | undefined> {
  const row = await world.sql
    .read<AccountTables>()
    .selectFrom('member')
    .select(['name', 'password_hash'])
    .where('id', '=', memberId)
    .executeTakeFirst();
  if (!(await world.passwords.verify(change.current, row?.password_hash)) || row === undefined) {
    return new Refusal('password-wrong', 'This is not your current password.', 'current');
  }
  const wrong = checkPassword(change.next, row.name);
  if (wrong !== undefined) return wrong;
  const password_hash = await world.passwords.hash(change.next);
  await world.sql.transaction<AccountTables, void>(async (transaction) => {
    await transaction
      .updateTable('member')
      .set({ password_hash })
      .where('id', '=', memberId)
      .execute();
    await transaction
      .deleteFrom('session')
      .where('member_id', '=', memberId)
      .where('id', '!=', change.sessionId)
      .execute();
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
