// One page of a torrent's files, as a tree.

import type { Sql } from '#sql/sql.ts';
import type { CatalogueTables } from './catalogue-tables.ts';
import type { FileEntry } from './file-entries.ts';

export interface FileNode {
  readonly name: string;
  readonly sizeBytes: number;
  /** In a folder, at any depth; absent for a file. */
  readonly fileCount?: number;
  readonly children?: readonly FileNode[];
}

export interface FilePage {
  readonly nodes: readonly FileNode[];
  /** Folder that the page begins in, as `a/b/`; empty at the top. */
  readonly within: string;
  /** Position for the next page; absent on the last one. */
  readonly next?: number;
  readonly previous?: number;
}

export const FILE_ROWS_MAX = 500;

/** Rows from `position` on. A position beyond the end gives an empty page. */
export async function filePage(sql: Sql, torrentId: number, position: number): Promise<FilePage> {
  const from = Number.isSafeInteger(position) && position > 0 ? position : 0;
  const rows = await sql
    .read<CatalogueTables>()
    .selectFrom('torrent_entry')
    .select(['position', 'path', 'file_count as fileCount', 'size_bytes as sizeBytes'])
    .where('torrent_id', '=', torrentId)
    .where('position', '>=', from)
    .orderBy('position')
    .limit(FILE_ROWS_MAX + 1)
    .execute();
  const shown = rows.slice(0, FILE_ROWS_MAX);
  const within = from === 0 ? '' : parentOf(shown[0]?.path ?? '');
  const next = rows[FILE_ROWS_MAX];
  return {
    nodes: fileNodes(shown, within),
    within,
    ...(next === undefined ? {} : { next: next.position }),
    ...(from === 0 ? {} : { previous: Math.max(0, from - FILE_ROWS_MAX) }),
  };
}

/** The folder that a path lies in: `a/` of `a/b.txt` and of `a/b/`. */
function parentOf(path: string): string {
  const end = path.endsWith('/') ? path.length - 2 : path.length - 1;
  return path.slice(0, path.lastIndexOf('/', end) + 1);
}

interface OpenNode {
  readonly path: string;
  readonly children: FileNode[];
}

// Rows stand in the order of the tree, so the folders that are open form a stack. On a later page a
// row may lie above where the page began; it is then shown at the top, by its path.
export function fileNodes(entries: readonly FileEntry[], within: string): readonly FileNode[] {
  const top: FileNode[] = [];
  const open: OpenNode[] = [{ path: within, children: top }];
  for (const row of entries) {
    while (open.length > 1 && !row.path.startsWith(open.at(-1)?.path ?? '')) open.pop();
    const parent = open.at(-1) ?? { path: '', children: top };
    const isBelow = row.path.startsWith(parent.path);
    const isFolder = row.path.endsWith('/');
    const shown = isBelow ? row.path.slice(parent.path.length) : row.path;
    const name = isFolder ? shown.slice(0, -1) : shown;
    if (!isFolder) {
      parent.children.push({ name, sizeBytes: row.sizeBytes });
      continue;
    }
    const children: FileNode[] = [];
    const { fileCount, sizeBytes } = row;
    parent.children.push({ name, sizeBytes, fileCount, children });
    open.push({ path: row.path, children });
  }
  return top;
}
