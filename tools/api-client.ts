// Writes the typed TypeScript client from the OpenAPI document: a type for each component, a method for
// each operation. Ours, because it is this short: the known generators need an older compiler than the
// one that this project builds with, and bring ten packages.

import { API_ROUTES } from '#site/api/all-routes.ts';
import { type JsonSchema, type OpenApiDocument, openApiDocument } from '#site/api/openapi.ts';

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
}

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly required: boolean;
  readonly schema: JsonSchema;
}

type Content = Readonly<Record<string, { readonly schema?: JsonSchema }>>;

export function apiClient(madeBy: string): string {
  const document = openApiDocument(API_ROUTES);
  const types = Object.entries(document.components.schemas).map(
    ([name, schema]) => `export type ${name} = ${typeOf(schema, 0)};`,
  );
  return `${HEAD.replace('MADE_BY', madeBy)}
${types.join('\n\n')}

export class Swarmkeep extends Caller {
${methods(document).join('\n\n')}
}
`;
}

function methods({ paths }: OpenApiDocument): string[] {
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) =>
      methodOf(path, method, operation as unknown as Operation),
    ),
  );
}

function methodOf(path: string, method: string, operation: Operation): string {
  const { operationId, summary, description, parameters = [], requestBody, responses } = operation;
  const inPath = parameters.filter((one) => one.in === 'path');
  const inQuery = parameters.filter((one) => one.in === 'query');
  const body = Object.entries(requestBody?.content ?? {})[0];
  const bodyType =
    body?.[0] === 'application/json' ? typeOf(body[1].schema ?? {}, 1) : 'Uint8Array';
  const isQueryNeeded = inQuery.some((one) => one.required);
  const query = inQuery.map(({ name, required, schema }) => {
    return `    readonly ${key(name)}${required ? '' : '?'}: ${typeOf(schema, 2)};`;
  });
  const args = [
    ...inPath.map(({ name }) => `${name}: string | number`),
    ...(body === undefined ? [] : [`body: ${bodyType}`]),
    ...(query.length === 0
      ? []
      : [`query: {\n${query.join('\n')}\n  }${isQueryNeeded ? '' : ' = {}'}`]),
  ];
  const [status, done] = Object.entries(responses).find(([one]) => one !== 'default') ?? ['', {}];
  const content = Object.entries(done.content ?? {})[0];
  const isJson = content?.[0] === 'application/json' && content[1].schema !== undefined;
  const result = isJson
    ? typeOf(content[1].schema ?? {}, 1)
    : content === undefined
      ? 'void'
      : 'Response';
  const place = path.replaceAll(
    /\{(\w+)\}/g,
    (_, name: string) => `\${encodeURIComponent(${name})}`,
  );
  const sent = [
    ...(query.length === 0 ? [] : ['query']),
    ...(body === undefined ? [] : [`type: '${body[0]}'`, 'body']),
  ];
  const call = `'${method.toUpperCase()}', \`${place}\`${sent.length === 0 ? '' : `, { ${sent.join(', ')} }`}`;
  const act = isJson
    ? `return (await this.json(${call})) as ${result};`
    : result === 'void'
      ? `await this.call(${call});`
      : `return await this.call(${call});`;
  return `  /** ${summary} ${description} Answers ${status}. */
  async ${operationId}(${args.join(', ')}): Promise<${result}> {
    ${act}
  }`;
}

function key(name: string): string {
  return /^[A-Za-z_]\w*$/.test(name) ? name : `'${name}'`;
}

/** A JSON Schema as a TypeScript type; `depth` is how far it stands indented. */
function typeOf(schema: JsonSchema, depth: number): string {
  const {
    $ref,
    enum: values,
    const: value,
    anyOf,
    type,
  } = schema as {
    readonly $ref?: string;
    readonly enum?: readonly unknown[];
    readonly const?: unknown;
    readonly anyOf?: readonly JsonSchema[];
    readonly type?: string | readonly string[];
  };
  if ($ref !== undefined) return $ref.split('/').at(-1) ?? 'unknown';
  if (values !== undefined) return values.map((one) => literal(one)).join(' | ');
  if (value !== undefined) return literal(value);
  if (anyOf !== undefined) return [...new Set(anyOf.map((one) => typeOf(one, depth)))].join(' | ');
  if (Array.isArray(type))
    return type.map((one) => typeOf({ ...schema, type: one }, depth)).join(' | ');
  switch (type) {
    case 'string':
    case 'boolean':
    case 'null':
      return String(type);
    case 'integer':
    case 'number':
      return 'number';
    case 'array': {
      const item = typeOf((schema['items'] ?? {}) as JsonSchema, depth);
      return `readonly ${item.includes(' | ') ? `(${item})` : item}[]`;
    }
    case 'object':
      return objectType(schema, depth);
    default:
      return 'unknown';
  }
}

function objectType(schema: JsonSchema, depth: number): string {
  const {
    properties,
    required = [],
    additionalProperties,
  } = schema as {
    readonly properties?: Readonly<Record<string, JsonSchema>>;
    readonly required?: readonly string[];
    readonly additionalProperties?: JsonSchema | false;
  };
  if (properties === undefined) {
    const rest =
      typeof additionalProperties === 'object' ? typeOf(additionalProperties, depth) : 'unknown';
    return `Readonly<Record<string, ${rest}>>`;
  }
  const indent = '  '.repeat(depth + 1);
  const fields = Object.entries(properties).map(([name, of]) => {
    const words = of['description'];
    const comment = typeof words === 'string' ? `${indent}/** ${words} */\n` : '';
    const mark = required.includes(name) ? '' : '?';
    return `${comment}${indent}readonly ${key(name)}${mark}: ${typeOf(of, depth + 1)};`;
  });
  return `{\n${fields.join('\n')}\n${'  '.repeat(depth)}}`;
}

function literal(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : String(value);
}

const HEAD = `// A client of Swarmkeep's API for Node, browsers, Deno and Bun: one file, of fetch alone.
// MADE_BY
//
//   const swarmkeep = new Swarmkeep({ url: 'https://swarm.example.org', token: '...' });
//   for await (const torrent of pages((cursor) => swarmkeep.listTorrents({ q: 'rain', ...cursor })))
//     console.log(torrent.title);

export interface SwarmkeepOptions {
  /** Of the site, without a path. */
  readonly url: string;
  /** Made on the site, under your name, with the scopes that it needs. */
  readonly token?: string;
  /** The global one unless given. */
  readonly fetch?: typeof globalThis.fetch;
}

/** What was refused, by its \`code\`. */
export class SwarmkeepProblem extends Error {
  readonly status: number;
  readonly code: string;
  /** Which fields are wrong. */
  readonly errors: Problem['errors'];

  constructor(status: number, problem: Partial<Problem>) {
    super(problem.detail ?? problem.title ?? \`The server answered \${status}\`);
    this.name = 'SwarmkeepProblem';
    this.status = status;
    this.code = problem.code ?? 'failed';
    this.errors = problem.errors ?? [];
  }
}

/** Every item of a list, page after page. */
export async function* pages<Item>(
  page: (cursor: { readonly cursor?: string }) => Promise<{
    readonly items: readonly Item[];
    readonly nextCursor: string | null;
  }>,
): AsyncGenerator<Item> {
  let cursor: { readonly cursor?: string } = {};
  for (;;) {
    const { items, nextCursor } = await page(cursor);
    yield* items;
    if (nextCursor === null) return;
    cursor = { cursor: nextCursor };
  }
}

/** The name of bytes in the store: \`putBlob(await blobRef(bytes), bytes)\`. */
export async function blobRef(bytes: Uint8Array): Promise<string> {
  const hash = await crypto.subtle.digest('SHA-256', new Uint8Array(bytes));
  const hex = Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0'));
  return \`sha256-\${hex.join('')}\`;
}

interface Sent {
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly type?: string;
  readonly body?: unknown;
}

class Caller {
  readonly #options: SwarmkeepOptions;

  constructor(options: SwarmkeepOptions) {
    this.#options = options;
  }

  /** @throws SwarmkeepProblem when it was refused; whatever fetch throws when nobody answered. */
  protected async call(method: string, path: string, sent: Sent = {}): Promise<Response> {
    const { url, token, fetch = globalThis.fetch } = this.#options;
    const target = new URL(path, url);
    for (const [name, value] of Object.entries(sent.query ?? {})) {
      if (value !== undefined) target.searchParams.set(name, String(value));
    }
    const headers = new Headers();
    if (token !== undefined) headers.set('authorization', \`Bearer \${token}\`);
    if (sent.type !== undefined) headers.set('content-type', sent.type);
    const { body } = sent;
    const response = await fetch(target, {
      method,
      headers,
      ...(body === undefined
        ? {}
        : { body: body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body) }),
    });
    if (response.ok) return response;
    const text = await response.text();
    throw new SwarmkeepProblem(response.status, problemOf(text));
  }

  protected async json(method: string, path: string, sent?: Sent): Promise<unknown> {
    return await (await this.call(method, path, sent)).json();
  }
}

/** The site's own words, or the store's. */
function problemOf(text: string): Partial<Problem> {
  try {
    const said = JSON.parse(text) as Partial<Problem> & {
      readonly error?: { readonly code: string; readonly message: string };
    };
    return said.error === undefined ? said : { code: said.error.code, detail: said.error.message };
  } catch {
    return {};
  }
}
`;
