// The folder of a packed store: which names in it are its own, and what a crash left of them. All but the
// packs are made again; a lone `index` or `corrupt` is told by how it begins, since others use such names.

import type { Disk, DiskLock } from '#base/disk.ts';
import { StoreError } from '#store/errors.ts';
import { takePlace } from '#store/place.ts';
import { CHECKPOINT_NAME } from './checkpoint.ts';
import { CORRUPT_NAME } from './corrupt-list.ts';
import { isAsideName } from './pack-tail.ts';
import { RESERVE_NAME } from './reserve.ts';

interface Folder {
  readonly disk: Disk;
  readonly folder: string;
}

/** @throws StoreError STORE_PLACE_UNUSABLE */
export async function takePackedFolder({ disk, folder }: Folder): Promise<void> {
  const isOwn = async (names: readonly string[]): Promise<boolean> => {
    if (names.some(isPackedName)) return true;
    for (const name of [CHECKPOINT_NAME, CORRUPT_NAME]) {
      if (names.includes(name) && (await begins(disk, `${folder}/${name}`))) return true;
    }
    return false;
  };
  await takePlace({ disk, folder, kind: 'packed', isOwn });
}

function isPackedName(name: string): boolean {
  if (name === RESERVE_NAME || isAsideName(name)) return true;
  return /^[0-9]{10}\.(?:pack|cut)(?:\.new)?$/.test(name);
}

async function begins(disk: Disk, path: string): Promise<boolean> {
  if ((await disk.stat(path))?.isFolder === true) return false;
  const file = await disk.open(path, { write: false });
  try {
    const magic = Buffer.alloc(4);
    return (await file.read(magic, 0)) === 4 && /^SK[IC]1$/.test(magic.toString('latin1'));
  } finally {
    await file.close();
  }
}

/** @throws StoreError STORE_LOCKED; the disk's EROFS where the file system can only be read */
export async function lockPackedFolder({ disk, folder }: Folder): Promise<DiskLock> {
  const lock = await disk.lock(`${folder}/lock`);
  if (lock !== undefined) return lock;
  throw new StoreError('STORE_LOCKED', `Cannot open the packs in "${folder}": they are in use`);
}

/** Removes files that were not finished, and notes on packs that are gone; gives the names before it. */
export async function clearLeftovers({ disk, folder }: Folder): Promise<string[]> {
  const names = await disk.list(folder);
  for (const name of names) {
    const isOrphan =
      /^[0-9]{10}\.cut$/.test(name) && !names.includes(name.replace('.cut', '.pack'));
    const isHalf = /^(?:[0-9]{10}\.(?:pack|cut)|corrupt|index)\.new$/.test(name);
    if (isOrphan || isHalf) await disk.remove(`${folder}/${name}`);
  }
  // A removal or a rename seen here must not be undone by a later loss of power.
  await disk.syncFolder(folder);
  return names;
}
