// What rooms refer to and a store does not have: the other half of a verification, which reads only what
// is there. A disk that is not mounted, and a pack that is gone, show here.

import { messageOf } from '#base/errors.ts';
import type { BlobRef } from '#base/ids.ts';
import type { Store } from '#store/store.ts';
import type { RootSource } from './roots.ts';

const REFS_AT_ONCE = 1000;
const FOUND_MAX = 1000;

export interface LostRoots {
  /** The first thousand, each once, with the first room that refers to it. */
  readonly missing: readonly { readonly ref: BlobRef; readonly neededBy: string }[];
  /** All of them; one that two rooms refer to may count twice. */
  readonly missingCount: number;
  /** References that were looked at. */
  readonly seen: number;
  /** Rooms whose references cannot all be read, and why: a blob that lists others is gone, for one. */
  readonly unread: readonly { readonly source: string; readonly why: string }[];
}

/**
 * `isEnough` is asked now and then, and ends it early where only a look is wanted. Rejects with the signal's
 * reason, or with what the store's `stat` fails with.
 */
export async function lostRoots(
  store: Pick<Store, 'stat'>,
  sources: readonly RootSource[],
  options: { readonly signal: AbortSignal; readonly isEnough?: (seen: number) => boolean },
): Promise<LostRoots> {
  const { signal, isEnough = () => false } = options;
  const missing = new Map<BlobRef, string>();
  const unread: { source: string; why: string }[] = [];
  let missingCount = 0;
  let seen = 0;
  const look = async (refs: readonly BlobRef[], source: string): Promise<void> => {
    const asked = [...new Set(refs)];
    const there = new Set((await store.stat(asked, { signal })).map((info) => info.ref));
    seen += asked.length;
    for (const ref of asked) {
      if (there.has(ref) || missing.has(ref)) continue;
      missingCount++;
      if (missing.size < FOUND_MAX) missing.set(ref, source);
    }
  };
  for (const source of sources) {
    if (isEnough(seen)) break;
    const refs = readRefs(source, signal);
    for await (const some of refs) {
      if ('why' in some) unread.push({ source: source.name, why: some.why });
      else await look(some.refs, source.name);
      if (isEnough(seen)) break;
    }
  }
  const named = [...missing].map(([ref, neededBy]) => ({ ref, neededBy }));
  return { missing: named, missingCount, seen, unread };
}

/** What a room refers to, some at a time, and why it ends early where it does. */
async function* readRefs(
  source: RootSource,
  signal: AbortSignal,
): AsyncGenerator<{ readonly refs: readonly BlobRef[] } | { readonly why: string }> {
  let refs: BlobRef[] = [];
  let why: string | undefined;
  const all = source.refs(signal)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await all.next().catch((error: unknown) => {
        signal.throwIfAborted();
        why = messageOf(error);
      });
      if (next === undefined || next.done === true) break;
      refs.push(next.value);
      if (refs.length < REFS_AT_ONCE) continue;
      yield { refs };
      refs = [];
    }
    if (refs.length > 0) yield { refs };
    if (why !== undefined) yield { why };
  } finally {
    await all.return?.(undefined);
  }
}
