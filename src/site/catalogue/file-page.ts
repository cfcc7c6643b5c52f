// A torrent's files as a tree, where they are few enough for one page; else folders/ shows them.

import type { Sql } from '#sql/sql.ts';
import type { CatalogueTables } from './catalogue-tables.ts';
import { type FileEntry, nameOf } from './file-entries.ts';

export interface FileNode {
  /** Its place in the tree, by which addresses name it. */
  readonly position: number;
  readonly name: string;
  readonly sizeBytes: number;
  /** In a folder, at any depth; absent for a file. */
  readonly fileCount?: number;
  readonly children?: readonly FileNode[];
}

export const FILE_ROWS_MAX = 100;

/** All files of a torrent as a tree; undefined when they are more than one page can show. */
export async function fileTree(
  sql: Sql,
  torrentId: number,
): Promise<readonly FileNode[] | undefined> {
  const rows = await sql
    .read<CatalogueTables>()
    .selectFrom('torrent_entry')
    .select(['path', 'file_count as fileCount', 'size_bytes as sizeBytes'])
    .where('torrent_id', '=', torrentId)
    .orderBy('position')
    .limit(FILE_ROWS_MAX + 1)
    .execute();
  return rows.length > FILE_ROWS_MAX ? undefined : fileNodes(rows);
}

interface OpenNode {
  readonly path: string;
  readonly children: FileNode[];
}

// Rows stand in the order of the tree, so the folders that are open form a stack.
export function fileNodes(entries: readonly Omit<FileEntry, 'parent'>[]): readonly FileNode[] {
  const top: FileNode[] = [];
  const open: OpenNode[] = [{ path: '', children: top }];
  for (const [position, row] of entries.entries()) {
    while (open.length > 1 && !row.path.startsWith(open.at(-1)?.path ?? '')) open.pop();
    const parent = open.at(-1) ?? { path: '', children: top };
    const isFolder = row.path.endsWith('/');
    const name = nameOf(row.path);
    if (!isFolder) {
      parent.children.push({ position, name, sizeBytes: row.sizeBytes });
      continue;
    }
    const children: FileNode[] = [];
    const { fileCount, sizeBytes } = row;
    parent.children.push({ position, name, sizeBytes, fileCount, children });
    open.push({ path: row.path, children });
  }
  return top;
}
