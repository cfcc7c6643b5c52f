// What of the archive is on the site's port and never passes through the site's pages: who asks for a path
// below one of these prefixes is answered by its door.

import { PIECES_PREFIX } from '#archive/pieces/piece-request.ts';
import { SEED_PREFIX } from '#archive/web-seed/seed-request.ts';
import { DAV_PREFIX } from '#archive/webdav/webdav.ts';
import type { ArchiveDoors } from './archive-parts.ts';
import { answerDavRequest } from './dav-door.ts';
import { answerMapRequest } from './piece-door.ts';
import type { SiteDoor } from './site-listener.ts';
import { answerSeedRequest } from './web-seed-door.ts';

/** They answer when `opened` resolves. */
export function archiveSiteDoors(opened: Promise<ArchiveDoors>): readonly SiteDoor[] {
  return [
    {
      prefix: SEED_PREFIX,
      answer: async (request, response) => answerSeedRequest(await opened, request, response),
    },
    {
      prefix: PIECES_PREFIX,
      answer: async (request, response) =>
        answerMapRequest((await opened).pieces, request, response),
    },
    {
      prefix: DAV_PREFIX,
      answer: async (request, response) => answerDavRequest((await opened).dav, request, response),
    },
  ];
}
