// A new password by a link: the link is used up, every other way in ends, and the member is told.

import { checkPassword, type Passwords } from '#site/accounts/passwords.ts';
import { endAllWaysIn } from '#site/accounts/ways-in.ts';
import { tellOwner } from '#site/notices/tell-owner.ts';
import { Refusal } from '#site/refusal.ts';
import { type AccountLink, type LinkTables, type LinkWorld, useLink } from './account-links.ts';

/** Undefined when it is done. @throws SiteError SITE_PASSWORDS_BUSY */
export async function resetByLink(
  world: LinkWorld & { readonly passwords: Passwords },
  link: AccountLink,
  password: string,
): Promise<Refusal | undefined> {
  const wrong = checkPassword(password, link.name);
  if (wrong !== undefined) return wrong;
  const password_hash = await world.passwords.hash(password);
  const nowMs = world.clock.nowMs();
  return await world.sql.transaction<LinkTables, Refusal | undefined>(async (transaction) => {
    if (!(await useLink(transaction, link.id))) {
      return new Refusal('link-used', 'This link was used already.');
    }
    await transaction
      .updateTable('member')
      .set({ password_hash })
      .where('id', '=', link.memberId)
      .execute();
    await endAllWaysIn(transaction, link.memberId);
    await tellOwner(transaction, nowMs, {
      memberId: link.memberId,
      title: 'Your password was reset by a link',
      body: 'Every device was signed out, and tokens of programs ended. Your sign-in keys, second factor, passkey and feeds stay: look whether all of them are yours. If it was not you who did this, tell the staff.',
    });
    return undefined;
  });
}
