// What the API answers when it does not do what was asked: RFC 9457, with a code that programs go by.
// Codes of this list say why a request was not taken at all; what a model refuses keeps the model's own
// code (`title-invalid`), and a failure of the server its error code (`SQL_BUSY`).

import { z } from 'zod';
import type { Refusal } from '#site/refusal.ts';
import { CHANGED_MEANWHILE } from '#site/shown.ts';

export const PROBLEM_TYPE = 'application/problem+json';

interface ProblemWords {
  readonly status: number;
  readonly title: string;
  /** What it means and what to do; printed in docs/api.md's list. */
  readonly meaning: string;
}

export const PROBLEMS = {
  'request-invalid': {
    status: 400,
    title: 'The request is not as described',
    meaning: '`errors` names each field of path, query or body that differs from its schema.',
  },
  'signed-out': {
    status: 401,
    title: 'Nobody is signed in',
    meaning:
      'Send `Authorization: Bearer TOKEN` with a token that is good, or a session of a page.',
  },
  forbidden: {
    status: 403,
    title: 'This is not open to you',
    meaning: 'The member may not do this; `detail` says why where there is more to say.',
  },
  'scope-missing': {
    status: 403,
    title: 'The token was not made for this',
    meaning: 'The member may, the token may not: make one with the scope that `detail` names.',
  },
  'session-only': {
    status: 403,
    title: 'Tokens cannot do this',
    meaning:
      'Passwords, sessions and tokens are changed from a session, so that no token outlives one.',
  },
  'cross-site': {
    status: 403,
    title: 'This came from another site',
    meaning:
      'A session counts for pages of the site itself, and changes need the header `x-csrf-token`.',
  },
  'not-found': {
    status: 404,
    title: 'There is nothing here',
    meaning: 'No such path, or what the path names is not there (any more).',
  },
  'method-unknown': {
    status: 405,
    title: 'That is not how this works',
    meaning: '`allow` names the methods that this path takes.',
  },
  conflict: {
    status: 409,
    title: 'It is there already',
    meaning: '`detail` names what stands in the way.',
  },
  'too-large': {
    status: 413,
    title: 'This is too large',
    meaning: 'Nothing was read beyond the bound of `site.formBytesMax` or `site.torrentBytesMax`.',
  },
  'type-unknown': {
    status: 415,
    title: 'The body is of another type',
    meaning: '`detail` names the type that is taken.',
  },
  'too-many': {
    status: 429,
    title: 'Too many requests',
    meaning: 'More than `site.apiCallsPerMinute`, or too many attempts; `retry-after` has seconds.',
  },
  failed: {
    status: 500,
    title: 'Something went wrong here',
    meaning: 'It is written down for the operator under `requestId`.',
  },
  busy: {
    status: 503,
    title: 'Too much is going on right now',
    meaning: 'Nothing was changed; ask again after `retry-after` seconds.',
  },
} as const satisfies Record<string, ProblemWords>;

export type ProblemCode = keyof typeof PROBLEMS;

export const problemSchema = z
  .strictObject({
    type: z.string().describe('Where the code is explained, below the site.'),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe('What is wrong and what would be right, for people.'),
    code: z.string().describe('For programs.'),
    requestId: z.string().describe('By which the operator finds it in the log.'),
    errors: z
      .array(
        z.strictObject({
          in: z.enum(['path', 'query', 'body']),
          field: z.string().describe('Names joined by dots; empty for all of it.'),
          detail: z.string(),
        }),
      )
      .readonly()
      .describe('Which fields are wrong; empty when it is not about a field.'),
  })
  .meta({ id: 'Problem' });

export type ProblemBody = z.output<typeof problemSchema>;
export type FieldError = ProblemBody['errors'][number];

/** A route's own "no". */
export class Problem {
  readonly code: ProblemCode;
  readonly detail: string;
  readonly errors: readonly FieldError[];

  constructor(code: ProblemCode, detail: string, errors: readonly FieldError[] = []) {
    this.code = code;
    this.detail = detail;
    this.errors = errors;
  }
}

export function problemResponse(
  problem: { readonly code: string; readonly detail: string; readonly title?: string },
  of: {
    readonly requestId: string;
    readonly status: number;
    readonly errors?: readonly FieldError[];
  },
): Response {
  const { code, detail } = problem;
  const { status, requestId, errors = [] } = of;
  const known = Object.hasOwn(PROBLEMS, code) ? PROBLEMS[code as ProblemCode] : undefined;
  const title = problem.title ?? known?.title ?? 'This was refused';
  const type = `/docs/generated/api#${known === undefined ? 'refused' : code}`;
  const body: ProblemBody = { type, title, status, detail, code, requestId, errors };
  const response = new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': PROBLEM_TYPE },
  });
  if (status === 401) response.headers.set('www-authenticate', 'Bearer');
  if (status === 503) response.headers.set('retry-after', '5');
  return response;
}

/** A model's refusals that are not about what was sent but about what is there. */
const REFUSAL_STATUS: Readonly<Record<string, number>> = {
  [CHANGED_MEANWHILE]: 412,
  'member-unknown': 404,
  'torrent-unknown': 404,
  'torrent-removed': 409,
  'invites-full': 409,
  'shares-full': 409,
  'name-taken': 409,
  'last-admin': 409,
  'points-missing': 409,
  'token-missing': 409,
};

export function refusalResponse(refusal: Refusal, requestId: string): Response {
  const { code, message, field } = refusal;
  const errors = field === undefined ? [] : [{ in: 'body' as const, field, detail: message }];
  const status = REFUSAL_STATUS[code] ?? 422;
  return problemResponse({ code, detail: message }, { requestId, status, errors });
}
