// The key by which a member opens the archive with WebDAV. It follows from the passkey, so that a new
// passkey ends it, and whoever finds one learns nothing of the passkey.

import { createHmac } from 'node:crypto';
import type { DavMembers } from '#archive/webdav/webdav.ts';
import { utf8 } from '#base/bytes.ts';
import { secretEqual } from '#base/secret-equal.ts';
import { findMember, type Member } from '#site/accounts/members.ts';
import type { Sql } from '#sql/sql.ts';
import { memberGrant } from './member-grant.ts';

const MAC_HEX_CHARS = 32;

export function davKey(member: Pick<Member, 'id' | 'passkey'>): string {
  const mac = createHmac('sha256', member.passkey).update(`webdav ${member.id}`);
  return mac.digest('hex').slice(0, MAC_HEX_CHARS);
}

export function davMembers(world: Parameters<typeof memberGrant>[0]): DavMembers {
  return {
    async grantOf(name, key) {
      const member = await findMember(world.sql, name.replaceAll('\0', ''));
      if (member === undefined || member.passkey === '') return undefined;
      if (!secretEqual(utf8(davKey(member)), utf8(key))) return undefined;
      if (member.state !== 'active' || !member.mayLeech) return undefined;
      const taker = { memberId: member.id, passkey: member.passkey };
      return { grantFor: (torrentId) => memberGrant(world, taker, torrentId) };
    },
  };
}

/** Whose key it is, for the page that shows it. */
export async function davKeyOf(sql: Sql, name: string): Promise<string | undefined> {
  const member = await findMember(sql, name);
  return member === undefined || member.passkey === '' ? undefined : davKey(member);
}
