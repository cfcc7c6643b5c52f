// Reads the headers of all records again, as verifying does: a store that ended in order is opened from its
// checkpoint, which reads none. A blob whose record cannot be told any more is still read while the index
// knows where it is, and would be lost by the next opening that reads packs: it is named here, and a put
// stores it again.

import type { BlobIndex } from './blob-index.ts';
import { type PackScan, scanPack } from './pack.ts';
import type { PackFiles } from './pack-files.ts';
import type { PackDamage } from './packed.ts';

const PAGE = 1000;

export interface CheckedHeaders {
  readonly damage: readonly PackDamage[];
  /** Hashes of blobs whose records are damaged. */
  readonly lost: readonly Uint8Array[];
}

/** `enter` is called between two packs and throws when it is to end. */
export async function checkHeaders(
  files: PackFiles,
  index: BlobIndex,
  enter: () => void,
): Promise<CheckedHeaders> {
  const damage: PackDamage[] = [];
  for (const pack of files.numbers()) {
    enter();
    const { seed, end } = files.pack(pack) ?? {};
    if (seed === undefined || end === undefined) continue;
    const scan = await scanned(files, pack, seed);
    // What stands above is being written at this moment.
    for (const { start, end: to } of scan?.damage ?? []) {
      if (start < end) damage.push({ pack, start, end: Math.min(to, end) });
    }
  }
  return { damage, lost: damage.length === 0 ? [] : within(index, damage) };
}

/** Undefined when compaction has removed the pack meanwhile. */
async function scanned(
  files: PackFiles,
  pack: number,
  seed: number,
): Promise<PackScan | undefined> {
  try {
    return await files.use(pack, (file) => scanPack(file, seed, () => {}));
  } catch (error) {
    if (files.pack(pack) === undefined) return undefined;
    throw error;
  }
}

function within(index: BlobIndex, damage: readonly PackDamage[]): Uint8Array[] {
  const lost: Uint8Array[] = [];
  for (let after: Uint8Array | undefined; ; ) {
    const page = index.page(after, PAGE);
    for (const { hash, place } of page) {
      const isLost = damage.some(
        ({ pack, start, end }) =>
          place.pack === pack && place.position >= start && place.position < end,
      );
      if (isLost) lost.push(hash);
    }
    after = page.at(-1)?.hash;
    if (after === undefined) return lost;
  }
}
