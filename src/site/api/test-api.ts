// For tests: a program that calls the API of a TestSite by the routes' names. Every answer is compared
// with its schema, with the JSON Schema of the OpenAPI document, and with what the document says of
// status and media type, so that a test of anything is a test of that as well.

import assert from 'node:assert/strict';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { addApiToken } from '#site/accounts/api-tokens.ts';
import type { Permission } from '#site/permissions.ts';
import { RoleBook } from '#site/roles/role-book.ts';
import type { TestPage, TestSite } from '#site/test-site.ts';
import { API_ROUTES } from './all-routes.ts';
import { API_PREFIX, type ApiRoute } from './api-route.ts';
import { openApiDocument } from './openapi.ts';
import { PROBLEM_TYPE, type ProblemBody, problemSchema } from './problem.ts';

export interface Sent {
  readonly params?: Readonly<Record<string, string | number>>;
  readonly query?: Readonly<Record<string, string | number>>;
  readonly json?: unknown;
  readonly bytes?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ApiAnswer {
  readonly status: number;
  /** Of JSON; undefined of anything else. */
  // biome-ignore lint/suspicious/noExplicitAny: tests read what the schemas were compared with.
  readonly json: any;
  readonly page: TestPage;
}

/** Everything that a member may. */
export const ALL_SCOPES: readonly Permission[] = [
  ...(['account', 'browse', 'download', 'upload', 'comment', 'invite', 'share'] as const),
];
export const STAFF_SCOPES: readonly Permission[] = [
  ...ALL_SCOPES,
  ...(['store', 'moderate', 'administer'] as const),
];

const document = openApiDocument(API_ROUTES);
const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
ajv.addSchema({ $id: 'document', components: document.components });
const validators = new Map<string, ValidateFunction>();

/** A token for a member, as the command line makes one. */
export async function tokenFor(
  site: TestSite,
  member: string,
  scopes: readonly Permission[] = ALL_SCOPES,
): Promise<string> {
  const roles = await new RoleBook(site.world).current();
  const made = await addApiToken(site.world, roles, { member, label: 'test', scopes });
  assert.ok('token' in made, `no token for ${member}: ${JSON.stringify(made)}`);
  return made.token;
}

export class TestApi {
  readonly #site: TestSite;
  readonly #token: string | undefined;
  readonly called = new Set<string>();

  constructor(site: TestSite, token?: string) {
    this.#site = site;
    this.#token = token;
  }

  static async of(
    site: TestSite,
    member: string,
    scopes?: readonly Permission[],
  ): Promise<TestApi> {
    return new TestApi(site, await tokenFor(site, member, scopes));
  }

  /** Calls, and asserts that it was done. */
  async do(name: string, sent: Sent = {}): Promise<ApiAnswer> {
    const answer = await this.call(name, sent);
    const { status } = routeOf(name).answer;
    assert.equal(answer.status, status, `${name}: ${answer.page.text.slice(0, 1000)}`);
    return answer;
  }

  /** Calls, and asserts that it was refused with that code. */
  async refused(name: string, code: string, sent: Sent = {}): Promise<ProblemBody> {
    const { json, page } = await this.call(name, sent);
    assert.equal(json?.code, code, `${name}: ${page.status} ${page.text.slice(0, 1000)}`);
    return json as ProblemBody;
  }

  async call(name: string, sent: Sent = {}): Promise<ApiAnswer> {
    const route = routeOf(name);
    this.called.add(name);
    const path = route.path.replaceAll(/:(\w+)/g, (_, param: string) =>
      encodeURIComponent(String(sent.params?.[param] ?? '')),
    );
    const query = new URLSearchParams(
      Object.entries(sent.query ?? {}).map(([key, value]): [string, string] => [
        key,
        String(value),
      ]),
    );
    const url = `${API_PREFIX}${path}${query.size === 0 ? '' : `?${query}`}`;
    const page = await this.raw(route.method, url, sent);
    return { status: page.status, page, json: compared(route, page) };
  }

  async raw(method: string, path: string, sent: Sent = {}): Promise<TestPage> {
    const headers: Record<string, string> = {
      ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
      ...(sent.json === undefined ? {} : { 'content-type': 'application/json' }),
      ...(sent.bytes === undefined ? {} : { 'content-type': 'application/x-bittorrent' }),
      ...sent.headers,
    };
    const body =
      sent.json === undefined
        ? sent.bytes && new Uint8Array(sent.bytes)
        : JSON.stringify(sent.json);
    const init = { method, headers, ...(body === undefined ? {} : { body }) };
    return await this.#site.browser().send(new Request(`http://127.0.0.1:8080${path}`, init));
  }
}

export function routeOf(name: string): ApiRoute {
  const route = API_ROUTES.find((one) => one.name === name);
  assert.ok(route !== undefined, `there is no route ${name}`);
  return route;
}

/** The answer's JSON, which is as described. */
export function compared(route: ApiRoute, page: Pick<TestPage, 'status' | 'text' | 'headers'>) {
  const { status, text, headers } = page;
  const what = `${route.name} ${status}: ${text.slice(0, 2000)}`;
  const type = headers.get('content-type') ?? '';
  if (status >= 400) {
    assert.equal(type, PROBLEM_TYPE, what);
    const problem = problemSchema.parse(JSON.parse(text));
    assert.equal(problem.status, status, what);
    valid('#/components/schemas/Problem', problem, what);
    return problem;
  }
  if (status === 206 || status === 304) return undefined;
  const { answer } = route;
  assert.equal(status, answer.status, what);
  if (!('json' in answer)) {
    if (!('bytes' in answer)) assert.equal(text, '', what);
    return undefined;
  }
  assert.equal(type, 'application/json', what);
  const json: unknown = JSON.parse(text);
  const checked = answer.json.safeParse(json);
  assert.ok(checked.success, `${what}\n${checked.error?.message}`);
  const path = (API_PREFIX + route.path.replaceAll(/:(\w+)/g, '{$1}'))
    .replaceAll('~', '~0')
    .replaceAll('/', '~1');
  const method = route.method.toLowerCase();
  const place = `/paths/${path}/${method}/responses/${status}/content/application~1json/schema`;
  valid(`#${place}`, json, what);
  return json;
}

function valid(place: string, value: unknown, what: string): void {
  let validate = validators.get(place);
  if (validate === undefined) {
    const schema = at(place);
    // References lead into the document's components.
    const text = JSON.stringify(schema).replaceAll('"#/components', '"document#/components');
    validate = ajv.compile(JSON.parse(text) as object);
    validators.set(place, validate);
  }
  assert.ok(validate(value), `${what}\n${ajv.errorsText(validate.errors)}`);
}

function at(place: string): unknown {
  let found: unknown = document;
  for (const part of place.slice(2).split('/')) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    found = (found as Record<string, unknown> | undefined)?.[name];
  }
  assert.ok(found !== undefined, `the document has nothing at ${place}`);
  return found;
}
