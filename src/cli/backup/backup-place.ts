// Where backups lie, as a person names it: a folder, a line of stores as in `store.stack`, or `current`,
// the server's own store.

import { accessSync, constants, existsSync, mkdirSync, realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { codeOf } from '#base/errors.ts';
import { CliError } from '#cli/errors.ts';
import type { StoreRoom } from '#cli/store-room.ts';
import type { BackupSet } from '#store/backup/backup-set.ts';
import { parseStack, placesOf, type StackNode, stackText } from '#store/stack/stack-text.ts';

export const CURRENT = 'current';

/** A folder is told from a line of stores by this: a line begins with the name of a store. */
export function placeOfWord(word: string): string {
  if (word === CURRENT || 'node' in parseStack(word)) return word;
  if (/[()>]/.test(word)) {
    const parsed = parseStack(word);
    throw new CliError('CLI_USAGE', `Cannot use "${word}": ${'why' in parsed ? parsed.why : ''}`);
  }
  if (/^[\w-]+$/.test(word) && !existsSync(word)) {
    throw new CliError(
      'CLI_USAGE',
      `Cannot use "${word}": it is neither a folder nor a store; "./${word}" would make the folder`,
    );
  }
  return `packed(${resolve(word)})`;
}

/**
 * Of a line that is opened where no data folder is: each of its places is a whole path, or a bucket.
 * @throws CliError CLI_USAGE
 */
export function assertAbsolute(text: string): void {
  const parsed = parseStack(text);
  if ('why' in parsed) throw new CliError('CLI_USAGE', `Cannot use "${text}": ${parsed.why}`);
  if (isAnywhere(parsed.node)) return;
  throw new CliError(
    'CLI_USAGE',
    `Cannot use "${text}": name folders with their whole path, as in packed(/mnt/backup), and no cache`,
  );
}

function isAnywhere(node: StackNode): boolean {
  if (node.kind === 'cache') return false;
  if ('behind' in node) return isAnywhere(node.behind);
  if ('members' in node) return node.members.every(isAnywhere);
  return node.kind === 's3' || isAbsolute(node.place);
}

/**
 * Runs with the backups of a place open; of a folder only one process at a time. Unless it `makes` them,
 * folders that are not there are refused: a mistyped one holds no backups.
 */
export async function withPlace<Result>(
  store: StoreRoom,
  text: string,
  run: (backups: BackupSet, isCurrent: boolean) => Promise<Result>,
  makes = false,
): Promise<Result> {
  if (text === CURRENT) return run(await store.backups(), true);
  const locks: DatabaseSync[] = [];
  try {
    for (const folder of foldersOf(text)) {
      // Where nobody can write nobody has to be kept from it.
      if (makes || !isReadOnly(folder)) locks.push(lockFolder(folder, makes));
    }
    return await store.withOtherBackups(text, (backups) => run(backups, false));
  } finally {
    for (const lock of locks) lock.close();
  }
}

/**
 * As `withPlace`, for who reads alone: members of a `replica` whose folders are not there, as of a disk that
 * was lost, are passed over as long as another one is. They are told, since what only they have is missing.
 */
export async function withReadPlace<Result>(
  store: StoreRoom,
  text: string,
  run: (backups: BackupSet) => Promise<Result>,
): Promise<Result> {
  const parsed = parseStack(text);
  const node = 'why' in parsed ? undefined : presentPart(parsed.node);
  if (node === undefined || text === CURRENT) return await withPlace(store, text, run);
  const present = stackText(node);
  const there = foldersOf(present);
  for (const folder of foldersOf(text).filter((one) => !there.includes(one))) {
    const words = 'A member of the replica is not there; backups are read from the others';
    store.world.logger.warn(words, { folder });
  }
  return await withPlace(store, present, run);
}

/** Undefined when nothing can be read without what is not there. */
function presentPart(node: StackNode): StackNode | undefined {
  if ('behind' in node) {
    const behind = presentPart(node.behind);
    return behind && { ...node, behind };
  }
  if (!('members' in node)) {
    return node.kind !== 's3' && isAbsolute(node.place) && !existsSync(node.place)
      ? undefined
      : node;
  }
  const members = node.members.map(presentPart).filter((one) => one !== undefined);
  if (node.kind !== 'replica') {
    return members.length === node.members.length ? { ...node, members } : undefined;
  }
  const writesMin = Math.min(node.writesMin, members.length);
  return members.length > 1 ? { ...node, writesMin, members } : members[0];
}

/** @throws CliError CLI_NOT_FOUND when a folder that the line names is not there */
export function refuseAbsent(text: string): void {
  const absent = foldersOf(text).find((folder) => !existsSync(folder));
  if (absent !== undefined) throw notThere(absent);
}

/**
 * A backup in the folder that it is of is lost with it, and a data folder among the packs of its backup
 * looks like a part of them.
 * @throws CliError CLI_REFUSED
 */
export function refuseNested(dataPath: string, text: string): void {
  const data = realPathOf(dataPath);
  const parsed = parseStack(text);
  // Those without a whole path lie in the data folder.
  const folders = 'why' in parsed ? [] : leafFolders(parsed.node);
  for (const folder of folders.map((one) => resolve(dataPath, one))) {
    const place = realPathOf(folder);
    if (isWithin(place, data)) {
      throw new CliError(
        'CLI_REFUSED',
        `Cannot back up to "${folder}": it lies in the data folder "${dataPath}" and would be lost with it. Name a folder elsewhere, best on another disk`,
      );
    }
    if (isWithin(data, place)) {
      throw new CliError(
        'CLI_REFUSED',
        `Cannot back up to "${folder}": the data folder "${dataPath}" lies in it. Name a folder of the backup's own, as "${join(folder, 'backup')}"`,
      );
    }
  }
}

/** Where blobs lie; what a cache holds is none of a backup. */
function leafFolders(node: StackNode): readonly string[] {
  if ('behind' in node) return leafFolders(node.behind);
  if ('members' in node) return node.members.flatMap(leafFolders);
  return node.kind === 's3' ? [] : [node.place];
}

function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === '' || !(way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way));
}

/** Links followed, as far as there is something. */
function realPathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realPathOf(parent), basename(path));
  }
}

function notThere(folder: string): CliError {
  return new CliError('CLI_NOT_FOUND', `There is no folder "${folder}"`);
}

function foldersOf(text: string): string[] {
  const parsed = parseStack(text);
  if ('why' in parsed) return [];
  const paths = placesOf(parsed.node).map((place) => place.slice(0, place.lastIndexOf(' ')));
  return [...new Set(paths.filter(isAbsolute))].sort();
}

function isReadOnly(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return false;
  } catch (error) {
    return codeOf(error) === 'EROFS';
  }
}

/** The operating system's: a process that is killed leaves no lock behind. */
function lockFolder(folder: string, makes: boolean): DatabaseSync {
  if (!makes && !existsSync(folder)) throw notThere(folder);
  let lock: DatabaseSync | undefined;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    lock = new DatabaseSync(join(folder, 'backup.lock'), { timeout: 0 });
    lock.exec('pragma locking_mode = exclusive; begin exclusive; commit');
    return lock;
  } catch (cause) {
    lock?.close();
    if (cause instanceof Error && /locked|busy/i.test(cause.message)) {
      throw new CliError('CLI_REFUSED', `Another backup or restore works on "${folder}"`, {
        cause,
      });
    }
    throw new CliError('CLI_REFUSED', `Cannot use the folder "${folder}"`, { cause });
  }
}
