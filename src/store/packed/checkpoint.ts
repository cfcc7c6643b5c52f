// The index of a packed store as it was when the store ended in order, in `<store>/index`: opening reads
// this instead of the headers in all packs. It is nothing but a copy: a store without it, with a torn
// one or with one of another time is opened from its packs. So it is neither synced nor repaired. It
// is removed when the store is opened, and one that comes back after a loss of power is refused:
//
//    0  magic       u32  "SKI1"
//    4  checksum    u32  CRC32 of everything from byte 8 on
//    8  version     u16  1
//   10  zeros
//   16  store id    16 bytes, as in the packs
//   32  packs       u32
//   36  zeros
//   40  blobs       u48
//   46  zeros
//   48  packs, each 16 bytes, in ascending order of number:
//         0  number u32, 4 tail u32, 8 size u48, 14 zeros
//       then blobs, each 44 bytes, in ascending order of hash:
//         0  hash 32 bytes, 32 pack u32, 36 position of the record u32 in units of 8, 40 bytes u32
//
// Integers are little endian. A tail is the CRC32 of the last 512 bytes of a pack. Valid is a checkpoint
// whose store id and packs, with sizes and tails, are those in the folder: packs only grow at their ends,
// and what is cut off again was never acknowledged, so the same size and tail are the same pack.

import { crc32 } from 'node:zlib';
import type { Disk, DiskFile } from '#base/disk.ts';
import type { BlobIndex, BlobPlace } from './blob-index.ts';
import { PACK_HEADER_BYTES, RECORD_HEADER_BYTES } from './pack.ts';

export const CHECKPOINT_NAME = 'index';
const MAGIC = 0x31494b53;
const VERSION = 1;
const HEAD_BYTES = 48;
const PACK_BYTES = 16;
const TAIL_BYTES = 512;

export interface CheckpointPlace {
  readonly disk: Disk;
  readonly folder: string;
}

/** What a checkpoint belongs to. */
export interface CheckpointKey {
  readonly storeId: Uint8Array;
  /** In ascending order. */
  readonly packs: readonly CheckpointPack[];
}

export interface CheckpointPack {
  readonly number: number;
  readonly sizeBytes: number;
  readonly tail: number;
}

/** A pack as it is now. */
export async function checkpointPack(number: number, file: DiskFile): Promise<CheckpointPack> {
  const sizeBytes = await file.sizeBytes();
  const tail = Buffer.alloc(Math.min(TAIL_BYTES, sizeBytes));
  const read = await file.read(tail, sizeBytes - tail.byteLength);
  return { number, sizeBytes, tail: crc32(tail.subarray(0, read)) };
}

/** False when `isLate` said so, or nothing could be written: then there is none. */
export async function writeCheckpoint(
  { disk, folder }: CheckpointPlace,
  key: CheckpointKey,
  index: BlobIndex,
  isLate: () => boolean,
): Promise<boolean> {
  const path = `${folder}/${CHECKPOINT_NAME}`;
  const half = `${path}.new`;
  try {
    if ((await disk.stat(half)) !== undefined) await disk.remove(half);
    const file = await disk.create(half);
    let isWhole = false;
    try {
      isWhole = await writeAll(file, key, { index, isLate });
    } finally {
      await file.close();
    }
    if (isWhole) await disk.rename(half, path);
    else await disk.remove(half);
    return isWhole;
  } catch {
    // The disk is full, or fails: an index that opens slowly is no loss.
    await disk.remove(half).catch(() => {});
    return false;
  }
}

async function writeAll(
  file: DiskFile,
  key: CheckpointKey,
  { index, isLate }: { readonly index: BlobIndex; readonly isLate: () => boolean },
): Promise<boolean> {
  const head = headOf(key, index.count);
  let checksum = crc32(head.subarray(8));
  let position = head.byteLength;
  for (const piece of index.pieces()) {
    if (isLate()) return false;
    checksum = crc32(piece, checksum);
    await file.write(piece, position);
    position += piece.byteLength;
  }
  head.writeUInt32LE(checksum, 4);
  await file.write(head, 0);
  return true;
}

function headOf({ storeId, packs }: CheckpointKey, blobs: number): Buffer {
  const head = Buffer.alloc(HEAD_BYTES + packs.length * PACK_BYTES);
  head.writeUInt32LE(MAGIC, 0);
  head.writeUInt16LE(VERSION, 8);
  head.set(storeId, 16);
  head.writeUInt32LE(packs.length, 32);
  head.writeUIntLE(blobs, 40, 6);
  for (const [at, { number, sizeBytes, tail }] of packs.entries()) {
    const start = HEAD_BYTES + at * PACK_BYTES;
    head.writeUInt32LE(number, start);
    head.writeUInt32LE(tail, start + 4);
    head.writeUIntLE(sizeBytes, start + 8, 6);
  }
  return head;
}

/**
 * Fills an empty index from the checkpoint if that is of these packs, and removes it in any case. How many
 * bytes live in each pack, headers and all; undefined when there was none: the index is empty then.
 */
export async function takeCheckpoint(
  { disk, folder }: CheckpointPlace,
  key: CheckpointKey,
  index: BlobIndex,
): Promise<ReadonlyMap<number, number> | undefined> {
  const path = `${folder}/${CHECKPOINT_NAME}`;
  let live: ReadonlyMap<number, number> | undefined;
  try {
    const file = await disk.open(path, { write: false });
    try {
      live = await readInto(file, key, index);
    } finally {
      await file.close();
    }
  } catch {
    live = undefined;
  }
  if (live === undefined) index.clear();
  // From now on packs change. Should it stay, it is refused by what it says of them.
  await disk.remove(path).catch(() => {});
  return live;
}

async function readInto(
  file: DiskFile,
  key: CheckpointKey,
  index: BlobIndex,
): Promise<ReadonlyMap<number, number> | undefined> {
  const expected = headOf(key, 0);
  const head = Buffer.alloc(expected.byteLength);
  if ((await file.read(head, 0)) < head.byteLength) return undefined;
  const checksum = head.readUInt32LE(4);
  const blobs = head.readUIntLE(40, 6);
  const sizeBytes = await file.sizeBytes();
  if (sizeBytes !== head.byteLength + blobs * index.entryBytes) return undefined;
  // All but the checksum and the number of blobs is known.
  expected.writeUInt32LE(checksum, 4);
  expected.writeUIntLE(blobs, 40, 6);
  if (!head.equals(expected)) return undefined;
  const ends = new Map(key.packs.map((pack) => [pack.number, pack.sizeBytes]));
  let sum = crc32(head.subarray(8));
  let position = head.byteLength;
  const read = async (into: Buffer): Promise<boolean> => {
    const bytes = await file.read(into, position);
    position += bytes;
    sum = crc32(into.subarray(0, bytes), sum);
    return bytes === into.byteLength;
  };
  const live = new Map<number, number>();
  const isRight = ({ pack, position: at, bytes }: BlobPlace): boolean => {
    live.set(pack, (live.get(pack) ?? 0) + RECORD_HEADER_BYTES + bytes);
    return at >= PACK_HEADER_BYTES && at + RECORD_HEADER_BYTES + bytes <= (ends.get(pack) ?? 0);
  };
  const isWhole = await index.fill(blobs, read, isRight);
  return isWhole && sum === checksum ? live : undefined;
}
