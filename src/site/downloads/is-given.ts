// Whether the archive gives a torrent to who looks at its page, as far as links are concerned; the
// download itself asks again.

import type { Torrent } from '#site/catalogue/find-torrent.ts';
import type { Visit } from '#site/visit.ts';

export async function isGivenTo(
  visit: Visit,
  torrent: Pick<Torrent, 'id' | 'removedMs'>,
): Promise<boolean> {
  const { content } = visit.parts;
  if (content === undefined || torrent.removedMs !== undefined || !visit.may('download')) {
    return false;
  }
  return await content.isKept(torrent.id);
}

/** Whether they may make links for others, of what is given to them. */
export function mayShareFrom(visit: Visit): boolean {
  return visit.may('share') && visit.parts.config.sharesPerMemberMax > 0;
}
