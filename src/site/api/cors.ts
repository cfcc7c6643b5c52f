// Pages of other sites that call the API: from the origins of `site.apiOrigins`, with a token. Cookies are
// never asked for, so that no other site acts with somebody's session.

import { REPEAT_HEADER } from './api-route.ts';

const DAY_SECONDS = 86_400;
const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE';
const REQUEST_HEADERS = `authorization, content-type, if-none-match, range, ${REPEAT_HEADER}`;
const ANSWER_HEADERS =
  'etag, location, retry-after, content-disposition, content-range, x-request-id';

/** The answer to what a browser asks before it asks; undefined when this is no such question. */
export function preflight(request: Request, origins: readonly string[]): Response | undefined {
  const origin = request.headers.get('origin');
  const isAsked = request.headers.has('access-control-request-method');
  if (request.method !== 'OPTIONS' || !isAsked || origin === null) return undefined;
  const response = new Response(null, { status: 204 });
  if (origins.includes(origin)) {
    response.headers.set('access-control-allow-methods', METHODS);
    response.headers.set('access-control-allow-headers', REQUEST_HEADERS);
    response.headers.set('access-control-max-age', String(DAY_SECONDS));
  }
  allowOrigin(response, request, origins);
  return response;
}

/** Lets a page of a configured origin read the answer. */
export function allowOrigin(
  response: Response,
  request: Request,
  origins: readonly string[],
): void {
  if (origins.length === 0) return;
  response.headers.append('vary', 'origin');
  const origin = request.headers.get('origin');
  if (origin === null || !origins.includes(origin)) return;
  response.headers.set('access-control-allow-origin', origin);
  response.headers.set('access-control-expose-headers', ANSWER_HEADERS);
}
