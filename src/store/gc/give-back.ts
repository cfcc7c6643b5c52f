// Gives back the space of what was removed: parts that an encrypted store names no more, and packs.

import type { BlobRef } from '#base/ids.ts';
import type { CompactOptions } from '#store/packed/packed.ts';
import type { Stack } from '#store/stack/stack.ts';
import { damageOf } from '#store/verify.ts';

export interface GivenBack {
  /** Packs that were rewritten. */
  readonly packs: number;
  /** On the media of packs; what others free is not counted. */
  readonly freedBytes: number;
  /** In packs and of no use: the newest pack stays, and one in which little was removed. */
  readonly unusedBytes: number;
  /** Packs left alone because something in them is damaged. */
  readonly kept: number;
  /** Encrypted parts that nothing named. */
  readonly parts: number;
  /** Of packs with damage: blobs that could not be read and are given up. */
  readonly givenUp: readonly BlobRef[];
}

export async function giveBack(stack: Stack, options: CompactOptions = {}): Promise<GivenBack> {
  const givenUp: BlobRef[] = [];
  const sum = { packs: 0, freedBytes: 0, unusedBytes: 0, kept: 0, parts: 0, givenUp };
  // What lies in a damaged place may be the manifest that names a part.
  const isWhole = damageOf(stack).length === 0;
  for (const store of stack.encrypted) {
    if (isWhole) sum.parts += await store.sweep(options);
    await store.mergeManifests();
  }
  for (const pack of stack.packs) {
    const { packs, freedBytes, kept, givenUp: lost } = await pack.compact(options);
    givenUp.push(...lost);
    sum.packs += packs;
    sum.freedBytes += freedBytes;
    sum.kept += kept.length;
    const { bytes, storedBytes } = await pack.stats();
    sum.unusedBytes += storedBytes - bytes;
  }
  return sum;
}
