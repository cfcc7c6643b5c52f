// Which torrents the archive keeps, and of which files they are made. A file that two torrents share is
// one row: it is found by its root.

import type { Transaction } from 'kysely';
import type { WrittenFile } from '#archive/content/file-writer.ts';
import { queueChange } from '#archive/events/event-tables.ts';
import { assert } from '#base/assert.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import type { Sql } from '#sql/sql.ts';
import type { ArchiveTables } from './archive-tables.ts';
import { saveSpareMap } from './spare-maps.ts';

const ROWS_AT_ONCE = 200;

/** A file as it is kept: what gives its bytes. */
export interface KeptFile {
  readonly id: number;
  readonly bytes: number;
  readonly mapRef: BlobRef;
}

/**
 * Keeps the torrent: its files in its own order, pad files left out. Their blobs are on disk already.
 * Again for a torrent that is kept is fine, and replaces what was said of it. @throws SqlError
 */
export async function keepTorrent(
  sql: Sql,
  torrent: { readonly id: number; readonly files: readonly WrittenFile[]; readonly nowMs: number },
): Promise<void> {
  const { id, files, nowMs } = torrent;
  await sql.transaction<ArchiveTables, void>(async (transaction) => {
    await transaction
      .insertInto('archive_torrent')
      .values({ torrent_id: id, kept_ms: nowMs })
      // Of two at the same moment the second one waits here.
      .onConflict((of) => of.column('torrent_id').doUpdateSet({ kept_ms: nowMs }))
      .execute();
    await transaction.deleteFrom('archive_entry').where('torrent_id', '=', id).execute();
    const entries: { torrent_id: number; position: number; file_id: number | null }[] = [];
    for (const [position, file] of files.entries()) {
      const fileId = await saveFile(transaction, file, nowMs);
      entries.push({ torrent_id: id, position, file_id: fileId });
    }
    for (let at = 0; at < entries.length; at += ROWS_AT_ONCE) {
      await transaction
        .insertInto('archive_entry')
        .values(entries.slice(at, at + ROWS_AT_ONCE))
        .execute();
    }
    await queueChange(transaction, { kind: 'keep', torrentId: id, nowMs });
  });
}

/** Writes the file down, or finds it by its root: its id. Null for an empty file. */
export async function saveFile(
  transaction: Transaction<ArchiveTables>,
  { map, mapRef }: WrittenFile,
  nowMs: number,
): Promise<number | null> {
  if (map === undefined) return null;
  assert(mapRef !== undefined, 'a file with a map has its blob');
  const row = await transaction
    .insertInto('archive_file')
    .values({
      root: map.root,
      size_bytes: map.bytes,
      map_ref: mapRef,
      stored_ms: nowMs,
      checked_ms: nowMs,
    })
    // The bytes were stored again just now, so whatever was damaged is whole.
    .onConflict((of) => of.column('root').doUpdateSet({ map_ref: mapRef, checked_ms: nowMs }))
    .returning('id')
    .executeTakeFirstOrThrow();
  await saveSpareMap(transaction, row.id, map);
  await transaction.deleteFrom('archive_damage').where('file_id', '=', row.id).execute();
  return row.id;
}

/** False when it was not kept. The blobs stay until the next collection of garbage. */
export async function releaseTorrent(sql: Sql, torrentId: number, nowMs = 0): Promise<boolean> {
  return await sql.transaction<ArchiveTables, boolean>(async (transaction) => {
    const { numDeletedRows } = await transaction
      .deleteFrom('archive_torrent')
      .where('torrent_id', '=', torrentId)
      .executeTakeFirst();
    if (numDeletedRows === 0n) return false;
    await queueChange(transaction, { kind: 'drop', torrentId, nowMs });
    return true;
  });
}

export async function isKept(sql: Sql, torrentId: number): Promise<boolean> {
  const row = await sql
    .read<ArchiveTables>()
    .selectFrom('archive_torrent')
    .select('torrent_id')
    .where('torrent_id', '=', torrentId)
    .executeTakeFirst();
  return row !== undefined;
}

/** Those of a kept torrent by their position; an empty file is undefined. None when it is not kept. */
export async function filesOfTorrent(
  sql: Sql,
  torrentId: number,
): Promise<readonly (KeptFile | undefined)[]> {
  const rows = await sql
    .read<ArchiveTables>()
    .selectFrom('archive_entry')
    .leftJoin('archive_file', 'archive_file.id', 'archive_entry.file_id')
    .select(['archive_file.id', 'size_bytes', 'map_ref'])
    .where('torrent_id', '=', torrentId)
    .orderBy('position')
    .execute();
  return rows.map(({ id, size_bytes: bytes, map_ref: ref }) => {
    if (id === null || bytes === null || ref === null) return undefined;
    const mapRef = blobRef(ref);
    assert(mapRef !== undefined, 'the name of a map was written by this program');
    return { id, bytes, mapRef };
  });
}
