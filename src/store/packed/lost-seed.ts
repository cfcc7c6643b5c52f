// The seed of a pack whose header is damaged (pack.ts). Every record was written with it, and a CRC can be
// reckoned backwards: from a record whose bytes and checksum are known, the seed follows. So a store whose
// only header rotted, or was lost with its whole sector, still reads every record.
//
// What is found is tried: records that the seed makes valid are what proves it, since bytes that somebody
// put have no valid record under the true seed. Only when all headers of a store are damaged, and the first
// record of a pack too, could bytes in a blob be taken for one, and what is read has its hash even then.

import { crc32 } from 'node:zlib';
import type { DiskFile } from '#base/disk.ts';
import {
  GROUP_ALIGNMENT,
  PACK_HEADER_BYTES,
  RECORD_HEADER_BYTES,
  recordIn,
  STORE_ID_AT,
  STORE_ID_BYTES,
  scanPack,
} from './pack.ts';

/** Groups are looked at from the first on; where so many begin with nothing, so will the others. */
const TRIES_MAX = 64;
const CHECKSUM_AT = 4;
const CHECKED_FROM = 8;
const ALL_ONES = 0xffff_ffff;

/** The store id that the header of a damaged pack still shows, right or not. */
export async function shownStoreId(file: DiskFile): Promise<Uint8Array> {
  const id = Buffer.alloc(STORE_ID_BYTES);
  await file.read(id, STORE_ID_AT);
  return Uint8Array.from(id);
}

/**
 * `known`: seeds of other packs of this store. Undefined when no record of the pack can be read, with any
 * seed.
 */
export async function findSeed(
  file: DiskFile,
  known: readonly number[],
): Promise<number | undefined> {
  const candidates = [...known, ...seedsNear(await shownStoreId(file))];
  const sizeBytes = await file.sizeBytes();
  const solved = new Set<number>();
  const header = Buffer.alloc(RECORD_HEADER_BYTES);
  let at = PACK_HEADER_BYTES;
  for (let tries = 0; tries < TRIES_MAX && at < sizeBytes; tries++, at += GROUP_ALIGNMENT) {
    if ((await file.read(header, at)) < RECORD_HEADER_BYTES) break;
    const checked = header.subarray(CHECKED_FROM);
    const seed = seedOf(checked, header.readUInt32LE(CHECKSUM_AT));
    if (recordIn(header, at, seed) === undefined) continue;
    if (candidates.includes(seed)) return seed;
    solved.add(seed);
  }
  for (const seed of solved) if (await isProven(file, seed)) return seed;
  return undefined;
}

/** One record alone proves it only where there is nothing else. */
async function isProven(file: DiskFile, seed: number): Promise<boolean> {
  let records = 0;
  const { damage } = await scanPack(file, seed, () => {
    records++;
  });
  return records > 1 || (records === 1 && damage.length === 0);
}

/** Of the id as it is, and with each one of its bits the other way. */
function seedsNear(id: Uint8Array): number[] {
  const seeds = [crc32(id)];
  for (let bit = 0; bit < id.byteLength * 8; bit++) {
    const other = Uint8Array.from(id);
    other[bit >> 3]! ^= 1 << (bit & 7);
    seeds.push(crc32(other));
  }
  return seeds;
}

/** A store id of this seed, for the headers that come. */
export function storeIdOf(seed: number, shown: Uint8Array): Uint8Array {
  if (crc32(shown) === seed) return shown;
  const id = Buffer.from(shown);
  const last = STORE_ID_BYTES - 4;
  const before = (crc32(id.subarray(0, last)) ^ ALL_ONES) >>> 0;
  // Four bytes act on the state before them as if they were added to it: so they can set it to anything.
  const wanted = unwound((seed ^ ALL_ONES) >>> 0, new Uint8Array(4));
  id.writeUInt32LE((before ^ wanted) >>> 0, last);
  return Uint8Array.from(id);
}

/** With which `bytes` have this checksum. */
function seedOf(bytes: Uint8Array, checksum: number): number {
  return (unwound((checksum ^ ALL_ONES) >>> 0, bytes) ^ ALL_ONES) >>> 0;
}

/** The state of a CRC32 before it took `bytes`. */
function unwound(state: number, bytes: Uint8Array): number {
  let now = state;
  for (let at = bytes.byteLength - 1; at >= 0; at--) {
    const index = INDEX_OF_TOP[now >>> 24]!;
    now = ((((now ^ TABLE[index]!) << 8) >>> 0) | (index ^ bytes[at]!)) >>> 0;
  }
  return now;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) {
    value = (value & 1) === 0 ? value >>> 1 : (value >>> 1) ^ 0xedb8_8320;
  }
  return value;
});
/** Each entry of the table has a highest byte of its own. */
const INDEX_OF_TOP = new Uint8Array(256);
for (const [index, value] of TABLE.entries()) INDEX_OF_TOP[value >>> 24] = index;
