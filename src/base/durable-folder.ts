// A folder whose name outlives a power cut. `makeFolder` makes the parents that are missing, and each
// of their names stands in a folder of its own that must be synced.

import { dirname } from 'node:path';
import type { Disk } from '#base/disk.ts';

/** Makes `folder` and its parents; their names are on the medium when it resolves. */
export async function makeDurableFolder(disk: Disk, folder: string): Promise<void> {
  const parents = [dirname(folder)];
  // The parent that was there before holds the first new name.
  for (let at = parents[0]!; (await disk.stat(at)) === undefined; at = dirname(at)) {
    parents.push(dirname(at));
  }
  await disk.makeFolder(folder);
  for (const parent of parents) await disk.syncFolder(parent);
}
