// Before what somebody at a foreign, open browser must not be able to do (tokens, second factors, the
// e-mail address), a member shows their password again.

import { Refusal } from '#site/refusal.ts';
import type { Visit } from '#site/visit.ts';
import type { AccountTables } from './account-tables.ts';

/** The field of the form that carries it. */
export const CURRENT_FIELD = 'current';

/** Undefined when what was sent is the member's password. Attempts are counted by the member. */
export async function proveMember(
  visit: Visit,
  sent: string = visit.form.text(CURRENT_FIELD),
): Promise<Refusal | undefined> {
  const { parts } = visit;
  const { memberId } = visit.signedIn();
  // By the member and not by the name: strangers who fail to sign in have no part in it.
  const attempts = `member:${memberId}`;
  if (parts.limits.signInName.take(attempts) > 0) {
    return new Refusal('attempts', 'Too many attempts; wait a minute.', CURRENT_FIELD);
  }
  const row = await parts.sql
    .read<AccountTables>()
    .selectFrom('member')
    .select('password_hash')
    .where('id', '=', memberId)
    .executeTakeFirst();
  if (!(await parts.passwords.verify(sent.slice(0, 1000), row?.password_hash))) {
    return new Refusal('password-wrong', 'This is not your current password.', CURRENT_FIELD);
  }
  parts.limits.signInName.giveBack(attempts);
  return undefined;
}
