// What happens to a request to the API before and after its route: who calls and how often, may they, the
// body within its bound; then the route; then its value as JSON with an ETag, or a problem.

import { createHash } from 'node:crypto';
import type { Context, Hono } from 'hono';
import { codeOf, messageOf } from '#base/errors.ts';
import { requestIdNow } from '#base/request-scope.ts';
import type { Admission } from '#site/admission.ts';
import { Cookies } from '#site/cookies.ts';
import { BUSY_CODES } from '#site/error-pages.ts';
import { isSecretField, readBytes } from '#site/form-data.ts';
import { balanceDirections } from '#site/format/directions.ts';
import { addressKey } from '#site/rate-limit.ts';
import { Refusal } from '#site/refusal.ts';
import { digestOf, Repeats } from '#site/repeats.ts';
import { tellDeed } from '#site/staff-log/staff-deeds.ts';
import type { SiteParts } from '#site/world.ts';
import { API_ROUTES } from './all-routes.ts';
import { type ApiCaller, findCaller } from './api-caller.ts';
import { apiDeed, isApiDeed } from './api-deed.ts';
import {
  API_PREFIX,
  type ApiMethod,
  type ApiRoute,
  type RawCall,
  REPEAT_HEADER,
  REPEAT_KEPT_MS,
  REPEAT_KEY_CHARS_MAX,
} from './api-route.ts';
import { ApiVisit } from './api-visit.ts';
import { allowOrigin, preflight } from './cors.ts';
import { PROBLEMS, Problem, problemResponse, refusalResponse } from './problem.ts';

const ETAG_CHARS = 32;

export type Counted = (route: string, run: () => Promise<Response>) => Promise<Response>;

/** Every route of the API on the site's app. `counted` is told a route's name, never a path. */
export function mountApi(
  app: Hono,
  world: { readonly parts: SiteParts; readonly admission: Admission; readonly counted: Counted },
): void {
  const door = new ApiDoor(world.parts, world.admission);
  const { counted } = world;
  for (const route of API_ROUTES) {
    app.on(route.method, API_PREFIX + route.path, (context) =>
      counted(`api.${route.name}`, () => door.answer(context, route)),
    );
  }
  for (const [path, methods] of methodsByPath(API_ROUTES)) {
    app.all(API_PREFIX + path, (context) => door.wrongMethod(context, methods));
  }
  app.all(API_PREFIX, (context) => door.unknown(context));
  app.all(`${API_PREFIX}/*`, (context) => door.unknown(context));
}

function methodsByPath(routes: readonly ApiRoute[]): ReadonlyMap<string, readonly ApiMethod[]> {
  const byPath = Map.groupBy(routes, (route) => route.path);
  return new Map([...byPath].map(([path, of]) => [path, of.map((route) => route.method)]));
}

class ApiDoor {
  readonly #parts: SiteParts;
  readonly #admission: Admission;
  readonly #repeats: Repeats;

  constructor(parts: SiteParts, admission: Admission) {
    this.#parts = parts;
    this.#admission = admission;
    this.#repeats = new Repeats({ clock: parts.clock, keptMs: REPEAT_KEPT_MS });
  }

  async answer(context: Context, route: ApiRoute): Promise<Response> {
    const visit = await this.#visit(context);
    return this.#readable(context, await this.#guarded(visit, route));
  }

  async wrongMethod(context: Context, methods: readonly ApiMethod[]): Promise<Response> {
    const { apiOrigins } = this.#parts.config;
    const asked = preflight(context.req.raw, apiOrigins);
    if (asked !== undefined) return asked;
    const response = this.#problem(new Problem('method-unknown', `Use ${methods.join(' or ')}.`));
    response.headers.set('allow', methods.join(', '));
    return this.#readable(context, response);
  }

  async unknown(context: Context): Promise<Response> {
    const asked = preflight(context.req.raw, this.#parts.config.apiOrigins);
    if (asked !== undefined) return asked;
    const detail = `What there is stands in ${API_PREFIX}/openapi.json.`;
    return this.#readable(context, this.#problem(new Problem('not-found', detail)));
  }

  #readable(context: Context, response: Response): Response {
    allowOrigin(response, context.req.raw, this.#parts.config.apiOrigins);
    return response;
  }

  #problem(problem: Problem): Response {
    return problemOf(problem, requestIdNow(this.#parts.random));
  }

  async #visit(context: Context): Promise<CalledVisit> {
    const parts = this.#parts;
    const settings = await parts.settings.current();
    const cookies = new Cookies(context, this.#admission.isSecure(context, settings));
    const sessionToken = cookies.get('session');
    const authorization = context.req.header('authorization') ?? '';
    const caller = await findCaller(parts, { authorization, sessionToken });
    const start = {
      ...{ parts, context, cookies, settings, viewer: caller.viewer },
      permissions: caller.permissions,
      cookieSecret: sessionToken,
      requestId: requestIdNow(parts.random),
      address: this.#admission.address(context),
    };
    return { visit: new ApiVisit(start), caller, context };
  }

  async #guarded(called: CalledVisit, route: ApiRoute): Promise<Response> {
    const { visit } = called;
    try {
      const banned = await this.#admission.bannedAddress(visit);
      const refused = banned ?? this.#refused(called, route);
      if (refused !== undefined) return refused;
      return await this.#run(called, route);
    } catch (error) {
      const code = codeOf(error);
      const { requestId } = visit;
      if (BUSY_CODES.has(code)) {
        const detail = 'Nothing was changed. Ask again in a few seconds.';
        return problemResponse(
          { code: code ?? 'busy', title: PROBLEMS.busy.title, detail },
          { status: 503, requestId },
        );
      }
      visit.parts.logger.error('A call of the API failed', {
        ...{ requestId, route: route.name, error: messageOf(error) },
        ...(error instanceof Error ? { stack: error.stack } : {}),
      });
      return problemOf(new Problem('failed', 'It is written down for the operator.'), requestId);
    }
  }

  /** Before a byte of the body is read. */
  #refused({ visit, caller }: CalledVisit, route: ApiRoute): Response | undefined {
    const { viewer, requestId } = visit;
    const key = viewer === undefined ? addressKey(visit.address) : `member:${viewer.memberId}`;
    const waitMs = this.#parts.limits.apiCalls.take(key);
    if (waitMs > 0) {
      const seconds = Math.ceil(waitMs / 1000);
      const response = problemOf(new Problem('too-many', `Wait ${seconds} s.`), requestId);
      response.headers.set('retry-after', String(seconds));
      return response;
    }
    const problem = this.#problemWith(visit, caller, route);
    return problem && problemOf(problem, requestId);
  }

  #problemWith(visit: ApiVisit, caller: ApiCaller, route: ApiRoute): Problem | undefined {
    const { permission, method } = route;
    const { by, ofMember } = caller;
    if (by === 'token' && visit.viewer === undefined) {
      return new Problem(
        'signed-out',
        'This token is not good: it was revoked, is over, or never was.',
      );
    }
    if (!visit.may(permission)) {
      if (visit.viewer === undefined) {
        return new Problem('signed-out', 'Send a token: `Authorization: Bearer TOKEN`.');
      }
      return ofMember.has(permission)
        ? new Problem('scope-missing', `The scope \`${permission}\` is needed.`)
        : new Problem('forbidden', `The permission \`${permission}\` is needed.`);
    }
    if (method !== 'GET' && route.matches !== true && visit.header('if-match') !== '') {
      return new Problem('request-invalid', 'If-Match is not taken here: leave it out.');
    }
    if (route.sessionOnly === true && by !== 'session') {
      return new Problem('session-only', 'Do this on the site, signed in.');
    }
    if (by !== 'session' || method === 'GET') return undefined;
    const isOwn = visit.isOwnToken(visit.header('x-csrf-token'));
    if (this.#admission.isOwnForm(visit) && isOwn) return undefined;
    const detail = `From a page of this site, send \`csrfToken\` of ${API_PREFIX}/me as \`x-csrf-token\`.`;
    return new Problem('cross-site', detail);
  }

  async #run(called: CalledVisit, route: ApiRoute): Promise<Response> {
    const { visit } = called;
    const { requestId } = visit;
    const run = async (): Promise<Response> => {
      if (route.parses !== true) return await this.#answered(called, route);
      const answer = await this.#admission.inParsingTurn(() => this.#answered(called, route));
      return answer ?? lineFull(requestId);
    };
    const takesFile = route.body !== undefined && 'bytes' in route.body;
    if (!takesFile) return await run();
    return (await this.#admission.inUploadTurn(run)) ?? lineFull(requestId);
  }

  async #answered(called: CalledVisit, route: ApiRoute): Promise<Response> {
    const { visit, context } = called;
    const body = await this.#body(visit, route);
    if (body instanceof Problem) return problemOf(body, visit.requestId);
    const raw = {
      params: context.req.param() as Record<string, string>,
      query: queryOf(new URL(visit.request.url)),
      ...body,
    };
    const act = () => this.#outcome(visit, route, raw);
    const done = async (): Promise<Response> =>
      isApiDeed(route) ? await tellDeed(visit, apiDeed(route, raw), act) : await act();
    return await this.#once(visit, { route, raw }, done);
  }

  /** With a key of the caller's, what is sent again is answered again and not done again. */
  async #once(
    visit: ApiVisit,
    { route, raw }: { readonly route: ApiRoute; readonly raw: RawCall },
    run: () => Promise<Response>,
  ): Promise<Response> {
    const { requestId, viewer } = visit;
    const key = visit.header(REPEAT_HEADER);
    if (key === '' || viewer === undefined || route.method === 'GET') return await run();
    if (key.length > REPEAT_KEY_CHARS_MAX) {
      const detail = `${REPEAT_HEADER} has at most ${REPEAT_KEY_CHARS_MAX} characters.`;
      return problemOf(new Problem('request-invalid', detail), requestId);
    }
    const { params, query, json, bytes } = raw;
    const answer = await this.#repeats.once(
      {
        key: digestOf(['api', String(viewer.memberId), route.name, key]),
        content: digestOf([JSON.stringify([params, query, json ?? null]), bytes]),
        isKept: ({ status }) => status < 400,
      },
      run,
    );
    const detail = `This ${REPEAT_HEADER} was for another call.`;
    return answer ?? problemOf(new Problem('conflict', detail), requestId);
  }

  async #outcome(visit: ApiVisit, route: ApiRoute, raw: RawCall): Promise<Response> {
    const answered = await route.run(visit, raw);
    if (answered instanceof Problem) return problemOf(answered, visit.requestId);
    if (answered instanceof Refusal) return refusalResponse(answered, visit.requestId);
    if (answered instanceof Response) return answered;
    if (!('json' in route.answer)) return new Response(null, { status: route.answer.status });
    const version = route.versionOf?.(answered);
    return jsonResponse(visit, route.answer.status, { value: answered, version });
  }

  async #body(
    visit: ApiVisit,
    route: ApiRoute,
  ): Promise<Pick<RawCall, 'json' | 'bytes'> | Problem> {
    const none = new Uint8Array();
    if (route.body === undefined) return { json: undefined, bytes: none };
    const wanted = 'json' in route.body ? 'application/json' : route.body.bytes;
    const type = visit.header('content-type').split(';')[0]?.trim().toLowerCase();
    const isWanted = wanted === 'image/*' ? type?.startsWith('image/') : type === wanted;
    if (isWanted !== true) return new Problem('type-unknown', `The body is to be ${wanted}.`);
    const { formBytesMax, torrentBytesMax, coverBytesMax } = this.#parts.config;
    const fileBytesMax = wanted === 'image/*' ? coverBytesMax : torrentBytesMax;
    const bytesMax = 'json' in route.body ? formBytesMax : fileBytesMax;
    const bytes = await readBytes(visit.request, bytesMax);
    if (bytes === undefined) {
      return new Problem('too-large', `At most ${bytesMax} bytes are taken here.`);
    }
    if (!('json' in route.body)) return { json: undefined, bytes };
    const json = parseJson(bytes);
    return json === undefined
      ? new Problem('request-invalid', 'The body is not JSON in UTF-8.')
      : { json, bytes: none };
  }
}

interface CalledVisit {
  readonly visit: ApiVisit;
  readonly caller: ApiCaller;
  readonly context: Context;
}

function lineFull(requestId: string): Response {
  return problemOf(new Problem('busy', 'Others are uploading. Send it again.'), requestId);
}

function problemOf(problem: Problem, requestId: string): Response {
  const { status } = PROBLEMS[problem.code];
  return problemResponse(problem, { status, requestId, errors: problem.errors });
}

/** What a GET answers is the same until it changes: then half of the bytes need not be sent. */
function jsonResponse(
  visit: ApiVisit,
  status: number,
  { value, version }: { readonly value: unknown; readonly version: string | undefined },
): Response {
  const text = JSON.stringify(value);
  const headers = { 'content-type': 'application/json' };
  const { method } = visit.request;
  if (method !== 'GET' && method !== 'HEAD') return new Response(text, { status, headers });
  const hash = createHash('sha256').update(text).digest('hex').slice(0, ETAG_CHARS);
  const etag = version === undefined ? `"${hash}"` : `"${version}.${hash}"`;
  const caching = { etag, 'cache-control': 'private, no-cache', vary: 'authorization, cookie' };
  const known = visit.header('if-none-match').split(',');
  if (known.some((one) => one.trim().replace(/^W\//, '') === etag)) {
    return new Response(null, { status: 304, headers: caching });
  }
  return new Response(text, { status, headers: { ...headers, ...caching } });
}

function queryOf(url: URL): Record<string, string | readonly string[]> {
  const query: Record<string, string | readonly string[]> = Object.create(null) as Record<
    string,
    string
  >;
  for (const name of new Set(url.searchParams.keys())) {
    const values = url.searchParams.getAll(name).map((value) => value.replaceAll('\0', ''));
    query[name] = values.length === 1 ? (values[0] ?? '') : values;
  }
  return { ...query };
}

/** Undefined when it is none. NUL is kept by no database. */
function parseJson(bytes: Uint8Array): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return JSON.parse(text, (name, value: unknown) => {
      if (typeof value !== 'string') return value;
      const whole = value.replaceAll('\0', '').toWellFormed();
      return isSecretField(name) ? whole : balanceDirections(whole);
    });
  } catch {
    return undefined;
  }
}
