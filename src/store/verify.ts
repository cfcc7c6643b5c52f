// Reads and hashes every blob of a stack at its bottom, where a cache or a replica cannot hide a rotten
// copy, and compares what the top promises with what is there.

import type { BlobRef } from '#base/ids.ts';
import { PACK_HEADER_BYTES, packName } from '#store/packed/pack.ts';
import { PackedStore } from '#store/packed/packed.ts';
import type { Stack } from '#store/stack/stack.ts';
import { type CallOptions, readStore } from './store.ts';

const FOUND_MAX = 1000;

export interface StackVerified {
  /** Copies that were read, of all stores at the bottom. */
  readonly blobs: number;
  readonly bytes: number;
  /** Copies whose bytes are wrong; the first thousand. */
  readonly corrupt: readonly { readonly store: string; readonly ref: BlobRef }[];
  /** Blobs that the top names and nobody below has. */
  readonly missing: readonly BlobRef[];
  /** Of `damage`, those that held something. */
  readonly damagedStretches: number;
  /** Places in packs that cannot be read; the first thousand. */
  readonly damage: readonly DamagedPlace[];
}

export interface DamagedPlace {
  readonly store: string;
  /** The file. */
  readonly pack: string;
  readonly start: number;
  readonly end: number;
  /** Nothing is lost by a damaged header alone, and compaction writes its pack anew. */
  readonly isHeader: boolean;
}

/** What the packs of a stack were found to lack when they were opened. */
export function damageOf(stack: Pick<Stack, 'leaves'>): DamagedPlace[] {
  return stack.leaves.flatMap(({ name, store }) =>
    store instanceof PackedStore
      ? store.damage.map(({ pack, start, end }) => {
          const isHeader = start < PACK_HEADER_BYTES;
          return { store: name, pack: packName(pack), start, end, isHeader };
        })
      : [],
  );
}

export async function verifyStack(
  stack: Stack,
  options: CallOptions & { readonly onBlob?: (bytes: number) => void } = {},
): Promise<StackVerified> {
  const corrupt: { store: string; ref: BlobRef }[] = [];
  let blobs = 0;
  let total = 0;
  for (const { name, store } of stack.leaves) {
    const lost = store instanceof PackedStore ? await store.checkHeaders(options) : [];
    for (const ref of lost.slice(0, FOUND_MAX - corrupt.length)) corrupt.push({ store: name, ref });
    for await (const { ref, bytes, body } of readStore(store, { signal: options.signal })) {
      if (body === undefined) {
        if (corrupt.length < FOUND_MAX) corrupt.push({ store: name, ref });
      } else blobs++;
      total += bytes;
      options.onBlob?.(bytes);
    }
  }
  const missing = await missingOf(stack, options);
  const damage = damageOf(stack);
  const damagedStretches = damage.filter(({ isHeader }) => !isHeader).length;
  const some = damage.slice(0, FOUND_MAX);
  return { blobs, bytes: total, corrupt, missing, damagedStretches, damage: some };
}

/** Only what keeps names apart from bytes can name a blob that is not there. */
async function missingOf(stack: Stack, options: CallOptions): Promise<BlobRef[]> {
  const missing: BlobRef[] = [];
  for (const store of stack.encrypted) {
    for await (const ref of store.lost(options)) {
      if (missing.length < FOUND_MAX) missing.push(ref);
    }
  }
  return missing;
}
