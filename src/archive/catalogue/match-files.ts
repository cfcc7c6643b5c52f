// Which of the files that were just stored are those of a torrent that is there already.

import type { WrittenFile } from '#archive/content/file-writer.ts';
import { bytesEqual, toHex } from '#base/bytes.ts';
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
  let byRoot: ReadonlyMap<string, WrittenFile> | undefined;
  const matched: WrittenFile[] = [];
  for (const { sizeBytes, rootHash, pad } of metainfo.files) {
    if (pad) continue;
    const inOrder = stored[matched.length];
    let [file, map] = [inOrder, inOrder?.map];
    if (rootHash !== undefined && (map === undefined || !bytesEqual(map.root, rootHash))) {
      byRoot ??= filesByRoot(stored);
      file = byRoot.get(toHex(rootHash));
      map = file?.map;
    }
    if (file === undefined || (map?.bytes ?? 0) !== sizeBytes) return undefined;
    matched.push(file);
  }
  return matched;
}

/** Made when one stands elsewhere: most torrents are there in the order in which they are put. */
function filesByRoot(stored: readonly WrittenFile[]): ReadonlyMap<string, WrittenFile> {
  const byRoot = new Map<string, WrittenFile>();
  for (const file of stored) {
    const { map } = file;
    if (map !== undefined) byRoot.set(toHex(map.root), file);
  }
  return byRoot;
}
