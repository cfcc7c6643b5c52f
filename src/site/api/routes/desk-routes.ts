// The operator's other desks: categories, clients, the event log, what the archive looks for.

import { z } from 'zod';
import { wantedTorrents } from '#archive/catalogue/wanted-torrents.ts';
import { torrentNames } from '#site/accounts/history.ts';
import { CLIENT_SETTINGS, clientLists, settingsVersion } from '#site/accounts/settings.ts';
import { apiRoute, list } from '#site/api/api-route.ts';
import { cutPage, pageOf, pageQuery } from '#site/api/paging.ts';
import { Problem } from '#site/api/problem.ts';
import {
  addCategory,
  categoriesVersion,
  categoryCounts,
  removeCategory,
  renameCategory,
  swapCategory,
} from '#site/catalogue/category-changes.ts';
import { saveClients } from '#site/console/client-pages.ts';
import { logState } from '#site/console/log-pages.ts';
import { Refusal } from '#site/refusal.ts';
import { listTags } from '#site/tags/tag-changes.ts';
import { changeTag } from '#site/tags/tag-pages.ts';
import { byteCount, time, torrentName, torrentNameSchema, version } from './shapes.ts';

const WANTED_MAX = 100;

const slugParams = z.strictObject({ slug: z.string().regex(/^[a-z0-9-]{1,32}$/) });
const nameBody = { json: z.strictObject({ name: z.string() }) };

const categoriesRoute = apiRoute(
  {
    name: 'listCategoryCounts',
    method: 'GET',
    path: '/console/categories',
    tag: 'console',
    summary: 'Categories in their order, and how many torrents each has.',
    permission: 'administer',
    pages: ['GET consoleCategories'],
    answer: {
      status: 200,
      json: z.strictObject({
        items: list(z.strictObject({ slug: z.string(), name: z.string(), torrents: z.int() })),
        version,
      }),
    },
    version: (answer) => answer.version,
  },
  async ({ visit }) => {
    const counts = await categoryCounts(visit.parts.sql);
    const items = counts.map(({ slug, name, torrents }) => ({ slug, name, torrents }));
    return { items, version: categoriesVersion(items) };
  },
);

const addRoute = apiRoute(
  {
    name: 'addCategory',
    method: 'POST',
    path: '/console/categories',
    tag: 'console',
    summary: 'Add a category behind the others.',
    permission: 'administer',
    pages: ['POST consoleCategories'],
    body: { json: z.strictObject({ slug: z.string(), name: z.string() }) },
    answer: { status: 204 },
  },
  async ({ visit, body }) => await addCategory(visit.parts.sql, body),
);

const renameRoute = apiRoute(
  {
    name: 'renameCategory',
    method: 'PUT',
    path: '/console/categories/:slug',
    tag: 'console',
    summary: 'Give a category another name; its slug stays.',
    permission: 'administer',
    pages: ['POST consoleCategories'],
    params: slugParams,
    body: nameBody,
    matches: true,
    answer: { status: 204 },
  },
  async ({ visit, params: { slug }, body: { name } }) =>
    await renameCategory(visit.parts.sql, { slug, name }, visit.shown),
);

const upRoute = apiRoute(
  {
    name: 'moveCategoryUp',
    method: 'POST',
    path: '/console/categories/:slug/up',
    tag: 'console',
    summary: 'Have a category change places with the one before it.',
    permission: 'administer',
    pages: ['POST consoleCategories'],
    params: slugParams,
    matches: true,
    answer: { status: 204 },
  },
  async ({ visit, params }) => await swapCategory(visit.parts.sql, params.slug, visit.shown),
);

const removeRoute = apiRoute(
  {
    name: 'removeCategory',
    method: 'DELETE',
    path: '/console/categories/:slug',
    tag: 'console',
    summary: 'Remove a category.',
    permission: 'administer',
    pages: ['POST consoleCategories'],
    params: slugParams,
    answer: { status: 204 },
  },
  async ({ visit, params }) => await removeCategory(visit.parts.sql, params.slug),
);

const tagsRoute = apiRoute(
  {
    name: 'listTags',
    method: 'GET',
    path: '/console/tags',
    tag: 'console',
    summary: 'Tags by name, with how many torrents have each.',
    permission: 'administer',
    pages: ['GET consoleTags', 'GET consoleTagChange'],
    query: pageQuery,
    answer: {
      status: 200,
      json: pageOf(z.strictObject({ name: z.string(), torrents: z.int() })),
    },
  },
  async ({ visit, query: { cursor, limit } }) => {
    const after = cursor === undefined ? {} : { after: cursor };
    const found = await listTags(visit.parts.sql, { limit: limit + 1, ...after });
    const item = ({ name, torrents }: (typeof found)[number]) => ({ name, torrents });
    return cutPage(found, limit, { item, cursor: ({ name }) => name });
  },
);

const changeTagRoute = apiRoute(
  {
    name: 'changeTag',
    method: 'POST',
    path: '/console/tags/change',
    tag: 'console',
    summary: 'Rename a tag, or join it with another one, which cannot be undone.',
    permission: 'administer',
    pages: ['POST consoleTagChange'],
    body: { json: z.strictObject({ from: z.string(), into: z.string() }) },
    answer: {
      status: 200,
      json: z.strictObject({
        from: z.string(),
        into: z.string(),
        isDone: z.boolean().describe('False while the job `tag-changes` goes on with it.'),
      }),
    },
  },
  async ({ visit, body }) => await changeTag(visit, body),
);

const clientsSchema = z
  .strictObject({
    allowed: list(z.string()).describe('When there is one, all others are refused.'),
    denied: list(z.string()),
  })
  .meta({ id: 'ClientLists' });

const clientsRoute = apiRoute(
  {
    name: 'getClients',
    method: 'GET',
    path: '/console/clients',
    tag: 'console',
    summary: 'Which clients may announce, by the beginning of their peer ids.',
    permission: 'administer',
    pages: ['GET consoleClients'],
    answer: {
      status: 200,
      json: z.strictObject({
        lists: clientsSchema,
        isFromSite: z.boolean().describe("False when they are the configuration's."),
        version,
      }),
    },
    version: (answer) => answer.version,
  },
  async ({ visit }) => {
    const { settings, parts } = visit;
    const { clientsAllowed, clientsDenied } = clientLists(settings, parts.trackerDefaults);
    const lists = { allowed: clientsAllowed, denied: clientsDenied };
    const version = settingsVersion(settings, CLIENT_SETTINGS);
    return { lists, isFromSite: settings.clientsSet === 'yes', version };
  },
);

const saveRoute = apiRoute(
  {
    name: 'setClients',
    method: 'PUT',
    path: '/console/clients',
    tag: 'console',
    summary: 'Say which clients may announce, in force within a second.',
    permission: 'administer',
    pages: ['POST consoleClients'],
    body: { json: clientsSchema },
    matches: true,
    answer: { status: 204 },
  },
  async ({ visit, body }) => {
    const saved = await saveClients(visit, body);
    if (saved instanceof Refusal) return saved;
    const errors = Object.entries(saved).map(([field, detail]) => ({
      ...{ in: 'body' as const, field, detail },
    }));
    const [first] = errors;
    return first === undefined ? undefined : new Problem('request-invalid', first.detail, errors);
  },
);

const resetRoute = apiRoute(
  {
    name: 'resetClients',
    method: 'DELETE',
    path: '/console/clients',
    tag: 'console',
    summary: 'Go back to the lists of the configuration.',
    permission: 'administer',
    pages: ['POST consoleClients'],
    answer: { status: 204 },
  },
  async ({ visit }) => {
    const nothing = { clientsSet: '', clientsAllowed: '', clientsDenied: '' } as const;
    await visit.parts.settings.change(nothing);
    return undefined;
  },
);

const topicSchema = z
  .strictObject({
    name: z.string(),
    firstOffset: z.int(),
    nextOffset: z.int(),
    durableOffset: z.int().describe('Everything below it is on disk.'),
    bytes: byteCount,
    segments: z.int(),
  })
  .meta({ id: 'Topic' });

const readerSchema = z
  .strictObject({
    topic: z.string(),
    name: z.string(),
    offset: z.int().describe('What it reads next.'),
    lag: z.int(),
    keptIn: z.enum(['the log', 'the database']),
  })
  .meta({ id: 'LogReader' });

const logRoute = apiRoute(
  {
    name: 'getLog',
    method: 'GET',
    path: '/console/log',
    tag: 'console',
    summary: 'What is in each topic of the event log, and how far its readers are.',
    permission: 'administer',
    pages: ['GET consoleLog'],
    answer: {
      status: 200,
      json: z.strictObject({ topics: list(topicSchema), readers: list(readerSchema) }),
    },
  },
  async ({ visit }) => {
    const { topics, readers } = await logState(visit);
    return {
      topics: topics.map(({ name, firstOffset, nextOffset, durableOffset, bytes, segments }) => ({
        ...{ name, firstOffset, nextOffset, durableOffset, bytes, segments },
      })),
      readers: readers.map(({ topic, name, offset, lag, keptIn }) => ({
        ...{ topic, name, offset, lag, keptIn },
      })),
    };
  },
);

const wantedRoute = apiRoute(
  {
    name: 'listWantedTorrents',
    method: 'GET',
    path: '/console/archive/wanted',
    tag: 'archive',
    summary: `What the archive still looks for, the oldest first, at most ${WANTED_MAX}.`,
    permission: 'administer',
    pages: ['GET consoleArchive'],
    answer: {
      status: 200,
      json: z.strictObject({
        items: list(z.strictObject({ torrent: torrentNameSchema, wantedMs: time })),
      }),
    },
  },
  async ({ visit }) => {
    const { sql } = visit.parts;
    const wanted = await wantedTorrents(sql, WANTED_MAX);
    const names = await torrentNames(
      sql,
      wanted.map((one) => one.torrentId),
    );
    const items = wanted.map(({ torrentId, wantedMs }) => ({
      ...{ torrent: torrentName(torrentId, names), wantedMs },
    }));
    return { items };
  },
);

export const deskRoutes = [
  ...[categoriesRoute, addRoute, renameRoute, upRoute, removeRoute],
  ...[clientsRoute, saveRoute, resetRoute, logRoute, wantedRoute],
  tagsRoute,
  changeTagRoute,
];
