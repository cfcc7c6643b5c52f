// What the archive has to do with torrents: its health, and what it shall keep.

import { z } from 'zod';
import {
  type ArchiveHealth,
  archiveHealth,
  torrentHealth,
} from '#archive/catalogue/archive-health.ts';
import { unwantTorrent, wantedTorrent, wantTorrent } from '#archive/catalogue/wanted-torrents.ts';
import { apiRoute } from '#site/api/api-route.ts';
import { Problem } from '#site/api/problem.ts';
import { letGo } from '#site/shares/share-items.ts';
import type { Visit } from '#site/visit.ts';
import { byteCount, hashParams, time } from './shapes.ts';
import { torrentHere, torrentOf } from './torrent-routes.ts';

const healthSchema = z
  .strictObject({
    files: z.int(),
    bytes: byteCount,
    damagedFiles: z.int().describe('With a damaged segment.'),
    damagedSegments: z.int(),
    checkedMs: time.nullable().describe('When the file that waits longest was proven.'),
  })
  .meta({ id: 'ArchiveHealth' });

const keepingSchema = z
  .strictObject({
    keeping: z
      .enum(['no', 'wanted', 'kept'])
      .describe('`wanted`: it is taken from its swarm as soon as somebody has it.'),
    problem: z.string().describe('Why it cannot be taken; empty when nothing is in the way.'),
    health: healthSchema.nullable().describe('Null while it is not kept.'),
  })
  .meta({ id: 'Keeping' });

function healthOf({ checkedMs, ...health }: ArchiveHealth) {
  const { files, bytes, damagedFiles, damagedSegments } = health;
  return { files, bytes, damagedFiles, damagedSegments, checkedMs: checkedMs ?? null };
}

async function keepingOf(visit: Visit, torrentId: number) {
  const { sql } = visit.parts;
  const health = await torrentHealth(sql, torrentId);
  if (health !== undefined) {
    return { keeping: 'kept' as const, problem: '', health: healthOf(health) };
  }
  const wanted = await wantedTorrent(sql, torrentId);
  const keeping = wanted === undefined ? ('no' as const) : ('wanted' as const);
  return { keeping, problem: wanted?.problem ?? '', health: null };
}

const healthRoute = apiRoute(
  {
    name: 'getArchiveHealth',
    method: 'GET',
    path: '/archive',
    tag: 'archive',
    summary: 'How much is kept in all, and what of it is known to be damaged.',
    permission: 'administer',
    pages: ['GET console'],
    answer: { status: 200, json: healthSchema },
  },
  async ({ visit }) => healthOf(await archiveHealth(visit.parts.sql)),
);

const showRoute = apiRoute(
  {
    name: 'getKeeping',
    method: 'GET',
    path: '/torrents/:hash/archive',
    tag: 'archive',
    summary: 'Whether the archive keeps a torrent, and in which state.',
    permission: 'browse',
    pages: ['GET torrent'],
    params: hashParams,
    answer: { status: 200, json: keepingSchema },
  },
  async ({ visit, params }) => {
    const torrent = await torrentOf(visit, params.hash);
    return torrent instanceof Problem ? torrent : await keepingOf(visit, torrent.id);
  },
);

const keepRoute = apiRoute(
  {
    name: 'keepTorrent',
    method: 'PUT',
    path: '/torrents/:hash/archive',
    tag: 'archive',
    summary:
      'Have the archive take a torrent from its swarm; one that could not be taken is tried again.',
    permission: 'administer',
    pages: [],
    params: hashParams,
    answer: { status: 200, json: keepingSchema },
  },
  async ({ visit, params }) => {
    const torrent = await torrentHere(visit, params.hash);
    if (torrent instanceof Problem) return torrent;
    const { sql } = visit.parts;
    const { nowMs } = visit;
    const isNew = await wantTorrent(sql, torrent.id, nowMs);
    const wanted = isNew ? undefined : await wantedTorrent(sql, torrent.id);
    if (wanted !== undefined && wanted.problem !== '') {
      await unwantTorrent(sql, torrent.id, nowMs);
      await wantTorrent(sql, torrent.id, nowMs);
    }
    return await keepingOf(visit, torrent.id);
  },
);

const releaseRoute = apiRoute(
  {
    name: 'releaseTorrent',
    method: 'DELETE',
    path: '/torrents/:hash/archive',
    tag: 'archive',
    summary: 'Let the archive go of a torrent; what no other one needs is garbage then.',
    permission: 'administer',
    pages: [],
    params: hashParams,
    answer: { status: 204 },
  },
  async ({ visit, params }) => {
    const torrent = await torrentOf(visit, params.hash);
    if (torrent instanceof Problem) return torrent;
    const { sql } = visit.parts;
    await unwantTorrent(sql, torrent.id, visit.nowMs);
    await letGo(sql, torrent.id, visit.nowMs);
    return undefined;
  },
);

export const archiveRoutes = [healthRoute, showRoute, keepRoute, releaseRoute];
