// The files of a torrent as rows: folders and files in the order of a tree, a folder before what is
// in it, with the sizes of folders computed once at upload. So a page of any part of a torrent of
// fifty thousand files is one query by position.

import type { Metainfo } from '#wire/metainfo.ts';

export interface FileEntry {
  /** Names joined by `/`; a folder's ends with `/`. Names never contain one. */
  readonly path: string;
  /** Files in the folder, at any depth; 1 for a file. */
  readonly fileCount: number;
  readonly sizeBytes: number;
}

/** Folders and files; paths of many tiny folders would otherwise make a million rows of one file. */
export const ENTRIES_MAX = 100_000;

interface Folder {
  readonly folders: Map<string, Folder>;
  readonly files: { readonly name: string; readonly sizeBytes: number }[];
  fileCount: number;
  sizeBytes: number;
}

/** Pad files are left out. Undefined when there are more than ENTRIES_MAX. */
export function fileEntries(metainfo: Metainfo): readonly FileEntry[] | undefined {
  const root = newFolder();
  let count = 0;
  for (const file of metainfo.files) {
    if (file.pad) continue;
    let folder = root;
    grow(folder, file.sizeBytes);
    for (const name of file.path.slice(0, -1)) {
      let below = folder.folders.get(name);
      if (below === undefined) {
        below = newFolder();
        folder.folders.set(name, below);
        count += 1;
      }
      folder = below;
      grow(folder, file.sizeBytes);
    }
    folder.files.push({ name: file.path.at(-1) ?? '', sizeBytes: file.sizeBytes });
    count += 1;
    if (count > ENTRIES_MAX) return undefined;
  }
  const entries: FileEntry[] = [];
  flatten(root, '', entries);
  return entries;
}

/** Names of files and folders for the search, as much as fits into `charsMax`. */
export function entryNames(entries: readonly FileEntry[], charsMax: number): string {
  const names: string[] = [];
  let chars = 0;
  for (const { path } of entries) {
    const end = path.endsWith('/') ? path.length - 1 : path.length;
    const name = path.slice(path.lastIndexOf('/', end - 1) + 1, end);
    chars += name.length + 1;
    if (chars > charsMax) break;
    names.push(name);
  }
  return names.join(' ');
}

function newFolder(): Folder {
  return { folders: new Map(), files: [], fileCount: 0, sizeBytes: 0 };
}

function grow(folder: Folder, sizeBytes: number): void {
  folder.fileCount += 1;
  folder.sizeBytes += sizeBytes;
}

const byName = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

// PATH_LIMITS.depthMax of wire/ bounds the depth.
function flatten(folder: Folder, prefix: string, into: FileEntry[]): void {
  const folders = [...folder.folders].sort(([a], [b]) => byName.compare(a, b) || (a < b ? -1 : 1));
  for (const [name, below] of folders) {
    const path = `${prefix}${name}/`;
    into.push({ path, fileCount: below.fileCount, sizeBytes: below.sizeBytes });
    flatten(below, path, into);
  }
  const files = folder.files.sort(
    (a, b) => byName.compare(a.name, b.name) || (a.name < b.name ? -1 : 1),
  );
  for (const { name, sizeBytes } of files) {
    into.push({ path: `${prefix}${name}`, fileCount: 1, sizeBytes });
  }
}
