// `<number>.cut` beside a pack says where it ends since compaction began to empty it from its end: 8 bytes,
// little endian, and their CRC32. It is on the medium before the pack is cut, so that what a crash leaves
// behind there is no damage, and goes when the pack is gone.

import { crc32 } from 'node:zlib';
import type { Disk, DiskFile } from '#base/disk.ts';

const CUT_BYTES = 12;

interface Place {
  readonly disk: Disk;
  readonly folder: string;
}

export function cutPath({ folder }: Pick<Place, 'folder'>, number: number): string {
  return `${folder}/${String(number).padStart(10, '0')}.cut`;
}

/** Durable when it resolves. @throws the disk's errors */
export async function writeCutNote(place: Place, number: number, position: number): Promise<void> {
  const { disk, folder } = place;
  const path = cutPath(place, number);
  const bytes = Buffer.alloc(CUT_BYTES);
  bytes.writeBigUInt64LE(BigInt(position), 0);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 8)), 8);
  if ((await disk.stat(`${path}.new`)) !== undefined) await disk.remove(`${path}.new`);
  const file = await disk.create(`${path}.new`);
  try {
    await file.write(bytes, 0);
    await file.datasync();
  } finally {
    await file.close();
  }
  await disk.rename(`${path}.new`, path);
  await disk.syncFolder(folder);
}

/** Undefined when there is none, or none that is whole: then nothing was cut. */
async function readCutNote(place: Place, number: number): Promise<number | undefined> {
  const { disk } = place;
  const path = cutPath(place, number);
  if ((await disk.stat(path)) === undefined) return undefined;
  const note = await disk.open(path, { write: false });
  const bytes = Buffer.alloc(CUT_BYTES);
  try {
    if ((await note.read(bytes, 0)) < CUT_BYTES) return undefined;
  } finally {
    await note.close();
  }
  if (bytes.readUInt32LE(8) !== crc32(bytes.subarray(0, 8))) return undefined;
  return Number(bytes.readBigUInt64LE(0));
}

/** Ends what a crash has cut off: the cutting of a pack. */
export async function cutAgain(place: Place, number: number, file: DiskFile): Promise<void> {
  const position = await readCutNote(place, number);
  if (position === undefined) return;
  if ((await file.sizeBytes()) <= position) return;
  await file.truncate(position);
  await file.datasync();
}
