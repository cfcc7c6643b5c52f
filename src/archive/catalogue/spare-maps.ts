// The maps of files once more, in the catalogue: a map whose blob was lost is made again from there, and
// nobody else has to be asked.

import type { Transaction } from 'kysely';
import { encodeFileMap, type FileMap } from '#archive/content/file-map.ts';
import type { Healer, LostSegment } from '#archive/verify/check-file.ts';
import type { Sql } from '#sql/sql.ts';
import type { ArchiveTables } from './archive-tables.ts';

export async function saveSpareMap(
  transaction: Transaction<ArchiveTables>,
  fileId: number,
  map: FileMap,
): Promise<void> {
  const map_bytes = encodeFileMap(map);
  await transaction
    .insertInto('archive_map')
    .values({ file_id: fileId, map_bytes })
    .onConflict((of) => of.column('file_id').doUpdateSet({ map_bytes }))
    .execute();
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
