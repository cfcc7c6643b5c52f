// `GET /api/log/<topic>` on a port of HTTP: who may read, and what they get (log/http-read.ts).

import { TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import { utf8 } from '#base/bytes.ts';
import { secretEqual } from '#base/secret-equal.ts';
import type { Log } from '#log/log.ts';
import { answerHttpRead } from '#log/server/http-read.ts';
import { fetchedFrom } from '#site/caller-address.ts';
import { href } from '#site/routes.ts';
import { setSecurityHeaders } from '#site/security-headers.ts';
import type { Site } from '#site/site.ts';
import { CONTROL_TOPIC } from '#sql/outbox.ts';
import type { BannedNetworks } from './banned-networks.ts';

export const LOG_PATH = '/api/log';
const PATH = /^\/api\/log\/([^/]{1,200})$/;
/** Records of the one hold members' addresses, of the other their passkeys: no page shows either. */
const TOKEN_TOPICS: ReadonlySet<string> = new Set([TRANSFERS_TOPIC, CONTROL_TOPIC]);

export interface LogHttpWorld {
  readonly log: Log;
  /** Whoever has it as a bearer token may read. Undefined: without a token everybody may. */
  readonly token: string | undefined;
  /** Asked before each page of records, whoever reads: a network may be banned meanwhile. */
  isBanned?(): Promise<boolean>;
  /** Asked when no token was sent: whether this visitor may read the topic all the same. */
  mayRead?(request: Request, topic: string): Promise<Reader | undefined>;
}

/** Who reads without the token; asked again before each page of records. */
export interface Reader {
  mayStay(): Promise<boolean>;
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
  const topic = match[1] ?? '';
  const reader = await readerOf(world, request, topic);
  if (reader === undefined) {
    const headers = { 'www-authenticate': 'Bearer', 'cache-control': 'no-store' };
    return new Response('A bearer token is wanted\n', { status: 401, headers });
  }
  return answerHttpRead({
    mayStay: async () => !(await world.isBanned?.()) && (await reader.mayStay()),
    log: world.log,
    topic,
    query: url.searchParams,
    accept: request.headers.get('accept'),
    lastEventId: request.headers.get('last-event-id'),
    signal: request.signal,
  });
}

/** The token does not change while the server runs. */
const BY_TOKEN: Reader = { mayStay: async () => true };

async function readerOf(
  world: LogHttpWorld,
  request: Request,
  topic: string,
): Promise<Reader | undefined> {
  const { token, mayRead } = world;
  if (token === undefined) return BY_TOKEN;
  const given = /^Bearer (.+)$/.exec(request.headers.get('authorization') ?? '')?.[1];
  if (given === undefined) return await mayRead?.(request, topic);
  return secretEqual(utf8(given), utf8(token)) ? BY_TOKEN : undefined;
}

export interface LogRights {
  readonly token: string;
  isAdmin(cookies: string): Promise<boolean>;
  readonly banned: Pick<BannedNetworks, 'has'>;
}

/**
 * The site with the log's topics beside it. An administrator reads them by their session, a program
 * with the token, and `transfers` and `control` only who has the token: it is whether the console opens
 * for the same cookies that tells the first. `isAdmin` is asked of them from then on.
 */
export function siteWithLog(site: Site, log: Log, { token, isAdmin, banned }: LogRights): Site {
  return {
    async fetch(request, env) {
      const mayRead = async (asked: Request, topic: string): Promise<Reader | undefined> => {
        const cookie = asked.headers.get('cookie');
        if (cookie === null || TOKEN_TOPICS.has(topic)) return undefined;
        const console = new Request(new URL(href('console'), asked.url), { headers: { cookie } });
        const { status } = await site.fetch(console, env);
        return status === 200 ? { mayStay: () => isAdmin(cookie) } : undefined;
      };
      const isBanned = () => banned.has(fetchedFrom(request, env));
      const answer = await answerLogHttp({ log, token, mayRead, isBanned }, request);
      if (answer === undefined) return await site.fetch(request, env);
      setSecurityHeaders(answer, false);
      return answer;
    },
  };
}
