// The blobs of the S3 benchmark: each is its number in eight bytes and the same filling.

import { SeededRandom } from '#base/random.ts';

export const S3_BLOB_BYTES: number = 4 * 1024 * 1024;
export const S3_MARK_BYTES = 8;

export function s3Filling(): Buffer {
  const random = new SeededRandom(1);
  const bytes = Buffer.alloc(S3_BLOB_BYTES);
  for (let at = 0; at < S3_BLOB_BYTES; at += 65_536) bytes.set(random.bytes(65_536), at);
  return bytes;
}

export function s3Blob(filling: Buffer, number: number): Buffer {
  const blob = Buffer.from(filling);
  blob.writeBigUInt64LE(BigInt(number));
  return blob;
}
