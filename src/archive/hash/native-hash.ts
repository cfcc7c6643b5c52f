// The hashes of a segment by the addon: its SHA-256 and those of its blocks in one pass (native/hash.c).

import { type HashBlocks, roomForHashes } from '#archive/content/segment-tree.ts';
import { assert } from '#base/assert.ts';
import { type AddonPlace, loadAddon } from '#net/addon.ts';

/** Undefined where there is no addon, or the processor has no instructions for SHA-256. */
export function hashBlocksBy(place: AddonPlace): HashBlocks | undefined {
  const loaded = loadAddon(place);
  if ('why' in loaded) return undefined;
  const { addon } = loaded;
  if (addon.hashSegment(new Uint8Array(1), roomForHashes(1)) !== 0) return undefined;
  return (bytes) => {
    const hashes = roomForHashes(bytes.length);
    assert(addon.hashSegment(bytes, hashes) === 0, 'what it hashed once it hashes again');
    return hashes;
  };
}
