// The manifest of an encrypted store: which blob is kept as which encrypted parts. It is kept beside the
// parts, in a store of its own, as encrypted blobs (sealed-blob.ts); all are read when the store is
// opened. This file owns the format of their inner text. Integers are little endian.
//
//    0  magic     "SKM1"
//    4  count     u32 of entries
//    8  entries:
//
//    0  kind      u8, 1 a blob, 3 the removal of a blob; 2 is a removal of an older version, without parts
//    1  parts     u8, 1 or 2
//    2  zeros     2 bytes
//    4  size      u32 of the blob; 0 in a removal
//    8  sequence  u64, larger in every entry that is written
//   16  hash      32 bytes, of the blob
//   48  key id    8 bytes, of the key its parts are encrypted with; zeros in a removal
//   56  parts x 32 bytes, the hash of each encrypted part; in a removal of those that it removes
//
// The entry of the highest sequence decides about a hash. So manifests can be read in any order, and
// merged in any group; only a removal must outlive every older entry of its hash, and its parts.

import { StoreError } from '#store/errors.ts';

const MAGIC = 'SKM1';
const HEADER_BYTES = 8;
const ENTRY_BYTES = 56;
const HASH_BYTES = 32;

export interface ManifestEntry {
  readonly hash: Uint8Array;
  readonly size: number;
  readonly sequence: number;
  /** 16 hex digits; empty in a removal. */
  readonly keyId: string;
  /** Hashes of the encrypted parts; none in a removal. */
  readonly parts: readonly Uint8Array[];
  /** In a removal: the parts that the blob had. */
  readonly removed?: readonly Uint8Array[];
}

export function entryBytes(entry: ManifestEntry): number {
  return ENTRY_BYTES + hashesOf(entry).length * HASH_BYTES;
}

function hashesOf({ parts, removed = [] }: ManifestEntry): readonly Uint8Array[] {
  return parts.length > 0 ? parts : removed;
}

export const MANIFEST_HEADER_BYTES = HEADER_BYTES;

export function encodeManifest(entries: readonly ManifestEntry[]): Uint8Array {
  const length = entries.reduce((sum, entry) => sum + entryBytes(entry), HEADER_BYTES);
  const bytes = Buffer.alloc(length);
  bytes.write(MAGIC, 0, 'latin1');
  bytes.writeUInt32LE(entries.length, 4);
  let at = HEADER_BYTES;
  for (const entry of entries) {
    const hashes = hashesOf(entry);
    bytes[at] = entry.parts.length > 0 ? 1 : hashes.length > 0 ? 3 : 2;
    bytes[at + 1] = hashes.length;
    bytes.writeUInt32LE(entry.size, at + 4);
    bytes.writeBigUInt64LE(BigInt(entry.sequence), at + 8);
    bytes.set(entry.hash, at + 16);
    bytes.write(entry.keyId, at + 48, 'hex');
    for (const [part, hash] of hashes.entries()) {
      bytes.set(hash, at + ENTRY_BYTES + part * HASH_BYTES);
    }
    at += entryBytes(entry);
  }
  return bytes;
}

/** @throws StoreError STORE_CORRUPT_BLOB */
export function decodeManifest(inner: Uint8Array): ManifestEntry[] {
  const bytes = Buffer.from(inner.buffer, inner.byteOffset, inner.byteLength);
  const isOurs = bytes.byteLength >= HEADER_BYTES && bytes.toString('latin1', 0, 4) === MAGIC;
  if (!isOurs) throw invalid();
  const entries: ManifestEntry[] = [];
  let at = HEADER_BYTES;
  for (let left = bytes.readUInt32LE(4); left > 0; left--) {
    if (at + ENTRY_BYTES > bytes.byteLength) throw invalid();
    const kind = bytes.readUInt8(at);
    const count = bytes.readUInt8(at + 1);
    const isKind = count <= 2 && (count === 0 ? kind === 2 : kind === 1 || kind === 3);
    const end = at + ENTRY_BYTES + count * HASH_BYTES;
    if (!isKind || end > bytes.byteLength) throw invalid();
    const isBlob = kind === 1;
    const hashAt = (from: number) => Uint8Array.from(bytes.subarray(from, from + HASH_BYTES));
    const hashes = Array.from({ length: count }, (_, one) =>
      hashAt(at + ENTRY_BYTES + one * HASH_BYTES),
    );
    entries.push({
      hash: hashAt(at + 16),
      size: bytes.readUInt32LE(at + 4),
      sequence: Number(bytes.readBigUInt64LE(at + 8)),
      keyId: isBlob ? bytes.toString('hex', at + 48, at + 56) : '',
      parts: isBlob ? hashes : [],
      ...(kind === 3 && { removed: hashes }),
    });
    at = end;
  }
  if (at !== bytes.byteLength) throw invalid();
  return entries;
}

function invalid(): StoreError {
  return new StoreError(
    'STORE_CORRUPT_BLOB',
    'Cannot read a manifest: it does not hold what it says',
  );
}
