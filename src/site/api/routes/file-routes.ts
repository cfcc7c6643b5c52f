// The files of a torrent: the .torrent, the tree, the content as the archive keeps it, previews.

import { z } from 'zod';
import { apiRoute, list } from '#site/api/api-route.ts';
import { pageOf } from '#site/api/paging.ts';
import { Problem } from '#site/api/problem.ts';
import { NO_PARENT } from '#site/catalogue/file-entries.ts';
import { downloadTorrent } from '#site/catalogue/torrent-handlers.ts';
import { downloadContent } from '#site/downloads/content-pages.ts';
import { FOLDER_ROWS_MAX, folderPage, folderRow } from '#site/folders/folder-rows.ts';
import { previewResponse } from '#site/previews/preview-pages.ts';
import { previewsOf } from '#site/previews/previews.ts';
import { byteCount, entryParams, hashParams } from './shapes.ts';
import { torrentHere, torrentOf } from './torrent-routes.ts';

const fileRoute = apiRoute(
  {
    name: 'getTorrentFile',
    method: 'GET',
    path: '/torrents/:hash/file',
    tag: 'torrents',
    summary: 'The .torrent file with your own announce URLs in it.',
    permission: 'download',
    pages: ['GET torrentDownload'],
    params: hashParams,
    answer: { status: 200, bytes: 'application/x-bittorrent' },
  },
  async ({ visit }) => await downloadTorrent(visit),
);

const entrySchema = z
  .strictObject({
    position: z.int().describe('By which content is asked for. It never changes.'),
    path: z.string().describe("From the torrent's top; a folder's ends with a slash."),
    name: z.string(),
    isFolder: z.boolean(),
    fileCount: z.int().describe('In a folder at any depth; 1 of a file.'),
    sizeBytes: byteCount,
  })
  .meta({ id: 'TorrentEntry' });

const filesRoute = apiRoute(
  {
    name: 'listTorrentFiles',
    method: 'GET',
    path: '/torrents/:hash/files',
    tag: 'torrents',
    summary: `What lies in a folder of a torrent, ${FOLDER_ROWS_MAX} entries a page.`,
    permission: 'browse',
    pages: ['GET torrentFiles'],
    params: hashParams,
    query: z.strictObject({
      folder: z
        .string()
        .regex(/^\d{1,10}$/)
        .optional()
        .describe('Its position; the top without.'),
      order: z.enum(['name', 'size']).default('name'),
      cursor: z
        .string()
        .regex(/^\d{1,10}$/)
        .optional(),
    }),
    answer: { status: 200, json: pageOf(entrySchema) },
  },
  async ({ visit, params, query }) => {
    const { sql } = visit.parts;
    const torrent = await torrentOf(visit, params.hash);
    if (torrent instanceof Problem) return torrent;
    const { folder, order, cursor } = query;
    const row = folder === undefined ? undefined : await folderRow(sql, torrent.id, Number(folder));
    if (folder !== undefined && row?.isFolder !== true) {
      return new Problem('not-found', 'This torrent has no folder at that position.');
    }
    const page = await folderPage(sql, {
      ...{ torrentId: torrent.id, folder: row?.position ?? NO_PARENT, order },
      after: cursor === undefined ? undefined : Number(cursor),
    });
    const last = page.rows.at(-1);
    return {
      items: page.rows.map(({ parent: _, ...entry }) => entry),
      nextCursor: page.hasNext && last !== undefined ? String(last.position) : null,
    };
  },
);

const contentRoute = apiRoute(
  {
    name: 'getTorrentContent',
    method: 'GET',
    path: '/torrents/:hash/content/:entry',
    tag: 'torrents',
    summary: 'A file as the archive keeps it, with ranges; a folder, or `all`, as tar.',
    permission: 'download',
    pages: ['GET torrentContent'],
    params: entryParams,
    answer: { status: 200, bytes: 'application/octet-stream' },
  },
  async ({ visit }) => await downloadContent(visit),
);

const previewSchema = z
  .strictObject({ position: z.int(), name: z.string(), width: z.int(), height: z.int() })
  .meta({ id: 'Preview' });

const previewsRoute = apiRoute(
  {
    name: 'listTorrentPreviews',
    method: 'GET',
    path: '/torrents/:hash/previews',
    tag: 'torrents',
    summary: 'Which files have a small picture.',
    permission: 'browse',
    pages: ['GET torrent'],
    params: hashParams,
    answer: { status: 200, json: z.strictObject({ items: list(previewSchema) }) },
  },
  async ({ visit, params }) => {
    const torrent = await torrentHere(visit, params.hash);
    if (torrent instanceof Problem) return torrent;
    const previews = await previewsOf(visit.parts.sql, torrent.id);
    const items = previews.map(({ position, name, width, height }) => ({
      ...{ position, name, width, height },
    }));
    return { items };
  },
);

const previewRoute = apiRoute(
  {
    name: 'getTorrentPreview',
    method: 'GET',
    path: '/torrents/:hash/previews/:entry',
    tag: 'torrents',
    summary: 'The small picture of a file.',
    permission: 'browse',
    pages: ['GET torrentPreview'],
    params: entryParams,
    answer: { status: 200, bytes: 'image/*' },
  },
  async ({ visit, params }) => {
    const torrent = await torrentHere(visit, params.hash);
    if (torrent instanceof Problem) return torrent;
    const position = params.entry === 'all' ? -1 : Number(params.entry);
    return await previewResponse(visit, torrent.id, position);
  },
);

export const fileRoutes = [fileRoute, filesRoute, contentRoute, previewsRoute, previewRoute];
