// The maps of files once more, in the catalogue: a map whose blob was lost is made again from there, and
// nobody else has to be asked.

import type { Transaction } from 'kysely';
import { encodeFileMap, type FileMap } from '#archive/content/file-map.ts';
import type { Healer, LostSegment } from '#archive/verify/check-file.ts';
import { insertColumns } from '#sql/row-columns.ts';
import type { Sql } from '#sql/sql.ts';
import type { ArchiveTables } from './archive-tables.ts';

/** At least one, each of another file. */
export async function saveSpareMaps(
  transaction: Transaction<ArchiveTables>,
  maps: readonly { readonly fileId: number; readonly map: FileMap }[],
): Promise<void> {
  await insertColumns(transaction, {
    table: 'archive_map',
    columns: [
      { name: 'file_id', type: 'bigint', values: Float64Array.from(maps, ({ fileId }) => fileId) },
      { name: 'map_bytes', type: 'bytes', values: maps.map(({ map }) => encodeFileMap(map)) },
    ],
    // One that is there already is not written again.
    onConflict:
      '(file_id) do update set map_bytes = excluded.map_bytes where archive_map.map_bytes <> excluded.map_bytes',
  });
}

export class SpareMaps implements Healer {
  readonly name = 'catalogue';
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Of maps only. */
  async segment({ fileId, segment }: LostSegment): Promise<Uint8Array | undefined> {
    if (segment >= 0) return undefined;
    const row = await this.#sql
      .read<ArchiveTables>()
      .selectFrom('archive_map')
      .select('map_bytes')
      .where('file_id', '=', fileId)
      .executeTakeFirst();
    return row?.map_bytes;
  }
}
