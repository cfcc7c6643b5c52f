// What members may take of the archive: whoever is active and is not kept from taking by a rule. Asked
// again while it is given.

import { isKept } from '#archive/catalogue/kept-torrents.ts';
import type { Grant } from '#archive/downloads/granted-body.ts';
import { findMemberById } from '#site/accounts/members.ts';
import { findTorrent } from '#site/catalogue/find-torrent.ts';
import type { Sql } from '#sql/sql.ts';

export async function mayTake(sql: Sql, { memberId, passkey }: Taker): Promise<boolean> {
  const member = await findMemberById(sql, memberId);
  if (member?.state !== 'active' || !member.mayLeech) return false;
  return passkey === undefined || member.passkey === passkey;
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
  taker: Taker,
  torrentId: number,
): Grant {
  return {
    holder: `member ${taker.memberId}`,
    mayStay: async () =>
      (await mayTake(world.sql, taker)) && (await isStillKept(world.sql, torrentId)),
    onSent: (bytes) => world.onTaken(taker.memberId, torrentId, bytes),
  };
}

/** What was let go or removed is given no further. */
async function isStillKept(sql: Sql, torrentId: number): Promise<boolean> {
  const torrent = await findTorrent(sql, torrentId);
  if (torrent === undefined || torrent.removedMs !== undefined) return false;
  return await isKept(sql, torrentId);
}
