// Writes a torrent's folders and files down, with the folder that each lies in.

import type { Transaction } from 'kysely';
import type { CatalogueTables } from '#site/catalogue/catalogue-tables.ts';
import { type FileEntry, nameKey, nameOf } from '#site/catalogue/file-entries.ts';
import { insertColumns } from '#sql/row-columns.ts';

export interface EntriesToInsert {
  readonly torrentId: number;
  /** Position of the first of them. */
  readonly from: number;
  readonly entries: readonly FileEntry[];
  /** Where they go: `torrent_entry` unless given. */
  readonly table?: string;
}

/** Of one statement: what is made for it keeps the thread for a few milliseconds. */
const ENTRIES_AT_ONCE = 5000;

export async function insertEntries<Tables>(
  transaction: Transaction<Tables> | Transaction<CatalogueTables>,
  asked: EntriesToInsert,
): Promise<void> {
  for (let at = 0; at < asked.entries.length; at += ENTRIES_AT_ONCE) {
    const entries = asked.entries.slice(at, at + ENTRIES_AT_ONCE);
    await insertSome(transaction, { ...asked, from: asked.from + at, entries });
  }
}

async function insertSome<Tables>(
  transaction: Transaction<Tables> | Transaction<CatalogueTables>,
  { torrentId, from, entries, table = 'torrent_entry' }: EntriesToInsert,
): Promise<void> {
  const column = (name: string, of: (entry: FileEntry, at: number) => number) =>
    ({ name, type: 'bigint', values: Float64Array.from(entries, of) }) as const;
  await insertColumns(transaction, {
    table,
    columns: [
      column('torrent_id', () => torrentId),
      column('position', (_, at) => from + at),
      { name: 'path', type: 'text', values: entries.map((entry) => entry.path) },
      column('file_count', (entry) => entry.fileCount),
      column('size_bytes', (entry) => entry.sizeBytes),
      column('parent', (entry) => entry.parent),
      column('name_key', (entry) => nameKey(nameOf(entry.path))),
    ],
  });
}
