// Recognises content that is there already under another info hash: a changed name, source or comment
// changes the hash, not what is shared. The key of v1 is over the piece hashes and the sizes of the
// files, the key of v2 over sizes and root hashes, sorted, so that the order of files and their names
// do not matter. A hybrid torrent has both and meets either half.

import { createHash } from 'node:crypto';
import type { Metainfo } from '#wire/metainfo.ts';

export interface ContentKeys {
  /** 32 bytes. Absent without v1 pieces. */
  readonly v1?: Uint8Array;
  /** 32 bytes. Absent without v2 roots. */
  readonly v2?: Uint8Array;
}

export function contentKeys(metainfo: Metainfo): ContentKeys {
  const { pieces } = metainfo;
  const v1 = pieces === undefined ? {} : { v1: keyV1(metainfo, pieces) };
  const v2 = metainfo.infoHashV2 === undefined ? {} : { v2: keyV2(metainfo) };
  return { ...v1, ...v2 };
}

function keyV1(metainfo: Metainfo, pieces: Uint8Array): Uint8Array {
  const hash = createHash('sha256');
  const sizes = metainfo.files.filter((file) => !file.pad).map((file) => file.sizeBytes);
  hash.update(`v1 ${metainfo.pieceLength} ${sizes.toSorted((a, b) => a - b).join(' ')} `);
  hash.update(pieces);
  return new Uint8Array(hash.digest());
}

function keyV2(metainfo: Metainfo): Uint8Array {
  const files = metainfo.files
    .filter((file) => !file.pad)
    .map((file) => `${file.sizeBytes}:${Buffer.from(file.rootHash ?? []).toString('hex')}`);
  return new Uint8Array(
    createHash('sha256')
      .update(`v2 ${files.sort().join(' ')}`)
      .digest(),
  );
}
