// Which of the files that were just stored are those of a torrent that is there already.

import type { WrittenFile } from '#archive/content/file-writer.ts';
import { toHex } from '#base/bytes.ts';
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
  const byRoot = new Map<string, WrittenFile>();
  for (const file of stored) if (file.map !== undefined) byRoot.set(toHex(file.map.root), file);
  const matched: WrittenFile[] = [];
  for (const { sizeBytes, rootHash, pad } of metainfo.files) {
    if (pad) continue;
    const inOrder = stored[matched.length];
    const file = rootHash === undefined ? inOrder : byRoot.get(toHex(rootHash));
    if (file === undefined || (file.map?.bytes ?? 0) !== sizeBytes) return undefined;
    matched.push(file);
  }
  return matched;
}
