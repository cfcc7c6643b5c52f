// The machine as the operator sees it: its stores and its nodes.

import { z } from 'zod';
import { LOG_LEVELS } from '#base/log-levels.ts';
import { apiRoute, list } from '#site/api/api-route.ts';
import { Problem } from '#site/api/problem.ts';
import { loggingNow, resetLevels, setLevel } from '#site/machine/logging-pages.ts';
import { lastScrub } from '#site/machine/machine-pages.ts';
import { byteCount, time } from './shapes.ts';

const storeSchema = z
  .strictObject({
    name: z.string().describe('As configured.'),
    kind: z.enum(['packs', 'directory', 'S3', 'other']),
    isCopy: z.boolean().describe('A member of a replica.'),
    counts: z
      .strictObject({ blobs: z.int(), bytes: byteCount, storedBytes: byteCount })
      .nullable()
      .describe('Null when they could not be counted in time.'),
    freeBytes: byteCount.nullable().describe('Null for a bucket.'),
    damagedPlaces: z.int(),
    wrongBlobs: z.int(),
  })
  .meta({ id: 'Store' });

const storesRoute = apiRoute(
  {
    name: 'listStores',
    method: 'GET',
    path: '/console/stores',
    tag: 'console',
    summary: 'Store by store: what is in it, how much room is left, and what is wrong.',
    permission: 'administer',
    pages: ['GET consoleStores'],
    answer: {
      status: 200,
      json: z.strictObject({
        stack: z.string(),
        countedMs: time,
        lastScrubMs: time.nullable(),
        items: list(storeSchema),
        findings: list(z.strictObject({ what: z.string(), advice: z.string() })),
      }),
    },
  },
  async ({ visit }) => {
    const now = await visit.parts.machine?.stores();
    if (now === undefined) return new Problem('not-found', 'This site does not know its stores.');
    const scrub = await lastScrub(visit);
    const items = now.stores.map(({ counts, freeBytes, ...store }) => ({
      ...store,
      counts: counts === undefined ? null : countsOf(counts),
      freeBytes: freeBytes ?? null,
    }));
    const findings = now.findings.map(({ what, advice }) => ({ what, advice }));
    const { stack, countedMs } = now;
    return { stack, countedMs, lastScrubMs: scrub?.endedMs ?? null, items, findings };
  },
);

function countsOf(counts: {
  readonly blobs: number;
  readonly bytes: number;
  readonly storedBytes: number;
}) {
  const { blobs, bytes, storedBytes } = counts;
  return { blobs, bytes, storedBytes };
}

const nodeSchema = z
  .strictObject({
    name: z.string(),
    isThis: z.boolean().describe('The node that answers.'),
    version: z.string(),
    runtime: z.string(),
    startedMs: time,
    roles: list(z.string()),
    doors: list(z.string()),
    sockets: z.string(),
    memoryBytes: byteCount,
    lag: z.strictObject({ p99Ms: z.number(), maxMs: z.number(), sinceMs: time }),
  })
  .meta({ id: 'Node' });

const nodesRoute = apiRoute(
  {
    name: 'listNodes',
    method: 'GET',
    path: '/console/nodes',
    tag: 'console',
    summary: 'The nodes that serve this community.',
    permission: 'administer',
    pages: ['GET consoleNodes'],
    answer: { status: 200, json: z.strictObject({ items: list(nodeSchema) }) },
  },
  async ({ visit }) => ({ items: [...((await visit.parts.machine?.nodes()) ?? [])] }),
);

const levelSchema = z.enum(LOG_LEVELS);
const noServer = (): Problem => new Problem('not-found', 'This site does not know its server.');

const loggingRoute = apiRoute(
  {
    name: 'getLogging',
    method: 'GET',
    path: '/console/logging',
    tag: 'console',
    summary: 'How much the server logs: the level of all modules, and of each.',
    permission: 'administer',
    pages: ['GET consoleLogging'],
    answer: {
      status: 200,
      json: z.strictObject({
        level: levelSchema.describe('Of modules without one of their own.'),
        modules: list(
          z.strictObject({
            module: z.string(),
            level: levelSchema,
            isOwn: z.boolean().describe('It was given one of its own.'),
          }),
        ),
      }),
    },
  },
  async ({ visit }) => {
    const control = visit.parts.machine?.logging;
    if (control === undefined) return noServer();
    const { table, modules } = await loggingNow(control);
    return { level: table.base, modules };
  },
);

const setRoute = apiRoute(
  {
    name: 'setLogLevel',
    method: 'PUT',
    path: '/console/logging',
    tag: 'console',
    summary: 'Log more or less from now on, until the server ends.',
    permission: 'administer',
    pages: ['POST consoleLogging'],
    body: {
      json: z.strictObject({
        module: z.string().max(100).default('').describe('With those below it; empty for all.'),
        level: levelSchema,
      }),
    },
    answer: { status: 204 },
  },
  async ({ visit, body }) => {
    const control = visit.parts.machine?.logging;
    return control === undefined ? noServer() : await setLevel(visit, control, body);
  },
);

const resetRoute = apiRoute(
  {
    name: 'resetLogLevels',
    method: 'DELETE',
    path: '/console/logging',
    tag: 'console',
    summary: 'Log again as the settings of the server say.',
    permission: 'administer',
    pages: ['POST consoleLogging'],
    answer: { status: 204 },
  },
  async ({ visit }) => {
    const control = visit.parts.machine?.logging;
    if (control === undefined) return noServer();
    resetLevels(visit, control);
    return undefined;
  },
);

export const machineRoutes = [storesRoute, nodesRoute, loggingRoute, setRoute, resetRoute];
