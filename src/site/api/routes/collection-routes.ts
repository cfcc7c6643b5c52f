// What members put together: collections of torrents, saved searches, and the feeds of both.

import { z } from 'zod';
import { memberNames } from '#site/accounts/members.ts';
import { apiRoute, list } from '#site/api/api-route.ts';
import { cutPage, edge, numberPageQuery, pageOf } from '#site/api/paging.ts';
import { Problem } from '#site/api/problem.ts';
import { filtersOfText, filtersText } from '#site/catalogue/list-filters.ts';
import { isChangeable, tellStaff } from '#site/collections/collection-pages.ts';
import {
  addCollection,
  type Collection,
  collectionVersion,
  editCollection,
  findCollection,
  itemsOf,
  listCollections,
  removeCollection,
  setItem,
} from '#site/collections/collections.ts';
import { torrentLines } from '#site/collections/torrent-lines.ts';
import { feedKeyOf, resetFeedKey } from '#site/feeds/feed-keys.ts';
import { Refusal } from '#site/refusal.ts';
import { hrefTo } from '#site/routes.ts';
import { removeSearch, savedSearchesOf, saveSearch } from '#site/searches/saved-searches.ts';
import type { Visit } from '#site/visit.ts';
import { isSetBody, lineOf, lineSchema } from './community-routes.ts';
import { hashParams, idParams, memberNameSchema, time, version } from './shapes.ts';
import { torrentOf } from './torrent-routes.ts';

const collectionSchema = z
  .strictObject({
    id: z.int(),
    member: memberNameSchema,
    title: z.string(),
    description: z.string().describe('Markdown.'),
    changedMs: time,
    torrents: z.int(),
    version,
  })
  .meta({ id: 'Collection' });

function collectionOf(one: Collection, names: ReadonlyMap<number, string>) {
  const { id, memberId, title, description, changedMs, torrents } = one;
  const member = { memberId, name: names.get(memberId) ?? null };
  const version = collectionVersion(one);
  return { id, member, title, description, changedMs, torrents, version };
}

const collectionsRoute = apiRoute(
  {
    name: 'listCollections',
    method: 'GET',
    path: '/collections',
    tag: 'community',
    summary: 'Collections of torrents, newest first.',
    permission: 'browse',
    pages: ['GET collections'],
    query: numberPageQuery,
    answer: { status: 200, json: pageOf(collectionSchema) },
  },
  async ({ visit, query: { cursor, limit } }) => {
    const { sql } = visit.parts;
    const found = await listCollections(sql, { limit: limit + 1, ...edge('before', cursor) });
    const names = await memberNames(
      sql,
      found.map((one) => one.memberId),
    );
    const item = (one: Collection) => collectionOf(one, names);
    return cutPage(found, limit, { item, cursor: (one) => one.id });
  },
);

async function collectionHere(visit: Visit, id: string): Promise<Collection | Problem> {
  const found = await findCollection(visit.parts.sql, Number(id));
  return found ?? new Problem('not-found', 'There is no such collection.');
}

async function ownCollection(visit: Visit, id: string): Promise<Collection | Problem> {
  const found = await collectionHere(visit, id);
  if (found instanceof Problem || isChangeable(visit, found)) return found;
  return new Problem('forbidden', 'Whoever made it and the staff may change it.');
}

const collectionRoute = apiRoute(
  {
    name: 'getCollection',
    method: 'GET',
    path: '/collections/:id',
    tag: 'community',
    summary: 'A collection with its torrents, as they were put in.',
    permission: 'browse',
    pages: ['GET collection'],
    params: idParams,
    answer: {
      status: 200,
      json: z.strictObject({ collection: collectionSchema, items: list(lineSchema) }),
    },
    version: ({ collection }) => collection.version,
  },
  async ({ visit, params }) => {
    const found = await collectionHere(visit, params.id);
    if (found instanceof Problem) return found;
    const { parts } = visit;
    const names = await memberNames(parts.sql, [found.memberId]);
    const lines = await torrentLines(parts, await itemsOf(parts.sql, found.id));
    return { collection: collectionOf(found, names), items: lines.map(lineOf) };
  },
);

const collectionWords = z.strictObject({
  title: z.string(),
  description: z.string().default('').describe('Markdown.'),
});

const makeRoute = apiRoute(
  {
    name: 'makeCollection',
    method: 'POST',
    path: '/collections',
    tag: 'community',
    summary: 'Make a collection; nothing is in it yet.',
    permission: 'comment',
    pages: ['GET collectionNew', 'POST collectionNew'],
    body: { json: collectionWords },
    answer: { status: 201, json: z.strictObject({ id: z.int() }) },
  },
  async ({ visit, body }) => {
    const made = await addCollection(visit.parts, visit.signedIn().memberId, body);
    return made instanceof Refusal ? made : { id: made };
  },
);

const wordsRoute = apiRoute(
  {
    name: 'editCollection',
    method: 'PUT',
    path: '/collections/:id',
    tag: 'community',
    summary: 'Change what is written about a collection.',
    permission: 'comment',
    pages: ['GET collectionEdit', 'POST collectionEdit'],
    params: idParams,
    body: { json: collectionWords },
    matches: true,
    answer: { status: 204 },
  },
  async ({ visit, params, body }) => {
    const found = await ownCollection(visit, params.id);
    if (found instanceof Problem) return found;
    await tellStaff(visit, found, 'collectionEdit');
    return await editCollection(visit.parts, found.id, { ...body, shown: visit.shown });
  },
);

const removeRoute = apiRoute(
  {
    name: 'removeCollection',
    method: 'DELETE',
    path: '/collections/:id',
    tag: 'community',
    summary: 'Remove a collection; its torrents stay.',
    permission: 'comment',
    pages: ['GET collectionRemove', 'POST collectionRemove'],
    params: idParams,
    answer: { status: 204 },
  },
  async ({ visit, params }) => {
    const found = await ownCollection(visit, params.id);
    if (found instanceof Problem) return found;
    await tellStaff(visit, found, 'collectionRemove');
    await removeCollection(visit.parts.sql, found.id);
    return undefined;
  },
);

const collectRoute = apiRoute(
  {
    name: 'collectTorrent',
    method: 'PUT',
    path: '/collections/:id/torrents/:hash',
    tag: 'community',
    summary: 'Put a torrent into a collection of yours, or take it out.',
    permission: 'comment',
    pages: ['GET torrentCollect', 'POST torrentCollect'],
    params: z.strictObject({ ...idParams.shape, ...hashParams.shape }),
    body: isSetBody,
    answer: { status: 204 },
  },
  async ({ visit, params, body }) => {
    const torrent = await torrentOf(visit, params.hash);
    if (torrent instanceof Problem) return torrent;
    const found = await collectionHere(visit, params.id);
    if (found instanceof Problem) return found;
    if (found.memberId !== visit.signedIn().memberId) {
      return new Problem('forbidden', 'It is the collection of somebody else.');
    }
    const item = { collectionId: found.id, torrentId: torrent.id, isIn: body.isSet };
    return await setItem(visit.parts, item);
  },
);

const searchSchema = z
  .strictObject({
    id: z.int(),
    name: z.string(),
    filters: z.string().describe('As the query of `listTorrents`: `q=rain&tags=csv`.'),
    createdMs: time,
  })
  .meta({ id: 'SavedSearch' });

const searchesRoute = apiRoute(
  {
    name: 'listSavedSearches',
    method: 'GET',
    path: '/me/searches',
    tag: 'community',
    summary: 'Your saved searches, by name.',
    permission: 'browse',
    pages: ['GET searches'],
    answer: { status: 200, json: z.strictObject({ items: list(searchSchema) }) },
  },
  async ({ visit }) => {
    const searches = await savedSearchesOf(visit.parts.sql, visit.signedIn().memberId);
    const items = searches.map(({ id, name, filters, createdMs }) => ({
      ...{ id, name, filters: filtersText(filters), createdMs },
    }));
    return { items };
  },
);

const saveRoute = apiRoute(
  {
    name: 'saveSearch',
    method: 'POST',
    path: '/me/searches',
    tag: 'community',
    summary: 'Keep a search; under a name that is there already it takes its place.',
    permission: 'browse',
    pages: ['POST searches'],
    body: { json: z.strictObject({ name: z.string(), filters: z.string().max(4000) }) },
    answer: { status: 201, json: z.strictObject({ id: z.int() }) },
  },
  async ({ visit, body }) => {
    const filters = filtersOfText(body.filters);
    const { memberId } = visit.signedIn();
    const saved = await saveSearch(visit.parts, { memberId, name: body.name, filters });
    return saved instanceof Refusal ? saved : { id: saved.id };
  },
);

const forgetRoute = apiRoute(
  {
    name: 'removeSavedSearch',
    method: 'DELETE',
    path: '/me/searches/:id',
    tag: 'community',
    summary: 'Forget a saved search.',
    permission: 'browse',
    pages: ['POST searchRemove'],
    params: idParams,
    answer: { status: 204 },
  },
  async ({ visit, params }) => {
    const { memberId } = visit.signedIn();
    const isDone = await removeSearch(visit.parts.sql, memberId, Number(params.id));
    return isDone ? undefined : new Problem('not-found', 'You have no such saved search.');
  },
);

const feedsRoute = apiRoute(
  {
    name: 'getMyFeeds',
    method: 'GET',
    path: '/me/feeds',
    tag: 'community',
    summary: 'Where your feeds are. A secret; the query of `listTorrents` narrows them.',
    permission: 'account',
    pages: ['GET feeds'],
    answer: { status: 200, json: z.strictObject({ rss: z.string(), atom: z.string() }) },
  },
  async ({ visit }) => {
    const key = await feedKeyOf(visit.parts, visit.signedIn().memberId);
    const { siteUrl } = visit.addresses;
    const rss = siteUrl + hrefTo('feedRss', { key });
    return { rss, atom: siteUrl + hrefTo('feedAtom', { key }) };
  },
);

const resetRoute = apiRoute(
  {
    name: 'resetFeedKey',
    method: 'POST',
    path: '/me/feeds/reset',
    tag: 'community',
    summary: 'Get another key: the addresses of your feeds are others then.',
    permission: 'account',
    pages: ['GET feedsReset', 'POST feedsReset'],
    answer: { status: 204 },
  },
  async ({ visit }) => {
    await resetFeedKey(visit.parts, visit.signedIn().memberId);
    return undefined;
  },
);

export const collectionRoutes = [
  ...[collectionsRoute, collectionRoute, makeRoute, wordsRoute, removeRoute, collectRoute],
  ...[searchesRoute, saveRoute, forgetRoute, feedsRoute, resetRoute],
];
