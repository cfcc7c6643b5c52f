// How the body of a batch is stored. Compression costs time of whoever appends and of each reader, and
// pays where disk or wire is scarce; a body that would not take fewer sectors stays as it is.

import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { ALIGNMENT } from './alignment.ts';

/** By the names that topics are configured with; the numbers are those of batch.ts. */
export const CODECS = { none: 0, zstd: 1, gzip: 2 } as const;
export type CodecName = keyof typeof CODECS;
export const CODEC_NONE = CODECS.none;
export const CODEC_MAX = CODECS.gzip;

const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
const GZIP = { level: 1 };
/** As the header before it, in whole sectors. */
const HEADER_BYTES = 64;

/** Undefined when it would not take fewer sectors. */
export function compressBody(raw: Uint8Array, codec: number): Uint8Array | undefined {
  if (codec === CODEC_NONE || sectors(raw.byteLength) === 1) return undefined;
  const packed = codec === CODECS.zstd ? zstdCompressSync(raw, ZSTD) : gzipSync(raw, GZIP);
  return sectors(packed.byteLength) < sectors(raw.byteLength) ? packed : undefined;
}

/** Never more than `rawLength` bytes; undefined when it cannot be opened, or is not as long. */
export function openBody(
  stored: Uint8Array,
  { codec, rawLength }: { readonly codec: number; readonly rawLength: number },
): Uint8Array | undefined {
  if (codec === CODEC_NONE) return stored;
  const options = { maxOutputLength: Math.max(1, rawLength) };
  try {
    const open = codec === CODECS.zstd ? zstdDecompressSync : gunzipSync;
    const raw = open(stored, options);
    return raw.byteLength === rawLength ? raw : undefined;
  } catch {
    return undefined;
  }
}

function sectors(bodyBytes: number): number {
  return Math.ceil((HEADER_BYTES + bodyBytes) / ALIGNMENT);
}
