// The OpenAPI 3.1 document of the routes: made from the same schemas by which requests are checked and
// answers are compared in tests. Schemas with an `id` stand once, under `components`.

import { z } from 'zod';
import { PERMISSIONS } from '#site/permissions.ts';
import {
  API_PREFIX,
  type ApiRoute,
  REPEAT_HEADER,
  REPEAT_KEPT_MS,
  REPEAT_KEY_CHARS_MAX,
} from './api-route.ts';
import { PROBLEM_TYPE, problemSchema } from './problem.ts';
import { STORE_PATHS } from './store-paths.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;
type Json = Record<string, unknown>;

const TAGS: Readonly<Record<ApiRoute['tag'] | 'store', string>> = {
  site: 'The API itself.',
  torrents: 'The catalogue, its files and its swarms.',
  uploads: 'New torrents.',
  archive: 'What the archive keeps.',
  me: "One's own account.",
  members: 'Members as members see them.',
  shares: 'Links for people without an account.',
  community: 'What members say and keep beside torrents.',
  console: 'For those who run the community.',
  store: 'Blobs by their hash; all of it is in docs/store-protocol.md.',
};

const INTRODUCTION = `Everything that the pages can do, for programs. Send \`Authorization: Bearer TOKEN\`; a token has scopes, which are permissions: ${Object.keys(PERMISSIONS).join(', ')}. Times are Unix milliseconds, sizes are bytes. Lists come in pages: \`nextCursor\` of one is the \`cursor\` of the next. What is refused is answered as RFC 9457 says, with a \`code\` for programs.`;

export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly info: JsonSchema;
  readonly servers: readonly JsonSchema[];
  readonly tags: readonly JsonSchema[];
  readonly security: readonly JsonSchema[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, JsonSchema>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    readonly securitySchemes: JsonSchema;
    readonly parameters: JsonSchema;
    readonly responses: JsonSchema;
  };
}

export function openApiDocument(routes: readonly ApiRoute[]): OpenApiDocument {
  const schemas = new Schemas();
  const paths: Record<string, Record<string, JsonSchema>> = {};
  for (const route of routes) {
    const path = API_PREFIX + route.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route, schemas) };
  }
  const problem = schemas.of(problemSchema, 'output');
  return {
    openapi: '3.1.0',
    info: {
      title: 'Swarmkeep',
      version: '1',
      description: INTRODUCTION,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'This site.' }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    security: [{ token: [] }, { session: [] }],
    paths: { ...paths, ...STORE_PATHS },
    components: {
      schemas: schemas.named(),
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description: 'Made on the site, under your name.',
        },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: 'swarmkeep',
          description:
            'Of a page of the site itself. What changes something needs `csrfToken` of `getMe` as the header `x-csrf-token`.',
        },
      },
      parameters: {
        IdempotencyKey: {
          name: REPEAT_HEADER,
          in: 'header',
          required: false,
          description: `A name of your own for this change, another for each. Sent again with it within ${REPEAT_KEPT_MS / 60_000} minutes, it is answered as before (\`idempotency-replayed: true\`) and not done again; what was refused is tried again. A restart of the server forgets it.`,
          schema: { type: 'string', maxLength: REPEAT_KEY_CHARS_MAX },
        },
        IfMatch: {
          name: 'if-match',
          in: 'header',
          required: false,
          description:
            'The `version` or the whole ETag of what was read. What somebody else changed since is not written over: 412, `changed-meanwhile`. Without it, whatever stands there is.',
          schema: { type: 'string', maxLength: 1000 },
        },
      },
      responses: {
        Problem: {
          description: 'It was not done; `code` says why.',
          content: { [PROBLEM_TYPE]: { schema: problem } },
        },
      },
    },
  };
}

function operationOf(route: ApiRoute, schemas: Schemas): JsonSchema {
  const { name, tag, summary, permission, params, query, body } = route;
  const by = route.sessionOnly === true ? ' By a session only.' : '';
  const needs =
    permission === 'anyone' ? 'Open to everybody.' : `Needs the permission \`${permission}\`.${by}`;
  const parameters = [
    ...parametersOf(params, { in: 'path', schemas }),
    ...parametersOf(query, { in: 'query', schemas }),
    ...(route.method === 'GET' ? [] : [{ $ref: '#/components/parameters/IdempotencyKey' }]),
    ...(route.matches === true ? [{ $ref: '#/components/parameters/IfMatch' }] : []),
  ];
  const security =
    permission === 'anyone'
      ? { security: [] }
      : route.sessionOnly === true
        ? { security: [{ session: [] }] }
        : {};
  return {
    operationId: name,
    tags: [tag],
    summary,
    description: needs,
    ...security,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: bodyOf(body, schemas) } }),
    responses: {
      [String(route.answer.status)]: answerOf(route, schemas),
      default: { $ref: '#/components/responses/Problem' },
    },
  };
}

function bodyOf(body: NonNullable<ApiRoute['body']>, schemas: Schemas): JsonSchema {
  return 'json' in body
    ? { 'application/json': { schema: schemas.of(body.json, 'input') } }
    : { [body.bytes]: {} };
}

function answerOf({ answer }: ApiRoute, schemas: Schemas): JsonSchema {
  if ('json' in answer) {
    const schema = schemas.of(answer.json, 'output');
    return { description: 'Done.', content: { 'application/json': { schema } } };
  }
  if ('bytes' in answer) return { description: 'The bytes.', content: { [answer.bytes]: {} } };
  return { description: 'Done; there is nothing to say.' };
}

function parametersOf(
  schema: z.ZodType | undefined,
  of: { readonly in: 'path' | 'query'; readonly schemas: Schemas },
): readonly JsonSchema[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = of.schemas.of(schema, 'input') as {
    readonly properties?: Readonly<Record<string, Json>>;
    readonly required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    ...{ name, in: of.in, required: of.in === 'path' || required.includes(name) },
    ...(description === undefined ? {} : { description }),
    schema: rest,
  }));
}

/** JSON Schemas of zod's, with what has an id put aside. */
class Schemas {
  readonly #named = new Map<string, JsonSchema>();

  of(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
    const {
      $schema: _,
      $defs = {},
      id,
      ...made
    } = z.toJSONSchema(schema, {
      io,
      // A list that nobody changes is no property that only the server writes.
      override: ({ jsonSchema }) => {
        delete jsonSchema.readOnly;
        delete jsonSchema.id;
        // Every whole number here is one that JSON's readers hold exactly.
        if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
        if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      },
    }) as Json & { readonly $defs?: Record<string, Json>; readonly id?: string };
    for (const [of, definition] of Object.entries($defs)) this.#name(of, definition);
    const name = schema.meta()?.id;
    if (name === undefined) return moved(made);
    if (!('$ref' in made)) this.#name(name, made);
    return { $ref: `#/components/schemas/${name}` };
  }

  named(): Readonly<Record<string, JsonSchema>> {
    const names = [...this.#named].toSorted(([one], [other]) => (one < other ? -1 : 1));
    return Object.fromEntries(names);
  }

  #name(name: string, definition: Json): void {
    const { id: _, ...rest } = definition;
    this.#named.set(name, moved(rest));
  }
}

/** Where components stand in the document. */
function moved(schema: Json): JsonSchema {
  const text = JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/');
  return JSON.parse(text) as JsonSchema;
}
