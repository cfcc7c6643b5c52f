// The files of a torrent as rows: folders and files in the order of a tree, a folder before what is
// in it, with the sizes of folders computed once at upload. So a page of any part of a torrent of
// two hundred thousand files is one query by position.

import type { Metainfo } from '#wire/metainfo.ts';
import { nameFacts } from './name-facts.ts';

export interface FileEntry {
  /** Names joined by `/`; a folder's ends with `/`. Names never contain one. */
  readonly path: string;
  /** Files in the folder, at any depth; 1 for a file. */
  readonly fileCount: number;
  readonly sizeBytes: number;
  /** Position of the folder that it lies in, which comes before it; NO_PARENT at the top. */
  readonly parent: number;
}

export const NO_PARENT = -1;

/** Or as many as files: paths of many tiny folders would otherwise make sixty rows of one file. */
export const FOLDERS_MAX = 500_000;

interface Folder {
  readonly folders: Map<string, Folder>;
  readonly files: { readonly name: string; readonly sizeBytes: number }[];
  fileCount: number;
  sizeBytes: number;
}

/** Pad files are left out. Undefined when there are more folders than FOLDERS_MAX, and than files. */
export function fileEntries(
  metainfo: Pick<Metainfo, 'files'>,
  foldersMax = FOLDERS_MAX,
): readonly FileEntry[] | undefined {
  const root = newFolder();
  let foldersLeft = 0;
  for (const { pad } of metainfo.files) if (!pad) foldersLeft += 1;
  foldersLeft = Math.max(foldersMax, foldersLeft);
  for (const file of metainfo.files) {
    if (file.pad) continue;
    let folder = root;
    grow(folder, file.sizeBytes);
    for (const name of file.path.slice(0, -1)) {
      let below = folder.folders.get(name);
      if (below === undefined) {
        if (foldersLeft === 0) return undefined;
        foldersLeft -= 1;
        below = newFolder();
        folder.folders.set(name, below);
      }
      folder = below;
      grow(folder, file.sizeBytes);
    }
    folder.files.push({ name: file.path.at(-1) ?? '', sizeBytes: file.sizeBytes });
  }
  const entries: FileEntry[] = [];
  flatten(root, { path: '', position: NO_PARENT }, entries);
  return entries;
}

/** The last name of a path: `b` of `a/b` and of `a/b/`. */
export function nameOf(path: string): string {
  const end = path.endsWith('/') ? path.length - 1 : path.length;
  return path.slice(path.lastIndexOf('/', end - 1) + 1, end);
}

/** 32 bits of a name, by which a folder's index finds it: FNV-1a over its UTF-8. */
export function nameKey(name: string): number {
  let key = 0x811c9dc5;
  for (const byte of Buffer.from(name, 'utf8')) key = Math.imul(key ^ byte, 0x01000193) >>> 0;
  return key;
}

const FACT_CHARS_MAX = 4000;

/** Names of files and folders for the search, and what they say of dates, within `charsMax`. */
export function entryNames(entries: readonly Pick<FileEntry, 'path'>[], charsMax: number): string {
  const facts = new Set<string>();
  const names: string[] = [];
  let [chars, factChars] = [0, 0];
  for (const { path } of entries) {
    const name = nameOf(path);
    chars += name.length + 1;
    if (chars + factChars > charsMax) break;
    names.push(name);
    for (const fact of nameFacts(name)) {
      if (facts.has(fact) || factChars + fact.length > FACT_CHARS_MAX) continue;
      facts.add(fact);
      factChars += fact.length + 1;
    }
  }
  // Before the names: of very many words the last ones are not found.
  return [...facts, ...names].join(' ').slice(0, charsMax);
}

function newFolder(): Folder {
  return { folders: new Map(), files: [], fileCount: 0, sizeBytes: 0 };
}

function grow(folder: Folder, sizeBytes: number): void {
  folder.fileCount += 1;
  folder.sizeBytes += sizeBytes;
}

const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

/** The order of names in a folder, folders before files: numbers by their value, then letters. */
export function compareNames(one: string, other: string): number {
  return collator.compare(one, other) || (one < other ? -1 : one > other ? 1 : 0);
}

// PATH_LIMITS.depthMax of wire/ bounds the depth.
function flatten(
  folder: Folder,
  of: { readonly path: string; readonly position: number },
  into: FileEntry[],
): void {
  const parent = of.position;
  for (const [name, below] of [...folder.folders].sort(([a], [b]) => compareNames(a, b))) {
    const path = `${of.path}${name}/`;
    const position = into.length;
    into.push({ path, fileCount: below.fileCount, sizeBytes: below.sizeBytes, parent });
    flatten(below, { path, position }, into);
  }
  for (const { name, sizeBytes } of folder.files.sort((a, b) => compareNames(a.name, b.name))) {
    into.push({ path: `${of.path}${name}`, fileCount: 1, sizeBytes, parent });
  }
}
