// Copies the store's blobs to where a backup lies, and back. What is there already is asked for by name.

import type { Clock } from '#base/clock.ts';
import type { BlobRef } from '#base/ids.ts';
import { Slots } from '#base/slots.ts';
import { throwIfCancelled } from '#store/calls.ts';
import { copyBlob } from '#store/copy.ts';
import { type BlobInfo, type Store, statSound } from '#store/store.ts';

const COPIES_AT_ONCE = 5;
const PAGE = 500;

export interface ContentCopy {
  readonly from: Store;
  readonly to: Store;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

export interface ContentSums {
  seen: number;
  copied: number;
  copiedBytes: number;
  /** Are not in it though they should be; the first thousand. */
  readonly failed: FailedBlob[];
  /** All of them. */
  failedCount: number;
}

export interface FailedBlob {
  readonly ref: BlobRef;
  readonly code: string;
}

const FAILED_MAX = 1000;

export function newSums(): ContentSums {
  return { seen: 0, copied: 0, copiedBytes: 0, failed: [], failedCount: 0 };
}

export function noteFailed(sums: ContentSums, failed: FailedBlob): void {
  sums.failedCount++;
  if (sums.failed.length < FAILED_MAX) sums.failed.push(failed);
}

/**
 * Gives those of `infos` that are in `to` now, in their order; not those removed meanwhile.
 * @throws StoreError STORE_WRITE_FAILED when `to` takes no more
 */
export async function* copiedContent(
  infos: AsyncIterable<BlobInfo>,
  work: ContentCopy,
  sums: ContentSums,
): AsyncGenerator<BlobInfo> {
  let page: BlobInfo[] = [];
  for await (const info of infos) {
    page.push(info);
    if (page.length < PAGE) continue;
    yield* await copyPage(page, work, sums);
    page = [];
  }
  yield* await copyPage(page, work, sums);
  await work.to.flush();
}

async function copyPage(
  page: readonly BlobInfo[],
  { from, to, signal, clock }: ContentCopy,
  sums: ContentSums,
): Promise<BlobInfo[]> {
  const slots = new Slots(COPIES_AT_ONCE);
  const refs = page.map(({ ref }) => ref);
  const there = await statSound(to, refs, { signal });
  const has = new Set(there.map(({ ref }) => ref));
  const copyOne = async ({ ref, bytes }: BlobInfo): Promise<void> => {
    const code = await copyBlob({ ref, from, to, options: { clock, signal } });
    // A disk that is full is no loss of one blob. Once more, for the words: it ends the whole.
    if (code === 'STORE_WRITE_FAILED')
      await to.put(await from.get(ref, { signal }), { ref, signal });
    if (code === undefined || code === 'STORE_WRITE_FAILED') {
      has.add(ref);
      sums.copied++;
      sums.copiedBytes += bytes;
    } else if (code !== 'STORE_BLOB_MISSING') noteFailed(sums, { ref, code });
  };
  const lacking = page.filter(({ ref }) => !has.has(ref));
  const done = await Promise.allSettled(lacking.map((one) => slots.use(() => copyOne(one))));
  throwIfCancelled(signal);
  for (const one of done) if (one.status === 'rejected') throw one.reason;
  sums.seen += page.length;
  return page.filter(({ ref }) => has.has(ref));
}
