// Copies one blob from a store to another, with retries. It is verified by the store it is read from and
// again by the one that takes it.

import { type Clock, sleep } from '#base/clock.ts';
import type { BlobRef } from '#base/ids.ts';
import { throwIfCancelled } from './calls.ts';
import { StoreError } from './errors.ts';
import type { CallOptions, Store } from './store.ts';

const ATTEMPTS = 3;
const RETRY_MS = 500;

export interface CopyProgress {
  readonly copied: number;
  readonly copiedBytes: number;
  readonly seen: number;
}

export interface CopyBlobOptions extends CallOptions {
  readonly clock: Clock;
}

/** The code of the last failure; undefined when it was copied. */
export async function copyBlob(work: {
  readonly ref: BlobRef;
  readonly from: Store;
  readonly to: Store;
  readonly options: CopyBlobOptions;
  /** Three unless given. */
  readonly attempts?: number;
  /** False when few are copied at once: they would wait for others that do not come. */
  readonly noRush?: boolean;
}): Promise<string | undefined> {
  const { ref, from, to, options, attempts = ATTEMPTS, noRush = true } = work;
  for (let attempt = 1; ; attempt++) {
    try {
      await to.put(await from.get(ref, options), { ref, noRush, signal: options.signal });
      return undefined;
    } catch (error) {
      throwIfCancelled(options.signal);
      if (!(error instanceof StoreError)) throw error;
      // Another attempt makes neither rot nor absence better.
      const isLasting = error.code === 'STORE_CORRUPT_BLOB' || error.code === 'STORE_BLOB_MISSING';
      if (isLasting || attempt === attempts) return error.code;
      await sleep(options.clock, RETRY_MS * attempt, options.signal).catch(() => {});
    }
  }
}
