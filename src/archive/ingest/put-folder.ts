// A line of `archive.putFolders`: a category of the site and the whole path of a file or folder.

import { isAbsolute } from 'node:path';

export interface PutFolder {
  readonly category: string;
  readonly path: string;
}

const LINE = /^(\S+)[ \t]+(.+)$/;

export function isPutFolder(line: string): boolean {
  return putFolderOf(line) !== undefined;
}

/** Undefined for what is no such line. */
export function putFolderOf(line: string): PutFolder | undefined {
  const [, category, path] = LINE.exec(line.trim()) ?? [];
  if (category === undefined || path === undefined || !isAbsolute(path)) return undefined;
  return { category, path };
}
