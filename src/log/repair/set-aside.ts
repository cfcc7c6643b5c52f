// Keeps a copy of bytes that the log no longer understands, in `<topic>/damaged/`, before anything
// is cut or written over: `<segment>.<position>.damage` or `.torn`. The same place has the same
// name, so a copy is made once however often the place is seen; of torn tails the newest 16 stay.

import type { Disk, DiskFile } from '#base/disk.ts';
import { segmentName } from '#log/segment/segment.ts';

export const DAMAGED_FOLDER = 'damaged';
const TORN_FILES_MAX = 16;
const COPY_BYTES = 256 * 1024;

export interface AsideRange {
  readonly file: DiskFile;
  /** The segment's first offset. */
  readonly segment: number;
  readonly position: number;
  readonly end: number;
}

/** The copy's path; it is on disk when this resolves. @throws the disk's error */
export async function setAside(
  world: { readonly disk: Disk; readonly folder: string },
  kind: 'damage' | 'torn',
  range: AsideRange,
): Promise<string> {
  const { disk } = world;
  const folder = `${world.folder}/${DAMAGED_FOLDER}`;
  await disk.makeFolder(folder);
  await disk.syncFolder(world.folder);
  const base = segmentName(range.segment).replace('.log', '');
  const path = `${folder}/${base}.${range.position}.${kind}`;
  if ((await disk.stat(path)) !== undefined) {
    if (kind === 'damage') return path;
    await disk.remove(path);
  }
  if (kind === 'torn') await keepNewest(disk, folder);
  const copy = await disk.create(path);
  try {
    const buffer = new Uint8Array(Math.min(COPY_BYTES, range.end - range.position));
    for (let at = range.position; at < range.end; ) {
      const wanted = Math.min(buffer.byteLength, range.end - at);
      const count = await range.file.read(buffer.subarray(0, wanted), at);
      if (count === 0) break;
      await copy.write(buffer.subarray(0, count), at - range.position);
      at += count;
    }
    await copy.datasync();
  } finally {
    await copy.close();
  }
  await disk.syncFolder(folder);
  return path;
}

async function keepNewest(disk: Disk, folder: string): Promise<void> {
  // Names begin with the offset, so their order is that of the log.
  const torn = (await disk.list(folder)).filter((name) => name.endsWith('.torn'));
  for (const name of torn.slice(0, Math.max(0, torn.length - TORN_FILES_MAX + 1))) {
    await disk.remove(`${folder}/${name}`);
  }
}
