// Gives back the space of what was removed: parts that an encrypted store names no more, and packs.

import type { BlobRef } from '#base/ids.ts';
import { StoreError } from '#store/errors.ts';
import type { CompactOptions } from '#store/packed/packed.ts';
import type { Stack } from '#store/stack/stack.ts';
import type { Store } from '#store/store.ts';

export interface GivenBack {
  /** Packs that were rewritten. */
  readonly packs: number;
  /** On the media of packs; what others free is not counted. */
  readonly freedBytes: number;
  /** In packs and of no use: the newest pack stays, and one in which little was removed. */
  readonly unusedBytes: number;
  /** Packs left alone because something in them is damaged. */
  readonly kept: number;
  /** Encrypted parts that nothing named, and that were removed. */
  readonly parts: number;
  /** Blobs of encrypted parts that nothing named: they are named again. */
  readonly named: number;
  /** Encrypted parts that nothing names and that cannot be read: they stay. */
  readonly unreadable: number;
  /** Of packs with damage: blobs that could not be read, that no cache and no other member has either. */
  readonly givenUp: readonly BlobRef[];
}

const NOT_SWEPT = { parts: 0, named: 0, unreadable: 0 };

/** Where there was nothing to give back. */
export const NOTHING_GIVEN_BACK: GivenBack = {
  ...{ packs: 0, freedBytes: 0, unusedBytes: 0, kept: 0, ...NOT_SWEPT, givenUp: [] },
};

export async function giveBack(stack: Stack, options: CompactOptions = {}): Promise<GivenBack> {
  const givenUp: BlobRef[] = [];
  const sum = { packs: 0, freedBytes: 0, unusedBytes: 0, kept: 0, ...NOT_SWEPT, givenUp };
  for (const store of stack.encrypted) {
    const { removed, named, unreadable } = await store.sweep(options);
    sum.parts += removed;
    sum.named += named;
    sum.unreadable += unreadable;
    await store.mergeManifests();
  }
  for (const pack of stack.packs) {
    const { packs, freedBytes, kept, givenUp: lost } = await pack.compact(options);
    for (const ref of lost) if (!(await isPutAgain(stack.store, ref, options))) givenUp.push(ref);
    sum.packs += packs;
    sum.freedBytes += freedBytes;
    sum.kept += kept.length;
    const { bytes, storedBytes } = await pack.stats();
    sum.unusedBytes += storedBytes - bytes;
  }
  return sum;
}

/** Of what a cache in front, or another member, still has: only now does the pack take it as new. */
async function isPutAgain(
  store: Store,
  ref: BlobRef,
  { signal }: CompactOptions,
): Promise<boolean> {
  const options = signal === undefined ? {} : { signal };
  try {
    await store.put(await store.get(ref, options), { ref, ...options });
    return true;
  } catch (error) {
    const code = error instanceof StoreError ? error.code : undefined;
    if (code === 'STORE_BLOB_MISSING' || code === 'STORE_CORRUPT_BLOB') return false;
    throw error;
  }
}
