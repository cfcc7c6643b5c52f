// Copies what one store has and another lacks, however often it is interrupted: what is there already
// is asked for by name, a page at a time. Every blob is verified by the store it is read from and again
// by the one that takes it.

import { type Clock, sleep } from '#base/clock.ts';
import type { BlobRef } from '#base/ids.ts';
import { Slots } from '#base/slots.ts';
import { throwIfCancelled } from './calls.ts';
import { StoreError } from './errors.ts';
import { type BlobInfo, type CallOptions, type Store, walkStore } from './store.ts';

const COPIERS = 5;
const ATTEMPTS = 3;
const RETRY_MS = 500;
const PAGE = 500;
/** Failures that are told by name; more are counted. */
const FAILURES_MAX = 1000;

export interface CopyProgress {
  readonly copied: number;
  readonly copiedBytes: number;
  readonly seen: number;
}

export interface Copied extends CopyProgress {
  /** Could not be read or written after three attempts. */
  readonly failed: number;
  readonly failures: readonly { readonly ref: BlobRef; readonly code: string }[];
}

export interface CopyOptions extends CallOptions {
  readonly clock: Clock;
  readonly onProgress?: (progress: CopyProgress) => void;
}

export async function copyStore(from: Store, to: Store, options: CopyOptions): Promise<Copied> {
  const slots = new Slots(COPIERS);
  const done = { copied: 0, copiedBytes: 0, seen: 0, failed: 0 };
  const failures: { ref: BlobRef; code: string }[] = [];
  const copyOne = async ({ ref, bytes }: BlobInfo): Promise<void> => {
    const code = await copyBlob({ ref, from, to, options });
    if (code === undefined) {
      done.copied++;
      done.copiedBytes += bytes;
    } else if (code !== 'STORE_BLOB_MISSING') {
      done.failed++;
      if (failures.length < FAILURES_MAX) failures.push({ ref, code });
    }
    options.onProgress?.(done);
  };
  let page: BlobInfo[] = [];
  const copyPage = async (): Promise<void> => {
    const there = new Set(
      (
        await to.stat(
          page.map(({ ref }) => ref),
          options,
        )
      ).map(({ ref }) => ref),
    );
    done.seen += page.length;
    const lacking = page.filter(({ ref }) => !there.has(ref));
    page = [];
    await Promise.all(lacking.map((info) => slots.use(() => copyOne(info))));
    options.onProgress?.(done);
  };
  for await (const info of walkStore(from, { signal: options.signal })) {
    page.push(info);
    if (page.length === PAGE) await copyPage();
  }
  await copyPage();
  throwIfCancelled(options.signal);
  await to.flush();
  return { ...done, failures };
}

/** The code of the last failure. */
export async function copyBlob(work: {
  readonly ref: BlobRef;
  readonly from: Store;
  readonly to: Store;
  readonly options: CopyOptions;
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
