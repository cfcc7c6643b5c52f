// `GET /api/log/<topic>` on a port of HTTP: who may read, and what they get (log/http-read.ts).

import { TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import { utf8 } from '#base/bytes.ts';
import { secretEqual } from '#base/secret-equal.ts';
import type { Log } from '#log/log.ts';
import { answerHttpRead } from '#log/server/http-read.ts';
import { href } from '#site/routes.ts';
import type { Site } from '#site/site.ts';

const PATH = /^\/api\/log\/([^/]{1,200})$/;

export interface LogHttpWorld {
  readonly log: Log;
  /** Whoever has it as a bearer token may read. Undefined: without a token everybody may. */
  readonly token: string | undefined;
  /** Asked when no token was sent: whether this visitor may read all the same. */
  mayRead?(request: Request): Promise<boolean>;
}

/** Undefined when the address is none of the log's. */
export async function answerLogHttp(
  world: LogHttpWorld,
  request: Request,
): Promise<Response | undefined> {
  const url = new URL(request.url);
  const match = PATH.exec(url.pathname);
  if (match === null) return undefined;
  if (request.method !== 'GET') {
    return new Response('Only GET\n', { status: 405, headers: { allow: 'GET' } });
  }
  if (!(await isAllowed(world, request))) {
    const headers = { 'www-authenticate': 'Bearer', 'cache-control': 'no-store' };
    return new Response('A bearer token is wanted\n', { status: 401, headers });
  }
  return answerHttpRead({
    log: world.log,
    topic: match[1] ?? '',
    query: url.searchParams,
    accept: request.headers.get('accept'),
    lastEventId: request.headers.get('last-event-id'),
    signal: request.signal,
  });
}

async function isAllowed(world: LogHttpWorld, request: Request): Promise<boolean> {
  const { token, mayRead } = world;
  if (token === undefined) return true;
  const given = /^Bearer (.+)$/.exec(request.headers.get('authorization') ?? '')?.[1];
  if (given !== undefined) return secretEqual(utf8(given), utf8(token));
  return (await mayRead?.(request)) ?? false;
}

/**
 * The site with the log's topics beside it. An administrator reads them by their session, a program
 * with the token, and `transfers` only who has the token: it is whether the console opens for the same
 * cookies that tells the first.
 */
export function siteWithLog(site: Site, log: Log, token: string): Site {
  return {
    async fetch(request, env) {
      const mayRead = async (asked: Request): Promise<boolean> => {
        const cookie = asked.headers.get('cookie');
        const isRaw = new URL(asked.url).pathname.endsWith(`/${TRANSFERS_TOPIC}`);
        // Raw records hold addresses; the console's stream of transfers does not.
        if (cookie === null || isRaw) return false;
        const console = new Request(new URL(href('console'), asked.url), { headers: { cookie } });
        return (await site.fetch(console, env)).status === 200;
      };
      const answer = await answerLogHttp({ log, token, mayRead }, request);
      return answer ?? site.fetch(request, env);
    },
  };
}
