// Requests: what members look for, and what is offered for it.

import { z } from 'zod';
import { toHex } from '#base/bytes.ts';
import { memberNames } from '#site/accounts/members.ts';
import { apiRoute } from '#site/api/api-route.ts';
import { cutPage, edge, numberPageQuery, pageOf } from '#site/api/paging.ts';
import { Problem } from '#site/api/problem.ts';
import { findTorrent } from '#site/catalogue/find-torrent.ts';
import { Refusal } from '#site/refusal.ts';
import { decideOffer, isTheirs, offer, withdraw } from '#site/requests/request-pages.ts';
import {
  addBounty,
  addRequest,
  findRequest,
  listRequests,
  offerVersion,
  REQUEST_STATES,
  type Request,
} from '#site/requests/requests.ts';
import type { Visit } from '#site/visit.ts';
import { hashParams, idParams, infoHash, memberNameSchema, time, version } from './shapes.ts';

const ORDER_BYTES = 12;

const requestSchema = z
  .strictObject({
    id: z.int(),
    member: memberNameSchema,
    title: z.string(),
    description: z.string().describe('Markdown.'),
    state: z.enum(REQUEST_STATES),
    createdMs: time,
    closedMs: time.nullable(),
    milliPoints: z.int().describe('What waits with it, or was paid, in thousandths of a point.'),
    hasOffer: z.boolean(),
    version: version.describe('Of what is offered: `If-Match` of a decision.'),
  })
  .meta({ id: 'Request' });

function requestOf(one: Request, names: ReadonlyMap<number, string>) {
  const { id, memberId, title, description, state, createdMs, milliPoints } = one;
  return {
    ...{ id, member: { memberId, name: names.get(memberId) ?? null }, title, description, state },
    ...{ createdMs, closedMs: one.closedMs ?? null, milliPoints },
    hasOffer: one.torrentId !== undefined,
    version: offerVersion(one),
  };
}

const listRoute = apiRoute(
  {
    name: 'listRequests',
    method: 'GET',
    path: '/requests',
    tag: 'community',
    summary: 'What members look for, newest first.',
    permission: 'browse',
    pages: ['GET requests'],
    query: numberPageQuery.extend({ state: z.enum(REQUEST_STATES).default('open') }),
    answer: { status: 200, json: pageOf(requestSchema) },
  },
  async ({ visit, query: { state, cursor, limit } }) => {
    const { sql } = visit.parts;
    const asked = { state, limit: limit + 1, ...edge('before', cursor) };
    const found = await listRequests(sql, asked);
    const names = await memberNames(
      sql,
      found.map((one) => one.memberId),
    );
    const item = (one: Request) => requestOf(one, names);
    return cutPage(found, limit, { item, cursor: (one) => one.id });
  },
);

async function requestHere(visit: Visit, id: string): Promise<Request | Problem> {
  const request = await findRequest(visit.parts.sql, Number(id));
  return request ?? new Problem('not-found', 'There is no such request.');
}

async function ownRequest(visit: Visit, id: string): Promise<Request | Problem> {
  const request = await requestHere(visit, id);
  if (request instanceof Problem || isTheirs(visit, request)) return request;
  return new Problem('forbidden', 'Whoever asked decides, or the staff.');
}

const getRoute = apiRoute(
  {
    name: 'getRequest',
    method: 'GET',
    path: '/requests/:id',
    tag: 'community',
    summary: 'One request, with the torrent that is offered for it.',
    permission: 'browse',
    pages: ['GET request'],
    params: idParams,
    answer: {
      status: 200,
      json: z.strictObject({
        request: requestSchema,
        offered: z.strictObject({ infoHash, title: z.string() }).nullable(),
      }),
    },
  },
  async ({ visit, params }) => {
    const request = await requestHere(visit, params.id);
    if (request instanceof Problem) return request;
    const { sql } = visit.parts;
    const { torrentId } = request;
    const torrent = torrentId === undefined ? undefined : await findTorrent(sql, torrentId);
    return {
      request: requestOf(request, await memberNames(sql, [request.memberId])),
      offered: torrent === undefined ? null : { infoHash: torrent.infoHash, title: torrent.title },
    };
  },
);

const addRoute = apiRoute(
  {
    name: 'addRequest',
    method: 'POST',
    path: '/requests',
    tag: 'community',
    summary: 'Ask for something.',
    permission: 'comment',
    pages: ['GET requestNew', 'POST requestNew'],
    body: {
      json: z.strictObject({
        title: z.string(),
        description: z.string().default('').describe('Markdown.'),
      }),
    },
    answer: { status: 201, json: z.strictObject({ id: z.int() }) },
  },
  async ({ visit, body }) => {
    const made = await addRequest(visit.parts, { memberId: visit.signedIn().memberId, ...body });
    return made instanceof Refusal ? made : { id: made };
  },
);

const bountyRoute = apiRoute(
  {
    name: 'addBounty',
    method: 'POST',
    path: '/requests/:id/bounty',
    tag: 'community',
    summary: 'Put bonus points in, for whoever brings it.',
    permission: 'comment',
    pages: ['POST request'],
    params: idParams,
    body: { json: z.strictObject({ points: z.int().min(1) }) },
    answer: { status: 204 },
  },
  async ({ visit, params, body }) => {
    const request = await requestHere(visit, params.id);
    if (request instanceof Problem) return request;
    return await addBounty(visit.parts, {
      ...{ requestId: request.id, memberId: visit.signedIn().memberId, points: body.points },
      order: toHex(visit.parts.random.bytes(ORDER_BYTES)),
    });
  },
);

const offerRoute = apiRoute(
  {
    name: 'offerTorrent',
    method: 'PUT',
    path: '/requests/:id/offer',
    tag: 'community',
    summary: 'Offer a torrent for a request; whoever asked is told.',
    permission: 'comment',
    pages: ['POST request'],
    params: idParams,
    body: { json: z.strictObject({ infoHash: hashParams.shape.hash }) },
    answer: { status: 204 },
  },
  async ({ visit, params, body }) => {
    const request = await requestHere(visit, params.id);
    return request instanceof Problem ? request : await offer(visit, request, body.infoHash);
  },
);

const decideRoute = apiRoute(
  {
    name: 'decideOffer',
    method: 'POST',
    path: '/requests/:id/decision',
    tag: 'community',
    summary: 'Accept what is offered, which pays its uploader, or refuse it.',
    permission: 'comment',
    pages: ['POST request'],
    params: idParams,
    body: { json: z.strictObject({ decision: z.enum(['accept', 'refuse']) }) },
    matches: true,
    answer: { status: 200, json: z.strictObject({ became: z.enum(['accepted', 'refused']) }) },
  },
  async ({ visit, params, body }) => {
    const request = await ownRequest(visit, params.id);
    if (request instanceof Problem) return request;
    const became = await decideOffer(visit, request, body.decision);
    return became instanceof Refusal ? became : { became };
  },
);

const withdrawRoute = apiRoute(
  {
    name: 'withdrawRequest',
    method: 'DELETE',
    path: '/requests/:id',
    tag: 'community',
    summary: 'Withdraw a request; everybody has their points back.',
    permission: 'comment',
    pages: ['GET requestWithdraw', 'POST requestWithdraw'],
    params: idParams,
    answer: { status: 204 },
  },
  async ({ visit, params }) => {
    const request = await ownRequest(visit, params.id);
    return request instanceof Problem ? request : await withdraw(visit, request);
  },
);

export const requestRoutes = [
  ...[listRoute, getRoute, addRoute, bountyRoute, offerRoute, decideRoute, withdrawRoute],
];
