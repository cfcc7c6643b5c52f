// Reads and hashes all of a packed store: the headers in the packs, then every blob that the index knows.

import type { BlobRef } from '#base/ids.ts';
import { StoreError } from '#store/errors.ts';
import { type CallOptions, walkStore } from '#store/store.ts';
import type { PackDamage, PackedStore } from './packed.ts';

export interface Verified {
  readonly blobs: number;
  readonly bytes: number;
  readonly corrupt: readonly BlobRef[];
  /** Places in packs that hold no record that can be read. */
  readonly damage: readonly PackDamage[];
}

/** What it found is on the medium when it resolves. */
export async function verifyPacks(store: PackedStore, options: CallOptions): Promise<Verified> {
  let blobs = 0;
  let bytes = 0;
  const corrupt = new Set(await store.checkHeaders(options));
  for await (const { ref } of walkStore(store, options)) {
    try {
      bytes += (await store.get(ref, options)).byteLength;
      blobs++;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      // Removed meanwhile is no finding.
      if (error.code === 'STORE_CORRUPT_BLOB') corrupt.add(ref);
      else if (error.code !== 'STORE_BLOB_MISSING') throw error;
    }
  }
  await store.endCheck();
  return { blobs, bytes, corrupt: [...corrupt], damage: store.damage };
}
