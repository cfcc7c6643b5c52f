// The files of a kept torrent as blobs, which its event names: in the torrent's order, pad files left out,
// cut into lists that fit a blob. This file owns the format, version 1. Integers are little endian.
//
//   0   8   "SKLIST1\n"
//   8   80  for each file: its root, SHA-256 of its map (32 bytes each), its bytes and the Unix
//           milliseconds it was stored at (u64 each); all zero for an empty file

import { assert } from '#base/assert.ts';
import { bytesEqual, fromHex, toHex } from '#base/bytes.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import type { Steps } from '#base/steps.ts';

const MAGIC = Buffer.from('SKLIST1\n', 'latin1');
const ENTRY_BYTES = 80;
/** 16 MiB hold a few more. */
export const LIST_ENTRIES_MAX = 200_000;

/** A file of a kept torrent. */
export interface ListedFile {
  /** 32 bytes. */
  readonly root: Uint8Array;
  readonly mapRef: BlobRef;
  readonly bytes: number;
  /** Unix milliseconds. */
  readonly storedMs: number;
}

const ENTRIES_A_STEP = 5000;

/** Undefined stands for an empty file. At most LIST_ENTRIES_MAX. */
export function* encodeEntryList(files: readonly (ListedFile | undefined)[]): Steps<Uint8Array> {
  assert(files.length <= LIST_ENTRIES_MAX, 'a list fits a blob');
  const bytes = new Uint8Array(MAGIC.length + files.length * ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  for (const [number, file] of files.entries()) {
    if (number % ENTRIES_A_STEP === 0) yield;
    if (file === undefined) continue;
    const at = MAGIC.length + number * ENTRY_BYTES;
    const map = fromHex(file.mapRef.slice('sha256-'.length));
    assert(map !== undefined && file.root.length === 32, 'a file has its root and its map');
    bytes.set(file.root, at);
    bytes.set(map, at + 32);
    view.setBigUint64(at + 64, BigInt(file.bytes), true);
    view.setBigUint64(at + 72, BigInt(file.storedMs), true);
  }
  return bytes;
}

/** Undefined when these are not the bytes of a list. */
export function decodeEntryList(bytes: Uint8Array): (ListedFile | undefined)[] | undefined {
  if (!bytesEqual(bytes.subarray(0, MAGIC.length), MAGIC)) return undefined;
  const body = bytes.subarray(MAGIC.length);
  if (body.length % ENTRY_BYTES !== 0) return undefined;
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const files: (ListedFile | undefined)[] = [];
  for (let at = 0; at < body.length; at += ENTRY_BYTES) {
    const size = Number(view.getBigUint64(at + 64, true));
    const storedMs = Number(view.getBigUint64(at + 72, true));
    const mapRef = blobRef(`sha256-${toHex(body.subarray(at + 32, at + 64))}`);
    if (mapRef === undefined || !Number.isSafeInteger(size) || !Number.isSafeInteger(storedMs)) {
      return undefined;
    }
    const file = { root: body.slice(at, at + 32), mapRef, bytes: size, storedMs };
    files.push(size === 0 ? undefined : file);
  }
  return files;
}
