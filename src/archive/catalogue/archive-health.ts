// What is known of the state of what the archive keeps: which segments are damaged, and when each file
// was last proven.

import type { Kysely } from 'kysely';
import type { FileMap } from '#archive/content/file-map.ts';
import { assert } from '#base/assert.ts';
import type { BlobRef } from '#base/ids.ts';
import { blobRef } from '#base/ids.ts';
import { integerSum } from '#sql/dialect.ts';
import { fixedQuery } from '#sql/fixed-query.ts';
import type { Sql } from '#sql/sql.ts';
import type { ArchiveTables } from './archive-tables.ts';
import type { KeptFile } from './kept-torrents.ts';
import { saveSpareMaps } from './spare-maps.ts';

const ROWS_AT_ONCE = 200;

export interface Damage {
  /** From 0; -1 for the file's map itself. */
  readonly segment: number;
  readonly kind: 'missing' | 'corrupt';
}

/** Of one kept torrent, or of all together. */
export interface ArchiveHealth {
  readonly files: number;
  readonly bytes: number;
  /** With a damaged segment. */
  readonly damagedFiles: number;
  readonly damagedSegments: number;
  /** When the file that waits longest was proven; undefined without files. Unix milliseconds. */
  readonly checkedMs: number | undefined;
}

/** Undefined when the torrent is not kept. */
export async function torrentHealth(
  sql: Sql,
  torrentId: number,
): Promise<ArchiveHealth | undefined> {
  const tables = sql.read<ArchiveTables>();
  const kept = await tables
    .selectFrom('archive_torrent')
    .select('torrent_id')
    .where('torrent_id', '=', torrentId)
    .executeTakeFirst();
  if (kept === undefined) return undefined;
  const entries = tables.selectFrom('archive_entry').where('torrent_id', '=', torrentId);
  return await healthOf(tables, entries);
}

/** Torrents of which something is known to be damaged: of the first thousand such files, for lists. */
export const damagedTorrents = fixedQuery((reading: Kysely<ArchiveTables>) =>
  reading
    .selectFrom('archive_entry')
    .where('file_id', 'in', (of) =>
      of.selectFrom('archive_damage').select('file_id').distinct().orderBy('file_id').limit(1000),
    )
    .select('torrent_id')
    .distinct(),
);

/** Of everything that is kept. */
export async function archiveHealth(sql: Sql): Promise<ArchiveHealth> {
  const tables = sql.read<ArchiveTables>();
  return await healthOf(tables, tables.selectFrom('archive_entry'));
}

async function healthOf(
  tables: Kysely<ArchiveTables>,
  entries: ReturnType<typeof entriesOf>,
): Promise<ArchiveHealth> {
  const files = await tables
    .selectFrom('archive_file')
    .where('id', 'in', entries.select('file_id').distinct())
    .select((of) => [
      of.fn.countAll<number>().as('files'),
      integerSum(of.ref('size_bytes')).as('bytes'),
      of.fn.min<number | null>('checked_ms').as('checkedMs'),
    ])
    .executeTakeFirstOrThrow();
  const damage = await tables
    .selectFrom('archive_damage')
    // Asked of each that is damaged, for these are few: a torrent may have a million files.
    .where((of) =>
      of.exists(
        entries
          .select('archive_entry.file_id')
          .where('archive_entry.file_id', '=', of.ref('archive_damage.file_id')),
      ),
    )
    .select((of) => [
      of.fn.count<number>('file_id').distinct().as('damagedFiles'),
      of.fn.countAll<number>().as('damagedSegments'),
    ])
    .executeTakeFirstOrThrow();
  const { bytes, checkedMs } = files;
  return { ...damage, files: files.files, bytes: bytes ?? 0, checkedMs: checkedMs ?? undefined };
}

/** Only for its type. */
function entriesOf(tables: Kysely<ArchiveTables>) {
  return tables.selectFrom('archive_entry');
}

/** Files that some torrent has and that were last proven before `beforeMs`, longest ago first. */
export async function filesToCheck(
  sql: Sql,
  beforeMs: number,
  filesMax: number,
): Promise<readonly KeptFile[]> {
  const rows = await sql
    .read<ArchiveTables>()
    .selectFrom('archive_file')
    .select(['id', 'size_bytes', 'map_ref'])
    .where('checked_ms', '<', beforeMs)
    .where((of) =>
      of.exists(
        of
          .selectFrom('archive_entry')
          .select('file_id')
          .whereRef('file_id', '=', 'archive_file.id'),
      ),
    )
    .orderBy('checked_ms')
    .orderBy('id')
    .limit(filesMax)
    .execute();
  return rows.map((row) => {
    const mapRef: BlobRef | undefined = blobRef(row.map_ref);
    assert(mapRef !== undefined, 'the name of a map was written by this program');
    return { id: row.id, bytes: row.size_bytes, mapRef };
  });
}

export interface FoundCheck {
  readonly fileId: number;
  readonly damage: readonly Damage[];
  /** When it could be read: the catalogue has it too then. */
  readonly map?: FileMap | undefined;
}

/** What checks of whole files found, in the place of what was known before. */
export async function saveChecks(
  sql: Sql,
  checks: readonly FoundCheck[],
  nowMs: number,
): Promise<void> {
  const ids = checks.map(({ fileId }) => fileId);
  await sql.transaction<ArchiveTables, void>(async (transaction) => {
    const known = await transaction
      .selectFrom('archive_damage')
      .select(['file_id', 'segment', 'found_ms'])
      .where('file_id', 'in', ids)
      .execute();
    const since = new Map(known.map((row) => [`${row.file_id} ${row.segment}`, row.found_ms]));
    if (known.length > 0) {
      await transaction.deleteFrom('archive_damage').where('file_id', 'in', ids).execute();
    }
    const found = checks.flatMap(({ fileId, damage }) =>
      damage.map(({ segment, kind }) => ({
        ...{ file_id: fileId, segment, kind },
        found_ms: since.get(`${fileId} ${segment}`) ?? nowMs,
      })),
    );
    for (let at = 0; at < found.length; at += ROWS_AT_ONCE) {
      const rows = found.slice(at, at + ROWS_AT_ONCE);
      await transaction.insertInto('archive_damage').values(rows).execute();
    }
    for (const { fileId, map } of checks) {
      if (map !== undefined) await saveSpareMaps(transaction, [{ fileId, map }]);
    }
    await transaction
      .updateTable('archive_file')
      .set({ checked_ms: nowMs })
      .where('id', 'in', ids)
      .execute();
  });
}
