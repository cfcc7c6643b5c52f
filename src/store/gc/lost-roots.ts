// What rooms refer to and a store does not have: the other half of a verification, which reads only what
// is there. A disk that is not mounted, and a pack that is gone, show here.

import { messageOf } from '#base/errors.ts';
import type { BlobRef } from '#base/ids.ts';
import type { Store } from '#store/store.ts';
import type { RootSource } from './roots.ts';

const REFS_AT_ONCE = 1000;
const FOUND_MAX = 1000;

export interface LostRoots {
  /** The first thousand. */
  readonly missing: readonly BlobRef[];
  /** Rooms whose references cannot all be read, and why: a blob that lists others is gone, for one. */
  readonly unread: readonly { readonly source: string; readonly why: string }[];
}

/** Rejects only with the signal's reason. */
export async function lostRoots(
  store: Pick<Store, 'stat'>,
  sources: readonly RootSource[],
  signal: AbortSignal,
): Promise<LostRoots> {
  const missing = new Set<BlobRef>();
  const unread: { source: string; why: string }[] = [];
  const look = async (refs: readonly BlobRef[]): Promise<void> => {
    const there = new Set((await store.stat(refs, { signal })).map((info) => info.ref));
    for (const ref of refs) if (!there.has(ref) && missing.size < FOUND_MAX) missing.add(ref);
  };
  for (const source of sources) {
    let some: BlobRef[] = [];
    try {
      for await (const ref of source.refs(signal)) {
        some.push(ref);
        if (some.length < REFS_AT_ONCE) continue;
        await look(some);
        some = [];
      }
    } catch (error) {
      signal.throwIfAborted();
      unread.push({ source: source.name, why: messageOf(error) });
    }
    await look(some);
  }
  return { missing: [...missing], unread };
}
