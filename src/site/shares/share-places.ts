// What an address of a share names: one of its items, or a file or folder below it. Whoever has no account
// is nobody here but the link they came with, so all they name is looked for below what is shared, and no
// deeper than that is.

import { NO_PARENT } from '#site/catalogue/file-entries.ts';
import { findTorrent, type Torrent } from '#site/catalogue/find-torrent.ts';
import { type FolderRow, folderRow } from '#site/folders/folder-rows.ts';
import type { Visit } from '#site/visit.ts';
import { openItemsOf, type ShareItem } from './share-items.ts';
import { findOpenShare, type Share } from './shares.ts';

/** An item with what it leads to. */
export interface SharedItem {
  readonly item: ShareItem;
  readonly torrent: Torrent;
  /** The file or folder; undefined when all of the torrent is shared. */
  readonly root: FolderRow | undefined;
}

/** A share with what it leads to. */
export interface Shared {
  readonly share: Share;
  readonly token: string;
  /** At least one. */
  readonly items: readonly SharedItem[];
}

/** A place in an item: a file or folder; its top when there is no row. */
export interface Spot extends SharedItem {
  readonly row: FolderRow | undefined;
}

export async function sharedOf(visit: Visit): Promise<Shared | undefined> {
  const { parts } = visit;
  const token = visit.param('token');
  const share = await findOpenShare(parts, token);
  if (share === undefined) return undefined;
  const items: SharedItem[] = [];
  for (const item of await openItemsOf(parts.sql, share.id)) {
    const torrent = await findTorrent(parts.sql, item.torrentId);
    if (torrent === undefined) continue;
    const isAll = item.position === NO_PARENT;
    const root = isAll ? undefined : await folderRow(parts.sql, torrent.id, item.position);
    if (isAll || root !== undefined) items.push({ item, torrent, root });
  }
  return items.length === 0 ? undefined : { share, token, items };
}

/** Whether the link leads to several things, each with a page of its own. */
export function isCollection({ items }: Shared): boolean {
  return items.length > 1 || (items[0]?.item.place ?? 0) > 0;
}

/** As addresses have it: `3`, the row at that position of the first item; `2-3` of another; `2-all`. */
export function spotName(shared: Shared, { item, row, root }: Spot): string {
  const isTop = row === undefined || row.position === root?.position;
  const within = isTop ? 'all' : String(row.position);
  return isCollection(shared) ? `${item.place}-${within}` : within;
}

/** Undefined for all that is not shared. `text` is as `spotName` has it. */
export async function spotOf(
  visit: Visit,
  shared: Shared,
  text: string,
): Promise<Spot | undefined> {
  const [, place = '0', within = ''] = /^(?:(\d{1,4})-)?(all|\d{1,10})$/.exec(text) ?? [];
  const found = shared.items.find(({ item }) => item.place === Number(place));
  if (found === undefined || within === '') return undefined;
  const { item, torrent, root } = found;
  if (within === 'all') return { ...found, row: root };
  const row = await folderRow(visit.parts.sql, torrent.id, Number(within));
  if (row === undefined) return undefined;
  if (root !== undefined && row.position !== root.position) {
    if (!root.isFolder || !row.path.startsWith(root.path)) return undefined;
  }
  return isWithin(item, root, row) ? { ...found, row } : undefined;
}

/** Whether a row below an item's root is no deeper than is shared. */
export function isWithin(
  { depth }: Pick<ShareItem, 'depth'>,
  root: FolderRow | undefined,
  row: Pick<FolderRow, 'path'>,
): boolean {
  return depth === undefined || levelsBelow(root, row) <= depth;
}

/** Levels that may still be shared below a place; undefined for all. */
export function depthLeft({ item, root, row }: Spot): number | undefined {
  if (item.depth === undefined || row === undefined) return item.depth;
  return Math.max(0, item.depth - levelsBelow(root, row));
}

/** How many folders lie between: a file in the root has none, a folder in it is one. */
function levelsBelow(root: FolderRow | undefined, { path }: Pick<FolderRow, 'path'>): number {
  const below = path.slice(root?.path.length ?? 0);
  return below.split('/').length - 1;
}
