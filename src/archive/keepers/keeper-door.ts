// The address under which keepers ask the server, by HTTP: `/api/keeper/…` (docs/keepers.md). Who asks is
// known by a bearer token, never by a cookie.

import type { ZodType } from 'zod';
import { messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import type { Sql } from '#sql/sql.ts';
import { type Keeper, keeperOfToken } from './keeper-book.ts';
import type { KeeperDesk } from './keeper-desk.ts';
import {
  BLOB_BYTES_MAX,
  KEEPER_PATH,
  offerSchema,
  proofSchema,
  reportSchema,
} from './keeper-work.ts';

const JSON_BYTES_MAX = 4096;
const COPY = /^\/copies\/([1-9][0-9]{0,15})(?:\/(proof)|\/blobs\/([0-9]{1,7}))?$/;

export interface KeeperDoorWorld {
  readonly sql: Sql;
  readonly logger: Logger;
  readonly desk: KeeperDesk;
}

/** Undefined when the address is none of the keepers'. */
export async function answerKeeper(
  world: KeeperDoorWorld,
  request: Request,
): Promise<Response | undefined> {
  const { pathname } = new URL(request.url);
  if (pathname !== KEEPER_PATH && !pathname.startsWith(`${KEEPER_PATH}/`)) return undefined;
  const token = /^Bearer +([^\s]+)$/i.exec(request.headers.get('authorization') ?? '')?.[1] ?? '';
  const keeper = await keeperOfToken(world.sql, token);
  if (keeper === undefined) return answer(401, { error: "A keeper's token is wanted" });
  try {
    return await answerTo(world, keeper, { request, path: pathname.slice(KEEPER_PATH.length) });
  } catch (error) {
    world.logger.error('A keeper could not be answered', {
      ...{ keeper: keeper.name, error: messageOf(error) },
    });
    return answer(503, { error: 'The server failed' });
  }
}

async function answerTo(
  { desk }: KeeperDoorWorld,
  keeper: Keeper,
  { request, path }: { readonly request: Request; readonly path: string },
): Promise<Response> {
  const { method } = request;
  if (path === '/work' && method === 'POST') {
    const offer = await bodyOf(request, offerSchema);
    if (offer === undefined) return answer(400, { error: 'An offer is wanted' });
    return answer(200, await desk.work(keeper, offer, request.signal));
  }
  const [match, digits, proof, blob] = COPY.exec(path) ?? [];
  if (match === undefined) return answer(404, { error: 'There is nothing here' });
  const copy = Number(digits);
  if (blob !== undefined)
    return await answerBlob(desk, keeper, { request, copy, number: Number(blob) });
  if (method !== 'POST') return answer(405, { error: 'Only POST' });
  if (proof !== undefined) {
    const given = await bodyOf(request, proofSchema);
    if (given === undefined) return answer(400, { error: 'A proof is wanted' });
    return answer(200, { accepted: await desk.prove(keeper, copy, given.proof) });
  }
  const report = await bodyOf(request, reportSchema);
  if (report === undefined) return answer(400, { error: 'A state is wanted' });
  await desk.report(keeper, copy, report.state);
  return answer(200, {});
}

async function answerBlob(
  desk: KeeperDesk,
  keeper: Keeper,
  at: { readonly request: Request; readonly copy: number; readonly number: number },
): Promise<Response> {
  const { request, copy, number } = at;
  if (request.method === 'PUT') {
    // Nobody has this server read what it did not ask for.
    if (!desk.isAsked(keeper, copy, number)) return answer(200, {});
    const bytes = await bytesOf(request, BLOB_BYTES_MAX);
    if (bytes === undefined) return answer(413, { error: 'A blob is not that large' });
    await desk.given(keeper, { copy, number, bytes });
    return answer(200, {});
  }
  if (request.method !== 'GET') return answer(405, { error: 'Only GET and PUT' });
  const bytes = await desk.blob(keeper, copy, number);
  if (bytes === undefined) return answer(404, { error: 'This is not given' });
  return new Response(bytes as Uint8Array<ArrayBuffer>, {
    headers: { 'content-type': 'application/octet-stream', 'cache-control': 'no-store' },
  });
}

function answer(status: number, value: unknown): Response {
  const headers = {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
  };
  return new Response(`${JSON.stringify(value)}\n`, { status, headers });
}

async function bodyOf<Body>(request: Request, schema: ZodType<Body>): Promise<Body | undefined> {
  const bytes = await bytesOf(request, JSON_BYTES_MAX);
  if (bytes === undefined) return undefined;
  try {
    const parsed = schema.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8')));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** Undefined when they are too many; what is too much is not read. */
async function bytesOf(request: Request, bytesMax: number): Promise<Uint8Array | undefined> {
  if (request.body === null) return new Uint8Array();
  const parts: Uint8Array[] = [];
  let total = 0;
  for await (const part of request.body) {
    total += part.length;
    if (total > bytesMax) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts, total);
}
