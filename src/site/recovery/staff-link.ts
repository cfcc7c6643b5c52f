// A link for a new password, made by the staff for somebody who has no other way back in.

import { findMember, type Member } from '#site/accounts/members.ts';
import { hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import { addLink } from './account-links.ts';

const VALID_MS = 24 * 3_600_000;

export interface StaffLink {
  readonly member: Member;
  /** A secret: whoever opens it chooses the password. Good for a day, once, and only the newest. */
  readonly url: string;
}

/** Undefined when no active member has this name. */
export async function linkByStaff(visit: Visit, name: string): Promise<StaffLink | undefined> {
  const { parts } = visit;
  const member = await findMember(parts.sql, name);
  if (member?.state !== 'active') return undefined;
  const { memberId: staffId } = visit.signedIn();
  const token = await addLink(parts, {
    ...{ memberId: member.id, purpose: 'reset', lastsMs: VALID_MS, staffId },
  });
  parts.logger.info('The staff made a link for a new password', {
    memberId: member.id,
    by: staffId,
  });
  return { member, url: visit.addresses.siteUrl + hrefTo('resetPassword', { token }) };
}
