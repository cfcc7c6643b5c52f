// What members may take of the archive: whoever is active and is not kept from taking by a rule. Asked
// again while it is given.

import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import type { Grant } from '#archive/downloads/granted-body.ts';
import { findMemberById } from '#site/accounts/members.ts';
import type { CatalogueTables } from '#site/catalogue/catalogue-tables.ts';
import type { Sql } from '#sql/sql.ts';

export async function mayTake(sql: Sql, memberId: number): Promise<boolean> {
  const member = await findMemberById(sql, memberId);
  return member?.state === 'active' && member.mayLeech;
}

/** `passkey` is the one that the right was shown by, if it was: a new one ends it. */
export interface Taker {
  readonly memberId: number;
  readonly passkey?: string;
}

export function memberGrant(
  world: {
    readonly sql: Sql;
    readonly onTaken: (memberId: number, torrentId: number, bytes: number) => void;
  },
  { memberId, passkey }: Taker,
  torrentId: number,
): Grant {
  return {
    holder: `member ${memberId}`,
    mayStay: async () => {
      const member = await findMemberById(world.sql, memberId);
      if (member?.state !== 'active' || !member.mayLeech) return false;
      if (passkey !== undefined && member.passkey !== passkey) return false;
      return await isStillKept(world.sql, torrentId);
    },
    onSent: (bytes) => world.onTaken(memberId, torrentId, bytes),
  };
}

/** What was let go or removed is given no further. */
async function isStillKept(sql: Sql, torrentId: number): Promise<boolean> {
  const row = await sql
    .read<ArchiveTables & CatalogueTables>()
    .selectFrom('archive_torrent')
    .innerJoin('torrent', 'torrent.id', 'archive_torrent.torrent_id')
    .select('torrent.id')
    .where('torrent.id', '=', torrentId)
    .where('torrent.removed_ms', 'is', null)
    .executeTakeFirst();
  return row !== undefined;
}
