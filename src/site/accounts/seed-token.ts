// The token in a member's web seed addresses: it names the member, is good for one torrent, and follows
// from the passkey, so that a new passkey ends it. Whoever finds one learns nothing of the passkey.

import { createHmac } from 'node:crypto';
import { utf8 } from '#base/bytes.ts';
import { secretEqual } from '#base/secret-equal.ts';
import type { Sql } from '#sql/sql.ts';
import { findMemberById, type Member } from './members.ts';

const MAC_HEX_CHARS = 32;

/** `<id in base 36>-<32 hex digits>`. `infoHash`: 40 lower-case hex digits, as it stands in the address. */
export function seedToken(member: Pick<Member, 'id' | 'passkey'>, infoHash: string): string {
  const mac = createHmac('sha256', member.passkey).update(`web seed ${member.id} ${infoHash}`);
  return `${member.id.toString(36)}-${mac.digest('hex').slice(0, MAC_HEX_CHARS)}`;
}

/** The member whose token it is, when they may take content now. */
export async function memberOfSeedToken(
  sql: Sql,
  token: string,
  infoHash: string,
): Promise<number | undefined> {
  const id = Number.parseInt(token.slice(0, token.indexOf('-')), 36);
  if (!Number.isSafeInteger(id)) return undefined;
  const member = await findMemberById(sql, id);
  if (member === undefined || member.passkey === '') return undefined;
  if (!secretEqual(utf8(seedToken(member, infoHash)), utf8(token))) return undefined;
  return member.state === 'active' && member.mayLeech ? member.id : undefined;
}
