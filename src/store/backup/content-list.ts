// Names of blobs with their sizes, in ascending order, cut into lists that are blobs themselves. Where a
// list ends is decided by the names alone, so that a blob more or less changes one list and every other
// one is there already. An entry is the hash, 32 bytes, and the size, u32, little endian.

import { fromHex, toHex } from '#base/bytes.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import { StoreError } from '#store/errors.ts';
import { BLOB_BYTES_MAX, type BlobInfo } from '#store/store.ts';

const ENTRY_BYTES = 36;
/** A list ends behind a hash whose last bits are zero: every 4096th on average. */
const END_MASK = 0x0fff;
const ENTRIES_MAX = Math.floor(BLOB_BYTES_MAX / ENTRY_BYTES);

/** `infos` in ascending order of their names. */
export async function* contentLists(infos: AsyncIterable<BlobInfo>): AsyncGenerator<Uint8Array> {
  let entries: Buffer[] = [];
  for await (const { ref, bytes } of infos) {
    const entry = Buffer.alloc(ENTRY_BYTES);
    entry.set(fromHex(ref.slice('sha256-'.length)) as Uint8Array, 0);
    entry.writeUInt32LE(bytes, 32);
    entries.push(entry);
    const isEnd = (entry.readUInt16BE(30) & END_MASK) === 0;
    if (!isEnd && entries.length < ENTRIES_MAX) continue;
    yield Buffer.concat(entries);
    entries = [];
  }
  if (entries.length > 0) yield Buffer.concat(entries);
}

/** @throws StoreError STORE_BACKUP_INVALID */
export function readContentList(list: Uint8Array): BlobInfo[] {
  if (list.byteLength % ENTRY_BYTES !== 0) {
    throw new StoreError('STORE_BACKUP_INVALID', 'A list of blobs of a backup is cut');
  }
  const bytes = Buffer.from(list.buffer, list.byteOffset, list.byteLength);
  const infos: BlobInfo[] = [];
  for (let at = 0; at < bytes.byteLength; at += ENTRY_BYTES) {
    const ref = blobRef(`sha256-${toHex(bytes.subarray(at, at + 32))}`) as BlobRef;
    infos.push({ ref, bytes: bytes.readUInt32LE(at + 32) });
  }
  return infos;
}
