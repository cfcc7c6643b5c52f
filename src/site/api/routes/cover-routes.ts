// The picture that stands for a torrent.

import { z } from 'zod';
import { apiRoute } from '#site/api/api-route.ts';
import { Problem } from '#site/api/problem.ts';
import { coverResponse } from '#site/covers/cover-pages.ts';
import { cleanAlt, findCover, prepareCover, removeCover, setCover } from '#site/covers/covers.ts';
import { Refusal } from '#site/refusal.ts';
import { hashParams } from './shapes.ts';
import { changeableTorrent, torrentHere } from './torrent-routes.ts';

const getRoute = apiRoute(
  {
    name: 'getTorrentCover',
    method: 'GET',
    path: '/torrents/:hash/cover',
    tag: 'torrents',
    summary: 'The picture that stands for a torrent.',
    permission: 'browse',
    pages: ['GET torrentCover'],
    params: hashParams,
    query: z.strictObject({ size: z.enum(['large', 'small']).optional() }),
    answer: { status: 200, bytes: 'image/*' },
  },
  async ({ visit, params }) => {
    const torrent = await torrentHere(visit, params.hash);
    return torrent instanceof Problem ? torrent : await coverResponse(visit, torrent.id);
  },
);

const setRoute = apiRoute(
  {
    name: 'setTorrentCover',
    method: 'PUT',
    path: '/torrents/:hash/cover',
    tag: 'torrents',
    summary: 'Send a JPEG, PNG, WebP or AVIF as the cover of a torrent; it is made anew.',
    permission: 'upload',
    parses: true,
    pages: ['POST torrentEdit', 'POST uploadDraft'],
    params: hashParams,
    query: z.strictObject({
      alt: z.string().default('').describe('What it shows, for those who do not see it.'),
    }),
    body: { bytes: 'image/*' },
    answer: { status: 200, json: z.strictObject({ width: z.int(), height: z.int() }) },
  },
  async ({ visit, params, query, bytes }) => {
    const torrent = await changeableTorrent(visit, params.hash, 'its cover');
    if (torrent instanceof Problem) return torrent;
    const { content, config, sql } = visit.parts;
    const pictures = content?.pictures;
    if (pictures === undefined) return new Problem('not-found', 'No pictures are kept here.');
    const alt = cleanAlt(query.alt);
    if (alt instanceof Refusal) return alt;
    const made = await prepareCover({ pictures, config }, bytes, visit.request.signal);
    if (made instanceof Refusal) return made;
    const { memberId } = visit.signedIn();
    const change = { torrentId: torrent.id, memberId, atMs: visit.nowMs };
    await setCover(sql, change, { ...made, alt });
    return { width: made.width, height: made.height };
  },
);

const removeRoute = apiRoute(
  {
    name: 'removeTorrentCover',
    method: 'DELETE',
    path: '/torrents/:hash/cover',
    tag: 'torrents',
    summary: 'Take the cover of a torrent away. Nothing happens when it has none.',
    permission: 'upload',
    pages: ['POST torrentEdit'],
    params: hashParams,
    answer: { status: 204 },
  },
  async ({ visit, params }) => {
    const torrent = await changeableTorrent(visit, params.hash, 'its cover');
    if (torrent instanceof Problem) return torrent;
    const { sql } = visit.parts;
    if ((await findCover(sql, torrent.id)) === undefined) return undefined;
    const { memberId } = visit.signedIn();
    await removeCover(sql, { torrentId: torrent.id, memberId, atMs: visit.nowMs });
    return undefined;
  },
);

export const coverRoutes = [getRoute, setRoute, removeRoute];
