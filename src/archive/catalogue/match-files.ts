// Which of the files that were just stored are those of a torrent that is there already.

import type { WrittenFile } from '#archive/content/file-writer.ts';
import { bytesEqual } from '#base/bytes.ts';
import type { Metainfo } from '#wire/metainfo.ts';

/**
 * `stored` are a torrent's files in its order, pad files left out, with the same content: the same v2
 * roots, or the same v1 pieces over files of the same sizes. Undefined when they are not those of
 * `metainfo` after all: v1 pieces are the same for files that are cut elsewhere.
 */
export function matchFiles(
  metainfo: Pick<Metainfo, 'files'>,
  stored: readonly WrittenFile[],
): readonly WrittenFile[] | undefined {
  const matched: WrittenFile[] = [];
  for (const { sizeBytes, rootHash, pad } of metainfo.files) {
    if (pad) continue;
    const inOrder = stored[matched.length];
    const file = rootHash === undefined ? inOrder : stored.find((one) => hasRoot(one, rootHash));
    if (file === undefined || (file.map?.bytes ?? 0) !== sizeBytes) return undefined;
    matched.push(file);
  }
  return matched;
}

function hasRoot(file: WrittenFile, root: Uint8Array): boolean {
  return file.map !== undefined && bytesEqual(file.map.root, root);
}
