// What wrappers over several stores share: one answer made of theirs.

import type { BlobRef } from '#base/ids.ts';
import {
  type BlobInfo,
  type CallOptions,
  invalidToken,
  type LendOptions,
  type LentBlob,
  type ListOptions,
  readStore,
  type Store,
  type StoreStats,
  type StreamedBlob,
  type StreamOptions,
} from '#store/store.ts';

/** What any of them has, by name. Up to `awayMax` of them may fail to answer. */
export async function statAny(
  stores: readonly Store[],
  refs: readonly BlobRef[],
  options: CallOptions,
  awayMax = 0,
): Promise<Map<BlobRef, BlobInfo>> {
  const found = new Map<BlobRef, BlobInfo>();
  for (const infos of await answers(stores, (store) => store.stat(refs, options), awayMax)) {
    for (const info of infos) found.set(info.ref, info);
  }
  return found;
}

/** By the first of them that does. */
export async function lendAny(
  stores: readonly Store[],
  ref: BlobRef,
  options: LendOptions,
): Promise<LentBlob | undefined> {
  for (const store of stores) {
    const lent = await store.lend?.(ref, options).catch(() => undefined);
    if (lent !== undefined) return lent;
  }
  return undefined;
}

/** Each name once, in ascending order: the first `limit` of all are among the first of each. */
export async function listAny(
  stores: readonly Store[],
  options: ListOptions,
  awayMax = 0,
): Promise<BlobInfo[]> {
  const found = new Map<BlobRef, BlobInfo>();
  for (const page of await answers(stores, (store) => store.list(options), awayMax)) {
    for (const info of page) found.set(info.ref, info);
  }
  const sorted = [...found.values()].sort((a, b) => (a.ref < b.ref ? -1 : 1));
  return sorted.slice(0, options.limit ?? 1000);
}

/** Removes from all of them; answers how many of `refs` any of them had. */
export async function removeFromAll(
  stores: readonly Store[],
  refs: readonly BlobRef[],
  options: CallOptions,
): Promise<number> {
  const there = await statAny(stores, refs, options);
  await answers(stores, (store) => store.remove([...there.keys()], options), 0);
  return there.size;
}

/** One after the other; a token is `<which of them>/<its own token>`. */
export async function* streamAll(
  stores: readonly Store[],
  options: StreamOptions,
): AsyncGenerator<StreamedBlob> {
  const found = options.after === undefined ? null : /^([0-9]{1,4})\/(.*)$/.exec(options.after);
  const first = Number(found?.[1] ?? 0);
  if (options.after !== undefined && (found === null || stores[first] === undefined)) {
    throw invalidToken(options.after);
  }
  for (const [at, store] of stores.entries()) {
    if (at < first) continue;
    const after = at === first ? found?.[2] : undefined;
    const rest = after === undefined ? {} : { after };
    for await (const blob of readStore(store, { signal: options.signal, ...rest })) {
      yield { ...blob, token: `${at}/${blob.token}` };
    }
  }
}

export async function statsOfAll(stores: readonly Store[]): Promise<StoreStats> {
  const sum = { blobs: 0, bytes: 0, storedBytes: 0 };
  for (const stats of await Promise.all(stores.map((store) => store.stats()))) {
    sum.blobs += stats.blobs;
    sum.bytes += stats.bytes;
    sum.storedBytes += stats.storedBytes;
  }
  return sum;
}

/** All are asked, and all have ended when it resolves. With too many failures the first is thrown. */
export async function answers<T>(
  stores: readonly Store[],
  ask: (store: Store) => Promise<T>,
  awayMax: number,
): Promise<T[]> {
  const results = await Promise.allSettled(stores.map(ask));
  const away = results.filter((result) => result.status === 'rejected');
  if (away.length > awayMax) throw away[0]?.reason;
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}
