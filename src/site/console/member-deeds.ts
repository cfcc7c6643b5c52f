// What the staff do to a member, with its line in the log: by the console's pages and by the API.

import {
  banMember,
  findMember,
  type Member,
  setMemberRole,
  unbanMember,
} from '#site/accounts/members.ts';
import { protectMember } from '#site/privacy/protect-member.ts';
import { Refusal } from '#site/refusal.ts';
import type { Visit } from '#site/visit.ts';

type Changed = Promise<Member | Refusal>;

/** `role` is one that there is. */
export async function changeRole(visit: Visit, name: string, role: string): Changed {
  const roles = await visit.parts.roleBook.current();
  if (roles.find(role) === undefined) {
    return new Refusal('role-unknown', 'There is no such role.', 'role');
  }
  return noted(visit, await setMemberRole(visit.parts, name, role));
}

/** Until then, in Unix milliseconds, or until somebody ends it. */
export async function banByStaff(
  visit: Visit,
  name: string,
  reason: string,
  untilMs?: number,
): Changed {
  if (name.toLowerCase() === visit.signedIn().name.toLowerCase()) {
    return new Refusal('ban-self', 'You cannot ban yourself.', 'reason');
  }
  if (untilMs !== undefined && untilMs <= visit.nowMs) {
    return new Refusal('until-past', 'A time that lies ahead is needed.', 'until');
  }
  const refused = await refuseStaff(visit, name);
  return refused ?? noted(visit, await banMember(visit.parts, name, reason, untilMs));
}

export async function unbanByStaff(visit: Visit, name: string): Changed {
  const refused = await refuseStaff(visit, name);
  return refused ?? noted(visit, await unbanMember(visit.parts, name));
}

/** Moderators keep order among members; what the staff does among itself is for admins. */
async function refuseStaff(visit: Visit, name: string): Promise<Refusal | undefined> {
  if (visit.may('administer')) return undefined;
  const member = await findMember(visit.parts.sql, name);
  const roles = await visit.parts.roleBook.current();
  const rights = roles.find(member?.role ?? '')?.permissions ?? [];
  if (!rights.includes('moderate') && !rights.includes('administer')) return undefined;
  return new Refusal('member-staff', `${name} is of the staff: an admin can do that.`, 'reason');
}

export async function protectByStaff(visit: Visit, name: string, isProtected: boolean): Changed {
  return noted(visit, await protectMember(visit.parts, name, isProtected));
}

function noted(visit: Visit, changed: Member | Refusal): Member | Refusal {
  if (changed instanceof Refusal) return changed;
  visit.parts.logger.info('A member was changed by the staff', {
    memberId: changed.id,
    by: visit.signedIn().memberId,
    role: changed.role,
    state: changed.state,
  });
  return changed;
}
