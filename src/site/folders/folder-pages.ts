// The pages of a torrent's folders.

import type { RouteHandlers } from '#site/admission.ts';
import { NO_PARENT } from '#site/catalogue/file-entries.ts';
import { findTorrentByHash } from '#site/catalogue/find-torrent.ts';
import { isGivenTo, mayShareFrom } from '#site/downloads/is-given.ts';
import type { Visit } from '#site/visit.ts';
import {
  childOf,
  type FolderPage,
  type FolderQuery,
  type FolderRow,
  firstFrom,
  folderPage,
  folderRow,
  wayTo,
} from './folder-rows.ts';
import { folderView } from './folder-view.ts';

const NAME_CHARS_MAX = 500;

async function folderPageOf(visit: Visit): Promise<Response> {
  const { sql } = visit.parts;
  const torrent = await findTorrentByHash(sql, visit.param('hash'));
  if (torrent === undefined) return await visit.notFound();
  const here = numberOf(visit, 'in');
  const row = here === undefined ? undefined : await folderRow(sql, torrent.id, here);
  if (visit.query('in') !== '' && row?.isFolder !== true) return await visit.notFound();
  const name = visit.query('name').slice(0, NAME_CHARS_MAX);
  const order = name === '' && visit.query('sort') === 'size' ? 'size' : 'name';
  const query: FolderQuery = {
    torrentId: torrent.id,
    folder: row?.position ?? NO_PARENT,
    order,
    after: numberOf(visit, 'after'),
    before: numberOf(visit, 'before'),
  };
  const page =
    name === ''
      ? await folderPage(sql, query)
      : await pageFrom(visit, { query, folder: row, name });
  const way = row === undefined ? [] : await wayTo(sql, torrent.id, row);
  const isGiven = await isGivenTo(visit, torrent);
  const mayShare = isGiven && mayShareFrom(visit);
  const main = folderView({ torrent, way, page, order, isGiven, mayShare, name });
  const title = row === undefined ? `Files of ${torrent.title}` : row.name;
  return await visit.page({ title, section: 'torrents', main });
}

interface Finding {
  readonly query: FolderQuery;
  readonly folder: FolderRow | undefined;
  readonly name: string;
}

/** From the folder or file of that name on, or from where it would be. */
async function pageFrom(visit: Visit, { query, folder, name }: Finding): Promise<FolderPage> {
  const { sql } = visit.parts;
  const exact = await childOf(sql, query, name);
  const { torrentId } = query;
  const found = exact ?? (await firstFrom(sql, { torrentId, folder }, name));
  if (found === undefined) return { rows: [], hasPrevious: false, hasNext: false };
  const after = await folderPage(sql, { ...query, after: found.position });
  return { ...after, rows: [found, ...after.rows], hasPrevious: true };
}

function numberOf(visit: Visit, name: string): number | undefined {
  const text = visit.query(name);
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

export const folderRoutes: RouteHandlers = {
  torrentFiles: { GET: folderPageOf },
};
