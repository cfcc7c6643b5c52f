// Which members of a replica lack a blob that another one has. Each lists its names in ascending order, so
// all are walked side by side, with a page of each in memory.

import type { BlobRef } from '#base/ids.ts';
import { type BlobInfo, type CallOptions, type Store, walkStore } from '#store/store.ts';

export interface LackingCopy {
  readonly ref: BlobRef;
  /** The member's place in the list. */
  readonly at: number;
}

/** What was put or removed while it looks is asked for again before it is told. */
export async function* lackingCopies(
  members: readonly Store[],
  options: CallOptions = {},
): AsyncGenerator<LackingCopy> {
  const walks = members.map((store) => walkStore(store, { signal: options.signal }));
  try {
    const heads = await Promise.all(walks.map(nextOf));
    for (;;) {
      const refs = heads.flatMap((head) => (head === undefined ? [] : [head.ref]));
      const [least] = refs.sort();
      if (least === undefined) return;
      if (heads.some((head) => head?.ref !== least))
        yield* await lackingNow(members, least, options);
      for (const [at, head] of heads.entries()) {
        if (head?.ref === least) heads[at] = await nextOf(walks[at]!);
      }
    }
  } finally {
    await Promise.allSettled(walks.map((walk) => walk.return(undefined)));
  }
}

async function nextOf(walk: AsyncGenerator<BlobInfo>): Promise<BlobInfo | undefined> {
  const { done, value } = await walk.next();
  return done === true ? undefined : value;
}

async function lackingNow(
  members: readonly Store[],
  ref: BlobRef,
  options: CallOptions,
): Promise<LackingCopy[]> {
  const found = await Promise.all(members.map((store) => store.stat([ref], options)));
  const lacking = found.flatMap((infos, at) => (infos.length === 0 ? [{ ref, at }] : []));
  return lacking.length === members.length ? [] : lacking;
}
