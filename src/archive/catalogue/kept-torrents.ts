// Which torrents the archive keeps, and of which files they are made. A file that two torrents share is
// one row: it is found by its root.

import type { Selectable, Transaction } from 'kysely';
import type { FileMap } from '#archive/content/file-map.ts';
import type { WrittenFile } from '#archive/content/file-writer.ts';
import { queueChange } from '#archive/events/event-tables.ts';
import { assert } from '#base/assert.ts';
import { toHex } from '#base/bytes.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import { insertColumns } from '#sql/row-columns.ts';
import type { Sql } from '#sql/sql.ts';
import type { ArchiveTables } from './archive-tables.ts';
import { saveSpareMaps } from './spare-maps.ts';

const ROWS_AT_ONCE = 200;
const FILES_AT_ONCE = 2000;
const MAP_BYTES_AT_ONCE = 4 * 1024 * 1024;
const ENTRIES_AT_ONCE = 10_000;
/** What a page brings keeps the thread for a few milliseconds. */
export const FILES_A_PAGE = 5000;

/** A file as it is kept: what gives its bytes. */
export interface KeptFile {
  readonly id: number;
  readonly bytes: number;
  readonly mapRef: BlobRef;
  /** The pieces root of BEP 52, 64 lower-case hex digits; absent where nobody asks for it. */
  readonly root?: string;
}

/** All that the catalogue has of it. */
export interface CataloguedFile {
  readonly id: number;
  readonly bytes: number;
  readonly mapRef: BlobRef;
  /** 32 bytes. */
  readonly root: Uint8Array;
  /** Unix milliseconds. */
  readonly storedMs: number;
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
  // Before, by transactions of their own: what no torrent has yet is told to nobody, and a writer that
  // is kept for as long as hundreds of thousands take keeps everybody waiting.
  const ids: (number | null)[] = [];
  for (const some of batchesOf(files)) {
    const saved = await sql.transaction<ArchiveTables, readonly (number | null)[]>(
      async (transaction) => await saveFiles(transaction, some, nowMs),
    );
    for (const fileId of saved) ids.push(fileId);
  }
  await sql.transaction<ArchiveTables, void>(async (transaction) => {
    await transaction
      .insertInto('archive_torrent')
      .values({ torrent_id: id, kept_ms: nowMs })
      // Of two at the same moment the second one waits here.
      .onConflict((of) => of.column('torrent_id').doUpdateSet({ kept_ms: nowMs }))
      .execute();
    await transaction.deleteFrom('archive_entry').where('torrent_id', '=', id).execute();
    await insertEntries(transaction, id, ids);
    await queueChange(transaction, { kind: 'keep', torrentId: id, nowMs });
  });
}

/** Of a statement each: so many files, or so many bytes of their maps. */
function* batchesOf(files: readonly WrittenFile[]): Generator<readonly WrittenFile[]> {
  let batch: WrittenFile[] = [];
  let bytes = 0;
  for (const file of files) {
    batch.push(file);
    bytes += file.map?.segments.length ?? 0;
    if (batch.length < FILES_AT_ONCE && bytes < MAP_BYTES_AT_ONCE) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

/** By their position; null for an empty file. Of a torrent that has none yet. */
export async function insertEntries(
  transaction: Transaction<ArchiveTables>,
  torrentId: number,
  ids: readonly (number | null)[],
): Promise<void> {
  for (let from = 0; from < ids.length; from += ENTRIES_AT_ONCE) {
    const some = ids.slice(from, from + ENTRIES_AT_ONCE);
    await insertSome(transaction, torrentId, { from, ids: some });
  }
}

async function insertSome(
  transaction: Transaction<ArchiveTables>,
  torrentId: number,
  { from, ids }: { readonly from: number; readonly ids: readonly (number | null)[] },
): Promise<void> {
  const all = ids.map((fileId, at) => ({ position: from + at, fileId }));
  const files = all.filter(({ fileId }) => fileId !== null);
  const empty = all.filter(({ fileId }) => fileId === null);
  await insertColumns(transaction, {
    table: 'archive_entry',
    columns: [
      numbers('torrent_id', files, () => torrentId),
      numbers('position', files, ({ position }) => position),
      numbers('file_id', files, ({ fileId }) => fileId ?? 0),
    ],
  });
  for (let at = 0; at < empty.length; at += ROWS_AT_ONCE) {
    const rows = empty.slice(at, at + ROWS_AT_ONCE);
    await transaction
      .insertInto('archive_entry')
      .values(rows.map(({ position }) => ({ torrent_id: torrentId, position, file_id: null })))
      .execute();
  }
}

/** A column of them. */
export function numbers<Row>(name: string, rows: readonly Row[], of: (row: Row) => number) {
  return { name, type: 'bigint', values: Float64Array.from(rows, of) } as const;
}

/** Writes the file down, or finds it by its root: its id. Null for an empty file. */
export async function saveFile(
  transaction: Transaction<ArchiveTables>,
  file: WrittenFile,
  nowMs: number,
): Promise<number | null> {
  const [id = null] = await saveFiles(transaction, [file], nowMs);
  return id;
}

/** The same for many at once; no more than a statement has parameters. */
async function saveFiles(
  transaction: Transaction<ArchiveTables>,
  files: readonly WrittenFile[],
  nowMs: number,
): Promise<readonly (number | null)[]> {
  // One row for each root: no statement may write a row twice.
  const byRoot = new Map<string, { readonly map: FileMap; readonly mapRef: BlobRef }>();
  for (const { map, mapRef } of files) {
    if (map === undefined) continue;
    assert(mapRef !== undefined, 'a file with a map has its blob');
    byRoot.set(toHex(map.root), { map, mapRef });
  }
  if (byRoot.size === 0) return files.map(() => null);
  const all = [...byRoot.values()];
  await insertColumns(transaction, {
    table: 'archive_file',
    columns: [
      { name: 'root', type: 'bytes', values: all.map(({ map }) => map.root) },
      numbers('size_bytes', all, ({ map }) => map.bytes),
      { name: 'map_ref', type: 'text', values: all.map(({ mapRef }) => mapRef) },
      numbers('stored_ms', all, () => nowMs),
      numbers('checked_ms', all, () => nowMs),
    ],
    // The bytes were stored again just now, so whatever was damaged is whole.
    onConflict: '(root) do update set map_ref = excluded.map_ref, checked_ms = excluded.checked_ms',
  });
  const roots = all.map(({ map }) => map.root);
  const rows = await transaction
    .selectFrom('archive_file')
    .select(['id', 'root'])
    .where('root', 'in', roots)
    .execute();
  const ids = new Map(rows.map(({ id, root }) => [toHex(root), id]));
  const maps = [...byRoot].map(([root, { map }]) => ({ fileId: ids.get(root) ?? 0, map }));
  await saveSpareMaps(transaction, maps);
  const saved = [...ids.values()];
  await transaction.deleteFrom('archive_damage').where('file_id', 'in', saved).execute();
  return files.map(({ map }) => (map === undefined ? null : (ids.get(toHex(map.root)) ?? null)));
}

/**
 * False when it was not kept. The blobs stay until the next collection of garbage. `alongside` ends what
 * stands on it, in the same transaction.
 */
export async function releaseTorrent(
  sql: Sql,
  torrentId: number,
  nowMs = 0,
  alongside?: (transaction: Transaction<ArchiveTables>) => Promise<void>,
): Promise<boolean> {
  return await sql.transaction<ArchiveTables, boolean>(async (transaction) => {
    const { numDeletedRows } = await transaction
      .deleteFrom('archive_torrent')
      .where('torrent_id', '=', torrentId)
      .executeTakeFirst();
    if (numDeletedRows === 0n) return false;
    await queueChange(transaction, { kind: 'drop', torrentId, nowMs });
    await alongside?.(transaction);
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

/**
 * Those of a kept torrent by their position, an empty file undefined, in pages of FILES_A_PAGE, the last one
 * shorter. None when it is not kept.
 */
export async function* filePages(
  sql: Sql,
  torrentId: number,
): AsyncGenerator<readonly (CataloguedFile | undefined)[]> {
  for (let from = 0; ; from += FILES_A_PAGE) {
    const rows = await sql
      .read<ArchiveTables>()
      .selectFrom('archive_entry')
      .leftJoin('archive_file', 'archive_file.id', 'archive_entry.file_id')
      .select(['archive_file.id', 'size_bytes', 'map_ref', 'root', 'stored_ms'])
      .where('torrent_id', '=', torrentId)
      .where('position', '>=', from)
      .where('position', '<', from + FILES_A_PAGE)
      .orderBy('position')
      .execute();
    if (rows.length > 0) yield rows.map(cataloguedFile);
    if (rows.length < FILES_A_PAGE) return;
  }
}

type Nullable<Row> = { readonly [Column in keyof Row]: Row[Column] | null };

function cataloguedFile(
  row: Nullable<
    Pick<
      Selectable<ArchiveTables['archive_file']>,
      'id' | 'size_bytes' | 'map_ref' | 'root' | 'stored_ms'
    >
  >,
): CataloguedFile | undefined {
  const { id, size_bytes: bytes, map_ref: ref, root, stored_ms: storedMs } = row;
  if (id === null || bytes === null || ref === null || root === null || storedMs === null) {
    return undefined;
  }
  const mapRef = blobRef(ref);
  assert(mapRef !== undefined, 'the name of a map was written by this program');
  return { id, bytes, mapRef, root, storedMs };
}

/** Files of a kept torrent; 0 when it is not kept. */
export async function countEntries(sql: Sql, torrentId: number): Promise<number> {
  const row = await sql
    .read<ArchiveTables>()
    .selectFrom('archive_entry')
    .select('position')
    .where('torrent_id', '=', torrentId)
    .orderBy('position', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? 0 : row.position + 1;
}

/** Of a kept torrent, by its position; undefined for an empty one, and where there is none. */
export async function fileAt(
  sql: Sql,
  torrentId: number,
  position: number,
): Promise<KeptFile | undefined> {
  const row = await sql
    .read<ArchiveTables>()
    .selectFrom('archive_entry')
    .innerJoin('archive_file', 'archive_file.id', 'archive_entry.file_id')
    .select(['archive_file.id', 'size_bytes', 'map_ref', 'root', 'stored_ms'])
    .where('torrent_id', '=', torrentId)
    .where('position', '=', position)
    .executeTakeFirst();
  const file = row && cataloguedFile(row);
  return file && { id: file.id, bytes: file.bytes, mapRef: file.mapRef, root: toHex(file.root) };
}
