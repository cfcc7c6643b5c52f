// Gives each file and folder of a torrent the folder it lies in, with indexes by which one page of a
// folder is read, whatever its size: in the order of the tree, the biggest first, or by one name. The
// table is made anew: columns that are added could not be filled in by one statement.

import { sql, type Transaction } from 'kysely';
import { type FileEntry, NO_PARENT } from '#site/catalogue/file-entries.ts';
import { insertEntries } from '#site/folders/insert-entries.ts';
import type { Migration } from '#sql/sql.ts';

const ROWS_AT_ONCE = 5000;

interface Tables {
  torrent_entry: {
    torrent_id: number;
    position: number;
    path: string;
    file_count: number;
    size_bytes: number;
  };
}

export const foldersMigration: Migration = {
  number: 670,
  name: '0670-folders',
  async up(transaction) {
    await sql`create table torrent_entry_placed (
      torrent_id bigint not null references torrent (id),
      position bigint not null,
      path text not null,
      file_count bigint not null,
      size_bytes bigint not null,
      parent bigint not null,
      name_key bigint not null,
      primary key (torrent_id, position)
    )`.execute(transaction);
    await placeEntries(transaction as unknown as Transaction<Tables>);
    await sql`drop table torrent_entry`.execute(transaction);
    await sql`alter table torrent_entry_placed rename to torrent_entry`.execute(transaction);
    await indexEntries(transaction);
  },
};

/** Also for tests that fill the table faster than its indexes would let them. */
export async function indexEntries(schema: Transaction<Record<string, never>>): Promise<void> {
  await sql`create index torrent_entry_tree
    on torrent_entry (torrent_id, parent, position)`.execute(schema);
  await sql`create index torrent_entry_size
    on torrent_entry (torrent_id, parent, size_bytes desc, position)`.execute(schema);
  await sql`create index torrent_entry_name
    on torrent_entry (torrent_id, parent, name_key)`.execute(schema);
}

/** Rows are in the order of the tree, so the folders that a row may lie in form a stack. */
async function placeEntries(transaction: Transaction<Tables>): Promise<void> {
  let open: { readonly path: string; readonly position: number }[] = [];
  for (let last = { torrent_id: -1, position: -1 }; ; ) {
    const rows = await transaction
      .selectFrom('torrent_entry')
      .selectAll()
      .where(sql<boolean>`(torrent_id, position) > (${last.torrent_id}, ${last.position})`)
      .orderBy('torrent_id')
      .orderBy('position')
      .limit(ROWS_AT_ONCE)
      .execute();
    const placed = new Map<number, { from: number; readonly entries: FileEntry[] }>();
    for (const row of rows) {
      const { torrent_id: torrentId, position, path } = row;
      if (torrentId !== last.torrent_id) open = [];
      while (open.length > 0 && !path.startsWith(open.at(-1)?.path ?? '')) open.pop();
      const parent = open.at(-1)?.position ?? NO_PARENT;
      if (path.endsWith('/')) open.push({ path, position });
      const some = placed.get(torrentId) ?? { from: position, entries: [] };
      some.entries.push({ path, fileCount: row.file_count, sizeBytes: row.size_bytes, parent });
      placed.set(torrentId, some);
      last = row;
    }
    for (const [torrentId, { from, entries }] of placed) {
      const table = 'torrent_entry_placed';
      await insertEntries(transaction, { torrentId, from, entries, table });
    }
    if (rows.length < ROWS_AT_ONCE) return;
  }
}
