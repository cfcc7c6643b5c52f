// What a share leads to: torrents, folders and files of torrents that the archive keeps. One link may lead
// to several, a collection. Each has a depth, and each ends for itself.

import type { Selectable, Transaction } from 'kysely';
import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import { releaseTorrent } from '#archive/catalogue/kept-torrents.ts';
import type { CatalogueTables } from '#site/catalogue/catalogue-tables.ts';
import { shownHash } from '#site/catalogue/find-torrent.ts';
import type { Sql } from '#sql/sql.ts';
import type { ShareTables } from './share-tables.ts';

/** Of one share. */
export const SHARE_ITEMS_MAX = 100;
const LABEL_CHARS_MAX = 200;

type Tables = ShareTables & ArchiveTables & CatalogueTables;

export interface NewShareItem {
  readonly torrentId: number;
  /** Of the file or folder; -1 for all of the torrent. */
  readonly position: number;
  readonly label: string;
  /** Levels of folders below it, 0 for none; undefined for as many as there are. */
  readonly depth: number | undefined;
}

export interface ShareItem extends NewShareItem {
  readonly shareId: number;
  /** Within its share. */
  readonly place: number;
}

/** One, as its member and the staff see it. */
export interface ListedItem extends ShareItem {
  readonly torrentTitle: string;
  /** 40 hex digits. */
  readonly infoHash: string;
  readonly kind: 'torrent' | 'folder' | 'file';
  /** From the torrent's top; empty of a torrent. */
  readonly path: string;
  readonly fileCount: number;
  readonly sizeBytes: number;
  /** Whether it is given: its torrent is there and was kept all the time. */
  readonly isOpen: boolean;
}

/** Those that are given, in their order. */
export async function openItemsOf(sql: Sql, shareId: number): Promise<readonly ShareItem[]> {
  const rows = await openItems(sql).where('share_id', '=', shareId).orderBy('place').execute();
  return rows.map(itemOf);
}

/** Rows of items whose torrents are there and kept. */
export function openItems(sql: Sql) {
  return sql
    .read<Tables>()
    .selectFrom('share_item')
    .innerJoin('torrent', 'torrent.id', 'share_item.torrent_id')
    .innerJoin('archive_torrent', 'archive_torrent.torrent_id', 'share_item.torrent_id')
    .selectAll('share_item')
    .where('share_item.ended_ms', 'is', null)
    .where('torrent.removed_ms', 'is', null);
}

/** Of each of these shares, by its id, in their order; also those that are over. */
export async function listItems(
  sql: Sql,
  shareIds: readonly number[],
): Promise<ReadonlyMap<number, readonly ListedItem[]>> {
  const listed = new Map<number, ListedItem[]>();
  if (shareIds.length === 0) return listed;
  const rows = await sql
    .read<Tables>()
    .selectFrom('share_item')
    .innerJoin('torrent', 'torrent.id', 'share_item.torrent_id')
    .leftJoin('archive_torrent', 'archive_torrent.torrent_id', 'share_item.torrent_id')
    .leftJoin('torrent_entry', (join) =>
      join
        .onRef('torrent_entry.torrent_id', '=', 'share_item.torrent_id')
        .onRef('torrent_entry.position', '=', 'share_item.position'),
    )
    .selectAll('share_item')
    .select(['title', 'info_hash_v1', 'info_hash_v2', 'removed_ms', 'kept_ms'])
    .select(['torrent.file_count as files', 'torrent.size_bytes as bytes'])
    .select(['path', 'torrent_entry.file_count', 'torrent_entry.size_bytes'])
    .where('share_id', 'in', shareIds)
    .orderBy('share_id')
    .orderBy('place')
    .execute();
  for (const row of rows) {
    const items = listed.get(row.share_id) ?? [];
    items.push({
      ...itemOf(row),
      torrentTitle: row.title,
      infoHash: shownHash(row.info_hash_v1, row.info_hash_v2),
      kind: row.path === null ? 'torrent' : row.path.endsWith('/') ? 'folder' : 'file',
      path: row.path ?? '',
      fileCount: row.file_count ?? row.files,
      sizeBytes: row.size_bytes ?? row.bytes,
      isOpen: row.ended_ms === null && row.removed_ms === null && row.kept_ms !== null,
    });
    listed.set(row.share_id, items);
  }
  return listed;
}

/** In the order given, from that place on. */
export async function insertItems(
  transaction: Transaction<ShareTables>,
  share: { readonly id: number; readonly from: number },
  items: readonly NewShareItem[],
): Promise<void> {
  const rows = items.map(({ torrentId, position, label, depth }, at) => ({
    ...{ share_id: share.id, place: share.from + at, torrent_id: torrentId, position },
    label: shortLabel(label),
    ...{ depth: depth ?? null, ended_ms: null },
  }));
  await transaction.insertInto('share_item').values(rows).execute();
}

export function shortLabel(label: string): string {
  return [...label].slice(0, LABEL_CHARS_MAX).join('').toWellFormed();
}

/**
 * The archive lets go of a torrent: what was shared of it is over for good, also in collections and when it
 * is kept again. False when it was not kept.
 */
export async function letGo(sql: Sql, torrentId: number, nowMs: number): Promise<boolean> {
  return await releaseTorrent(sql, torrentId, nowMs, async (transaction) => {
    await (transaction as unknown as Transaction<ShareTables>)
      .updateTable('share_item')
      .set({ ended_ms: nowMs })
      .where('torrent_id', '=', torrentId)
      .where('ended_ms', 'is', null)
      .execute();
  });
}

function itemOf(row: Selectable<ShareTables['share_item']>): ShareItem {
  return {
    shareId: row.share_id,
    place: row.place,
    torrentId: row.torrent_id,
    position: row.position,
    label: row.label,
    depth: row.depth ?? undefined,
  };
}
