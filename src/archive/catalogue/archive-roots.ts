// What garbage collection must keep for the archive: the maps of all files, and the segments they name.

import type { ArchiveWorld } from '#archive/archive.ts';
import { decodeFileMap, mapSegmentCount, segmentRef } from '#archive/content/file-map.ts';
import { ArchiveError } from '#archive/errors.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import type { Sql } from '#sql/sql.ts';
import type { RootSource } from '#store/gc/roots.ts';
import type { ArchiveTables } from './archive-tables.ts';

const PAGE = 500;

export class ArchiveRoots implements RootSource {
  readonly name = 'archive';
  readonly #world: Pick<ArchiveWorld, 'sql' | 'store'>;

  constructor(world: Pick<ArchiveWorld, 'sql' | 'store'>) {
    this.#world = world;
  }

  /**
   * Of every file that a kept torrent has, or a wanted one has already. A map that cannot be read ends it
   * by its error.
   */
  async *refs(signal: AbortSignal): AsyncGenerator<BlobRef> {
    const store = await this.#world.store();
    for (let after = 0; ; ) {
      const page = await neededFiles(this.#world.sql)
        .where('archive_file.id', '>', after)
        .orderBy('archive_file.id')
        .limit(PAGE)
        .execute();
      for (const { map_ref: text } of page) {
        const ref = blobRef(text);
        const map = ref && decodeFileMap(await store.get(ref, { signal }));
        if (ref === undefined || map === undefined) {
          throw new ArchiveError('ARCHIVE_MAP_INVALID', `${text} is no map of a file`);
        }
        yield ref;
        for (let at = 0; at < mapSegmentCount(map); at++) yield segmentRef(map, at);
      }
      const last = page.at(-1);
      if (last === undefined) return;
      after = last.id;
    }
  }
}

/** Asks for the files that a kept torrent has, or a wanted one has already. */
export function neededFiles(sql: Sql) {
  return sql
    .read<ArchiveTables>()
    .selectFrom('archive_file')
    .select(['archive_file.id', 'map_ref'])
    .where((of) =>
      of.or([
        of.exists(
          of
            .selectFrom('archive_entry')
            .select('file_id')
            .whereRef('file_id', '=', 'archive_file.id'),
        ),
        of.exists(
          of
            .selectFrom('archive_taken')
            .select('file_id')
            .whereRef('file_id', '=', 'archive_file.id'),
        ),
      ]),
    );
}
