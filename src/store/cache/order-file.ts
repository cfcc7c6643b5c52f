// The order in which a cache used its blobs, in a file of one name a line, the oldest first. Replaced as a
// whole; it is a hint, so a file that is missing or damaged is no error.

import { utf8 } from '#base/bytes.ts';
import type { Disk } from '#base/disk.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import type { OrderFile } from './cache.ts';

/** What it keeps in the folder. */
export const ORDER_FILES = ['order', 'order.new'];

export function orderFile(disk: Disk, folder: string): OrderFile {
  const path = `${folder}/order`;
  const aside = `${path}.new`;
  return {
    async load() {
      const stat = await disk.stat(path);
      if (stat === undefined) return undefined;
      const file = await disk.open(path, { write: false });
      try {
        const bytes = Buffer.alloc(stat.sizeBytes);
        const read = await file.read(bytes, 0);
        const lines = bytes.toString('latin1', 0, read).split('\n');
        return lines.map(blobRef).filter((ref) => ref !== undefined);
      } finally {
        await file.close();
      }
    },
    async save(refs: Iterable<BlobRef>) {
      if ((await disk.stat(aside)) !== undefined) await disk.remove(aside);
      const file = await disk.create(aside);
      try {
        await file.write(utf8([...refs].join('\n')), 0);
        await file.datasync();
      } finally {
        await file.close();
      }
      await disk.rename(aside, path);
    },
  };
}
