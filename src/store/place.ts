// The folder of a store, taken only when it is its own: one that is empty or holds a store of that kind.
// In a folder of others (a database, a log, the members of an encrypted store) a store would look empty, and
// its files would lie among theirs.

import type { Disk } from '#base/disk.ts';
import { makeDurableFolder } from '#base/durable-folder.ts';
import { codeOf } from '#base/errors.ts';
import { StoreError } from '#store/errors.ts';

/** What the system and ourselves put beside a store: they make a folder neither ours nor another's. */
const BESIDE = /^(?:\..*|lost\+found|System Volume Information|backups|backup\.lock.*|lock.*)$/;
/** Of a path, not of a failing disk. */
const PATH_CODES = new Set([
  ...['EEXIST', 'ENOTDIR', 'EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENAMETOOLONG', 'ELOOP'],
]);
const SHOWN = 3;

export interface WantedPlace {
  readonly disk: Disk;
  readonly folder: string;
  /** As in `store.stack`: `packed`. */
  readonly kind: string;
  /** Whether one of these names of the folder is a mark of a store of this kind. */
  readonly isOwn: (names: readonly string[]) => boolean | Promise<boolean>;
}

/**
 * Makes the folder when there is none; gives its names. @throws StoreError STORE_PLACE_UNUSABLE when it is
 * another's, no folder, or cannot be made or read; the disk's other errors as they are
 */
export async function takePlace({ disk, folder, kind, isOwn }: WantedPlace): Promise<string[]> {
  try {
    if ((await disk.stat(folder))?.isFolder === false) {
      throw unusable(folder, kind, 'it is a file, not a folder');
    }
    await makeDurableFolder(disk, folder);
    const names = await disk.list(folder);
    const others = names.filter((name) => !BESIDE.test(name));
    if (others.length === 0 || (await isOwn(names))) return names;
    throw unusable(folder, kind, whatIsThere(kind, others));
  } catch (error) {
    const code = codeOf(error) ?? '';
    if (!PATH_CODES.has(code)) throw error;
    throw unusable(folder, kind, `the system refuses it (${code})`, error);
  }
}

/** Names that stand in a folder of which each store of an encrypted one has one in it. */
export function isSealedFolder(name: string): boolean {
  return /^(?:backups-)?(?:parts|manifests)$/.test(name);
}

function whatIsThere(kind: string, names: readonly string[]): string {
  if (names.includes('parts') && names.includes('manifests')) {
    return 'an encrypted store lies in it; with "encrypt >" before it, it is read';
  }
  if (kind.startsWith('encrypt')) {
    return 'what lies in it is no encrypted store; name another folder, and bring blobs there by `store migrate`';
  }
  const shown = names.slice(0, SHOWN).join('", "');
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '';
  return `it holds something else ("${shown}"${more}); name an empty folder, or one of such a store`;
}

function unusable(folder: string, kind: string, why: string, cause?: unknown): StoreError {
  const words = `Cannot use "${folder}" for a store "${kind}": ${why}`;
  return new StoreError('STORE_PLACE_UNUSABLE', words, cause === undefined ? {} : { cause });
}
