// A route of the API: one description from which requests are checked, the OpenAPI document and the
// clients are made, and answers are compared in tests. The handler behind it calls the models that the
// pages call.

import { z } from 'zod';
import type { Method as PageMethod, Permission } from '#site/permissions.ts';
import type { Refusal } from '#site/refusal.ts';
import type { RouteName } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import { type FieldError, Problem } from './problem.ts';

export const API_PREFIX = '/api/v1';
/** What a caller names a change by, to send it again when its answer got lost. */
export const REPEAT_HEADER = 'idempotency-key';
export const REPEAT_KEY_CHARS_MAX = 128;
export const REPEAT_KEPT_MS = 600_000;

export type ApiMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** As the OpenAPI document groups them. */
export type ApiTag =
  | 'site'
  | 'torrents'
  | 'uploads'
  | 'archive'
  | 'me'
  | 'members'
  | 'shares'
  | 'community'
  | 'console';

/** A page's deed that this route does too: `POST upload`. */
export type PageDeed = `${PageMethod} ${RouteName}`;

/** What a route answers when it did what was asked. */
export type AnswerDescription<Json extends z.ZodType> =
  | { readonly status: 200 | 201; readonly json: Json }
  /** Bytes of this media type, made elsewhere. */
  | { readonly status: 200; readonly bytes: string }
  | { readonly status: 204 };

export type BodyDescription<Json extends z.ZodType> =
  | { readonly json: Json }
  /** A .torrent file, bounded by `site.torrentBytesMax`. */
  | { readonly bytes: 'application/x-bittorrent' }
  /** A picture of whatever kind, bounded by `site.coverBytesMax`. */
  | { readonly bytes: 'image/*' };

export interface RouteWords {
  /** By which programs call it: `listTorrents`. */
  readonly name: string;
  readonly method: ApiMethod;
  /** Below API_PREFIX, parameters as `:hash`. */
  readonly path: string;
  readonly tag: ApiTag;
  /** A sentence. */
  readonly summary: string;
  readonly permission: Permission;
  /** Not by tokens: what a token could make itself stronger or longer by. */
  readonly sessionOnly?: true;
  /** Takes a torrent file apart, one at a time. */
  readonly parses?: true;
  /** What pages do the same. */
  readonly pages: readonly PageDeed[];
  /** It takes `If-Match`: what was changed since the caller read it is not written over. */
  readonly matches?: true;
}

export interface RouteDescription<
  Params extends z.ZodType,
  Query extends z.ZodType,
  Body extends z.ZodType,
  Json extends z.ZodType,
> extends RouteWords {
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: BodyDescription<Body>;
  readonly answer: AnswerDescription<Json>;
  /** Of what can be changed in an answer; its ETag begins with it. */
  readonly version?: (answer: z.input<Json>) => string;
}

export interface Call<Params, Query, Body> {
  /** Who asks and what the site is made of; its `error` and `notFound` answer with problems. */
  readonly visit: Visit;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** Of a route that takes bytes; empty else. */
  readonly bytes: Uint8Array;
}

/** A value of the answer's schema, a model's refusal, a problem, or an answer that is ready. */
export type Answered<Json> = Json | Refusal | Problem | Response;

export interface RawCall {
  readonly params: Readonly<Record<string, string>>;
  /** Repeated names have all their values. */
  readonly query: Readonly<Record<string, string | readonly string[]>>;
  readonly json: unknown;
  readonly bytes: Uint8Array;
}

/** What the door knows of a route, whatever its types. */
export interface ApiRoute extends RouteWords {
  readonly params: z.ZodType | undefined;
  readonly query: z.ZodType | undefined;
  readonly body: BodyDescription<z.ZodType> | undefined;
  readonly answer: AnswerDescription<z.ZodType>;
  readonly versionOf: ((answer: unknown) => string) | undefined;
  /** Checks what was sent, and does it. */
  readonly run: (visit: Visit, raw: RawCall) => Promise<Answered<unknown>>;
}

export function apiRoute<
  Params extends z.ZodType,
  Query extends z.ZodType,
  Body extends z.ZodType,
  Json extends z.ZodType,
>(
  description: RouteDescription<Params, Query, Body, Json>,
  handle: (
    call: Call<z.output<Params>, z.output<Query>, z.output<Body>>,
  ) => Promise<Answered<z.input<Json> | undefined>>,
): ApiRoute {
  const { params, query, body, version, ...words } = description;
  const bodySchema = body !== undefined && 'json' in body ? body.json : undefined;
  return {
    ...words,
    ...{ params, query, body },
    versionOf: version as ((answer: unknown) => string) | undefined,
    async run(visit, raw) {
      const errors: FieldError[] = [];
      const call = {
        visit,
        params: checked(params, raw.params, { in: 'path', errors }) as z.output<Params>,
        query: checked(query, raw.query, { in: 'query', errors }) as z.output<Query>,
        body: checked(bodySchema, raw.json, { in: 'body', errors }) as z.output<Body>,
        bytes: raw.bytes,
      };
      if (errors.length > 0) {
        const first = errors[0]!;
        const where = first.field === '' ? first.in : `${first.in} ${first.field}`;
        return new Problem('request-invalid', `${where}: ${first.detail}`, errors);
      }
      return await handle(call);
    },
  };
}

function checked(
  schema: z.ZodType | undefined,
  value: unknown,
  { in: where, errors }: { readonly in: FieldError['in']; readonly errors: FieldError[] },
): unknown {
  if (schema === undefined) return undefined;
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) {
    errors.push({ in: where, field: issue.path.join('.'), detail: issue.message });
  }
  return undefined;
}

/** Answers hold lists that nobody changes. */
export function list<Item extends z.ZodType>(item: Item): z.ZodReadonly<z.ZodArray<Item>> {
  return z.array(item).readonly();
}
