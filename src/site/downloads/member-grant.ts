// What members may take of the archive: whoever is active and is not kept from taking by a rule. Asked
// again while it is given.

import type { Grant } from '#archive/downloads/granted-body.ts';
import { findMemberById } from '#site/accounts/members.ts';
import type { Sql } from '#sql/sql.ts';

export async function mayTake(sql: Sql, memberId: number): Promise<boolean> {
  const member = await findMemberById(sql, memberId);
  return member?.state === 'active' && member.mayLeech;
}

export function memberGrant(
  world: {
    readonly sql: Sql;
    readonly onTaken: (memberId: number, torrentId: number, bytes: number) => void;
  },
  memberId: number,
  torrentId: number,
): Grant {
  return {
    holder: `member ${memberId}`,
    mayStay: () => mayTake(world.sql, memberId),
    onSent: (bytes) => world.onTaken(memberId, torrentId, bytes),
  };
}
