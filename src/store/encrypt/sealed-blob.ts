// An encrypted blob, version 1. This file owns the format and the cryptography; both are node:crypto's
// AES-256-GCM and HKDF-SHA-256 (RFC 5869), nothing of our own. Integers are little endian.
//
//    0  magic    "SKE1"
//    4  kind     u8, 1 a part of a blob, 2 a manifest
//    5  zeros    3 bytes
//    8  key id   8 bytes, of the key file's key
//   16  salt     32 bytes, random for every one that is made
//   48  ciphertext of the inner text, then the tag, 16 bytes
//
// The key is HKDF(key of the file, salt, "swarmkeep store 1 " + kind): each is used once, so the nonce is
// twelve zeros. What is authenticated beside the ciphertext is the header, bytes 0 to 48.
//
// The inner text of a part begins with what it is a part of, so that no part can stand for another:
//
//    0  hash     32 bytes, SHA-256 of the whole blob: its name
//   32  size     u32 of the whole blob
//   36  part     u8, from 0
//   37  parts    u8, 1 or 2: a blob of 16 MiB does not fit one with its header
//   38  zeros    2 bytes
//   40  bytes of the blob

import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import { toHex } from '#base/bytes.ts';
import type { Random } from '#base/random.ts';
import { StoreError } from '#store/errors.ts';
import { BLOB_BYTES_MAX } from '#store/store.ts';
import type { StoreKey } from './key-file.ts';

const MAGIC = 'SKE1';
const HEADER_BYTES = 48;
const TAG_BYTES = 16;
const PART_HEADER_BYTES = 40;
const NONCE = new Uint8Array(12);
const KINDS = { part: 1, manifest: 2 } as const;
type Kind = keyof typeof KINDS;

/** What of a blob goes into one part. */
export const PART_BYTES_MAX = BLOB_BYTES_MAX - HEADER_BYTES - TAG_BYTES - PART_HEADER_BYTES;
/** The longest inner text of a manifest. */
export const MANIFEST_BYTES_MAX = BLOB_BYTES_MAX - HEADER_BYTES - TAG_BYTES;

export interface Part {
  readonly hash: Uint8Array;
  /** Of the whole blob. */
  readonly size: number;
  readonly part: number;
  readonly parts: number;
  readonly bytes: Uint8Array;
}

export function seal(inner: Uint8Array, kind: Kind, key: StoreKey, random: Random): Uint8Array {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(MAGIC, 0, 'latin1');
  header[4] = KINDS[kind];
  header.write(key.id, 8, 'hex');
  header.set(random.bytes(32), 16);
  const cipher = createCipheriv('aes-256-gcm', keyOf(header, kind, key), NONCE);
  cipher.setAAD(header);
  return Buffer.concat([header, cipher.update(inner), cipher.final(), cipher.getAuthTag()]);
}

/** @throws StoreError STORE_KEY_MISSING, STORE_CORRUPT_BLOB (altered, or another kind) */
export function open(sealed: Uint8Array, kind: Kind, keys: readonly StoreKey[]): Uint8Array {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  const isOurs =
    bytes.byteLength >= HEADER_BYTES + TAG_BYTES && bytes.toString('latin1', 0, 4) === MAGIC;
  if (!isOurs || bytes[4] !== KINDS[kind]) throw altered(`it is no ${kind}`);
  const id = keyIdOf(bytes);
  const key = keys.find((one) => one.id === id);
  if (key === undefined) {
    throw new StoreError('STORE_KEY_MISSING', `No key "${id}" in the key file`);
  }
  const header = bytes.subarray(0, HEADER_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', keyOf(header, kind, key), NONCE, {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(header);
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  const inner = decipher.update(bytes.subarray(HEADER_BYTES, -TAG_BYTES));
  try {
    decipher.final();
  } catch {
    throw altered('its tag is not the one of its bytes');
  }
  return inner;
}

/** The id in the header, whoever wrote it. */
export function keyIdOf(sealed: Uint8Array): string {
  return toHex(sealed.subarray(8, 16));
}

export function encodePart(part: Part): Uint8Array {
  const inner = Buffer.alloc(PART_HEADER_BYTES + part.bytes.byteLength);
  inner.set(part.hash, 0);
  inner.writeUInt32LE(part.size, 32);
  inner[36] = part.part;
  inner[37] = part.parts;
  inner.set(part.bytes, PART_HEADER_BYTES);
  return inner;
}

/** @throws StoreError STORE_CORRUPT_BLOB */
export function decodePart(inner: Uint8Array): Part {
  const bytes = Buffer.from(inner.buffer, inner.byteOffset, inner.byteLength);
  if (bytes.byteLength < PART_HEADER_BYTES) throw altered('it is too short for a part');
  const size = bytes.readUInt32LE(32);
  const part = bytes.readUInt8(36);
  const parts = bytes.readUInt8(37);
  const isRight = size <= BLOB_BYTES_MAX && parts === partsOf(size) && part < parts;
  if (!isRight) throw altered('it is no part of a blob');
  return {
    ...{ hash: Uint8Array.from(bytes.subarray(0, 32)), size, part, parts },
    bytes: bytes.subarray(PART_HEADER_BYTES),
  };
}

/** How many parts a blob of `size` bytes has. */
export function partsOf(size: number): number {
  return Math.max(1, Math.ceil(size / PART_BYTES_MAX));
}

function keyOf(header: Buffer, kind: Kind, key: StoreKey): Uint8Array {
  const salt = header.subarray(16, HEADER_BYTES);
  return new Uint8Array(hkdfSync('sha256', key.key, salt, `swarmkeep store 1 ${kind}`, 32));
}

function altered(why: string): StoreError {
  return new StoreError('STORE_CORRUPT_BLOB', `Cannot decrypt: ${why}`);
}
