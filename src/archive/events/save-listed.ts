// Writes the files of an event's lists into the catalogue, many at a time.

import type { Transaction } from 'kysely';
import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import { numbers } from '#archive/catalogue/kept-torrents.ts';
import { toHex } from '#base/bytes.ts';
import { insertColumns } from '#sql/row-columns.ts';
import type { Sql } from '#sql/sql.ts';
import type { ListedFile } from './entry-list.ts';

const FILES_AT_ONCE = 2000;
const DAMAGE_AT_ONCE = 200;

/**
 * The ids of the files in their order, null for an empty one. `lost`: segments that are missing, by root in
 * hex. By transactions of their own: a file that no torrent has is told to nobody.
 */
export async function saveListed(
  sql: Sql,
  files: readonly (ListedFile | undefined)[],
  lost: ReadonlyMap<string, readonly number[]>,
): Promise<readonly (number | null)[]> {
  const ids: (number | null)[] = [];
  for (let at = 0; at < files.length; at += FILES_AT_ONCE) {
    const some = files.slice(at, at + FILES_AT_ONCE);
    for (const id of await saveSome(sql, some, lost)) ids.push(id);
  }
  return ids;
}

async function saveSome(
  sql: Sql,
  files: readonly (ListedFile | undefined)[],
  lost: ReadonlyMap<string, readonly number[]>,
): Promise<readonly (number | null)[]> {
  // One row for each root: no statement may write a row twice.
  const byRoot = new Map<string, ListedFile>();
  for (const file of files) if (file !== undefined) byRoot.set(toHex(file.root), file);
  if (byRoot.size === 0) return files.map(() => null);
  const all = [...byRoot.values()];
  const ids = await sql.transaction<ArchiveTables, ReadonlyMap<string, number>>(
    async (transaction) => {
      await dropOtherMaps(transaction, all);
      await insertColumns(transaction, {
        table: 'archive_file',
        columns: [
          { name: 'root', type: 'bytes', values: all.map(({ root }) => root) },
          numbers('size_bytes', all, ({ bytes }) => bytes),
          { name: 'map_ref', type: 'text', values: all.map(({ mapRef }) => mapRef) },
          numbers('stored_ms', all, ({ storedMs }) => storedMs),
          // It was proven when it was stored, and not since, as far as anybody knows.
          numbers('checked_ms', all, ({ storedMs }) => storedMs),
        ],
        onConflict:
          '(root) do update set size_bytes = excluded.size_bytes, map_ref = excluded.map_ref, stored_ms = excluded.stored_ms',
      });
      const rows = await transaction
        .selectFrom('archive_file')
        .select(['id', 'root'])
        .where(
          'root',
          'in',
          all.map(({ root }) => root),
        )
        .execute();
      const found = new Map(rows.map(({ id, root }) => [toHex(root), id]));
      const damage = [...byRoot].flatMap(([root, { storedMs }]) =>
        (lost.get(root) ?? []).map((segment) => ({
          ...{ file_id: found.get(root) ?? 0, segment, kind: 'missing' as const },
          found_ms: storedMs,
        })),
      );
      for (let at = 0; at < damage.length; at += DAMAGE_AT_ONCE) {
        await transaction
          .insertInto('archive_damage')
          .values(damage.slice(at, at + DAMAGE_AT_ONCE))
          .onConflict((of) => of.columns(['file_id', 'segment']).doNothing())
          .execute();
      }
      return found;
    },
  );
  return files.map((file) => (file === undefined ? null : (ids.get(toHex(file.root)) ?? null)));
}

/** What the catalogue has of a map is of the one that its file names, or nothing. */
async function dropOtherMaps(
  transaction: Transaction<ArchiveTables>,
  files: readonly ListedFile[],
): Promise<void> {
  const mapRefs = new Map(files.map(({ root, mapRef }) => [toHex(root), mapRef]));
  const rows = await transaction
    .selectFrom('archive_file')
    .select(['id', 'root', 'map_ref'])
    .where(
      'root',
      'in',
      files.map(({ root }) => root),
    )
    .execute();
  const others = rows.filter((row) => row.map_ref !== mapRefs.get(toHex(row.root)));
  if (others.length === 0) return;
  await transaction
    .deleteFrom('archive_map')
    .where(
      'file_id',
      'in',
      others.map(({ id }) => id),
    )
    .execute();
}
