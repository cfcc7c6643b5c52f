// A second factor taken away by the staff, with the keys of devices: for somebody who lost their phone.

import { findMember, type Member } from '#site/accounts/members.ts';
import { tellOwner } from '#site/notices/tell-owner.ts';
import { removeSignInKeys } from '#site/sign-in-keys/sign-in-keys.ts';
import type { Visit } from '#site/visit.ts';
import { removeSecondFactor, type SecondFactorTables } from './second-factor.ts';

/** The member reads who did it. Undefined when nobody has this name. */
export async function removeFactorByStaff(visit: Visit, name: string): Promise<Member | undefined> {
  const { parts } = visit;
  const member = await findMember(parts.sql, name);
  if (member === undefined) return undefined;
  const by = visit.signedIn();
  await parts.sql.transaction<SecondFactorTables, void>(async (transaction) => {
    await removeSecondFactor(transaction, member.id);
    await removeSignInKeys(transaction, member.id);
    await tellOwner(transaction, visit.nowMs, {
      memberId: member.id,
      title: 'The staff took your second factor away',
      body: `Done by ${by.name}. Signing in asks for the password alone until you set one up again.`,
    });
  });
  parts.logger.info('The staff took a second factor away', {
    memberId: member.id,
    by: by.memberId,
  });
  return member;
}
