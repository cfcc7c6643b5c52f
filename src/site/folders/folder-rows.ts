// One page of what lies in a folder of a torrent, in the order of the tree or the biggest first, and the
// way to a name. Each page costs the rows that it shows and a few steps of an index, in a folder of ten
// as in one of a million: sizes of folders were summed when the torrent was added.

import type { CatalogueTables } from '#site/catalogue/catalogue-tables.ts';
import { compareNames, NO_PARENT, nameKey, nameOf } from '#site/catalogue/file-entries.ts';
import type { Sql } from '#sql/sql.ts';

export const FOLDER_ROWS_MAX = 100;
/** PATH_LIMITS.depthMax of wire/ is lower. */
const DEPTH_MAX = 200;
const LARGEST_MAX = 10;

export interface FolderRow {
  /** Its place in the tree, by which it is named in addresses. It never changes. */
  readonly position: number;
  /** From the torrent's top, names joined by `/`; a folder's ends with one. */
  readonly path: string;
  readonly name: string;
  readonly isFolder: boolean;
  /** In a folder at any depth; 1 of a file. */
  readonly fileCount: number;
  readonly sizeBytes: number;
  readonly parent: number;
}

export type FolderOrder = 'name' | 'size';

export interface FolderQuery {
  readonly torrentId: number;
  /** Position of the folder; NO_PARENT for the top. */
  readonly folder: number;
  readonly order: FolderOrder;
  /** The page goes on after the row with this position, or ends before it. */
  readonly after?: number | undefined;
  readonly before?: number | undefined;
}

export interface FolderPage {
  readonly rows: readonly FolderRow[];
  /** Whether there are rows on either side of them. */
  readonly hasPrevious: boolean;
  readonly hasNext: boolean;
}

/** Undefined when there is none of that position. */
export async function folderRow(
  sql: Sql,
  torrentId: number,
  position: number,
): Promise<FolderRow | undefined> {
  const row = await rowsOf(sql, torrentId).where('position', '=', position).executeTakeFirst();
  return row && shown(row);
}

/** The folders that lead to a row, from the top, itself last. */
export async function wayTo(sql: Sql, torrentId: number, row: FolderRow): Promise<FolderRow[]> {
  const way = [row];
  while (way.length < DEPTH_MAX) {
    const { parent } = way[0]!;
    const above = parent === NO_PARENT ? undefined : await folderRow(sql, torrentId, parent);
    if (above === undefined) break;
    way.unshift(above);
  }
  return way;
}

/** The row of a name in a folder; undefined when it has none such. */
export async function childOf(
  sql: Sql,
  of: { readonly torrentId: number; readonly folder: number },
  name: string,
): Promise<FolderRow | undefined> {
  const rows = await rowsOf(sql, of.torrentId)
    .where('parent', '=', of.folder)
    .where('name_key', '=', nameKey(name))
    .execute();
  return rows.map(shown).find((row) => row.name === name);
}

/** Everything below a folder at any depth, in the order of the tree, after `after`; at most `limit`. */
export async function rowsBelow(
  sql: Sql,
  within: { readonly torrentId: number; readonly path: string; readonly after: number },
  limit: number,
): Promise<FolderRow[]> {
  const rows = await rowsOf(sql, within.torrentId)
    .where('position', '>', within.after)
    .orderBy('position')
    .limit(limit)
    .execute();
  const end = rows.findIndex((row) => !row.path.startsWith(within.path));
  return (end === -1 ? rows : rows.slice(0, end)).map(shown);
}

/** Of a folder in the order of the tree, after that position; at most `limit`. */
export async function childrenAfter(
  sql: Sql,
  of: { readonly torrentId: number; readonly folder: number; readonly after: number },
  limit: number,
): Promise<FolderRow[]> {
  const rows = await rowsOf(sql, of.torrentId)
    .where('parent', '=', of.folder)
    .where('position', '>', of.after)
    .orderBy('position')
    .limit(limit)
    .execute();
  return rows.map(shown);
}

/** A position that is not in the folder gives its first page. */
export async function folderPage(sql: Sql, query: FolderQuery): Promise<FolderPage> {
  const key = query.before ?? query.after;
  const from = key === undefined ? undefined : await folderRow(sql, query.torrentId, key);
  const isIn = from !== undefined && from.parent === query.folder;
  const start = isIn ? from : undefined;
  const isBack = isIn && query.before !== undefined;
  const found = await rowsFrom(sql, query, { start, isBack });
  const isMore = found.length > FOLDER_ROWS_MAX;
  const rows = found.slice(0, FOLDER_ROWS_MAX);
  // Nothing is before the first: an address that says so is the first page's.
  if (isBack && rows.length === 0) return await folderPage(sql, { ...query, before: undefined });
  if (isBack) return { rows: rows.toReversed(), hasPrevious: isMore, hasNext: true };
  return { rows, hasPrevious: isIn, hasNext: isMore };
}

/** For a page that shows the beginning only. */
export async function largestAtTop(sql: Sql, torrentId: number): Promise<readonly FolderRow[]> {
  const rows = await rowsOf(sql, torrentId)
    .where('parent', '=', NO_PARENT)
    .orderBy('size_bytes', 'desc')
    .orderBy('position')
    .limit(LARGEST_MAX)
    .execute();
  return rows.map(shown);
}

interface From {
  readonly start: FolderRow | undefined;
  readonly isBack: boolean;
}

/** One more than a page, away from `start`. */
async function rowsFrom(sql: Sql, query: FolderQuery, from: From): Promise<FolderRow[]> {
  const { start, isBack } = from;
  const limit = FOLDER_ROWS_MAX + 1;
  const children = rowsOf(sql, query.torrentId).where('parent', '=', query.folder);
  const direction = isBack ? 'desc' : 'asc';
  const beyond = isBack ? '<' : '>';
  if (query.order === 'name') {
    const all = start === undefined ? children : children.where('position', beyond, start.position);
    return (await all.orderBy('position', direction).limit(limit).execute()).map(shown);
  }
  const bySize = (rows: typeof children) =>
    rows.orderBy('size_bytes', isBack ? 'asc' : 'desc').orderBy('position', direction);
  if (start === undefined) return (await bySize(children).limit(limit).execute()).map(shown);
  // In two steps: of a million files of one size an `or` of both would be walked through each time.
  const same = await children
    .where('size_bytes', '=', start.sizeBytes)
    .where('position', beyond, start.position)
    .orderBy('position', direction)
    .limit(limit)
    .execute();
  const others = await bySize(children.where('size_bytes', isBack ? '>' : '<', start.sizeBytes))
    .limit(limit - same.length)
    .execute();
  return [...same, ...others].map(shown);
}

/**
 * Where a name stands in a folder: the folder that begins with it, else the first file that is not before
 * it, else the first such folder. Undefined when all are before it. Positions are in the order of the
 * tree, so it takes as many steps as a position has binary digits, however many lie in the folder.
 */
export async function firstFrom(
  sql: Sql,
  of: { readonly torrentId: number; readonly folder: FolderRow | undefined },
  name: string,
): Promise<FolderRow | undefined> {
  const { torrentId, folder } = of;
  const top = { position: NO_PARENT, path: '' };
  const { position: start, path: prefix } = folder ?? top;
  const last = await rowsOf(sql, torrentId)
    .where('parent', '=', start)
    .orderBy('position', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (last === undefined) return undefined;
  const range = { torrentId, low: start + 1, high: last.position };
  const isFrom = (row: FolderRow, kind: 'folder' | 'file'): boolean => {
    const below = row.path.slice(prefix.length);
    const end = below.indexOf('/');
    if (kind === 'folder') return end === -1 || compareNames(below.slice(0, end), name) >= 0;
    return end === -1 && compareNames(below, name) >= 0;
  };
  const found = await firstOf(sql, range, (row) => isFrom(row, 'folder'));
  const folderFound = found?.isFolder === true ? found : undefined;
  if (folderFound !== undefined && startsWith(folderFound.name, name)) return folderFound;
  return (await firstOf(sql, range, (row) => isFrom(row, 'file'))) ?? folderFound;
}

function startsWith(name: string, wanted: string): boolean {
  return compareNames(name.slice(0, wanted.length).toLowerCase(), wanted.toLowerCase()) === 0;
}

/** The first row in the range that passes; every row after one that does passes too. */
async function firstOf(
  sql: Sql,
  range: { readonly torrentId: number; readonly low: number; readonly high: number },
  passes: (row: FolderRow) => boolean,
): Promise<FolderRow | undefined> {
  let { low, high } = range;
  let found: FolderRow | undefined;
  while (low <= high) {
    const middle = Math.floor((low + high) / 2);
    const row = await folderRow(sql, range.torrentId, middle);
    if (row === undefined) return found;
    if (passes(row)) {
      found = row;
      high = middle - 1;
    } else low = middle + 1;
  }
  return found;
}

function rowsOf(sql: Sql, torrentId: number) {
  return sql
    .read<CatalogueTables>()
    .selectFrom('torrent_entry')
    .select(['position', 'path', 'file_count', 'size_bytes', 'parent'])
    .where('torrent_id', '=', torrentId);
}

function shown(row: {
  position: number;
  path: string;
  file_count: number;
  size_bytes: number;
  parent: number;
}): FolderRow {
  const { position, path, parent, file_count: fileCount, size_bytes: sizeBytes } = row;
  const isFolder = path.endsWith('/');
  return { position, path, name: nameOf(path), isFolder, fileCount, sizeBytes, parent };
}
