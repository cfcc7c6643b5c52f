// What garbage collection must keep. Every room that refers to blobs exports a RootSource, and cli
// gives them all to the collector: what none of them names is garbage once it has been so for a day.
//
// Whoever refers to a blob puts it, or asks the store for it by `stat`, and makes its reference
// durable within a day after that. Both calls begin the blob's day anew, also when it was there already
// (gc/guard.ts). A reference to a blob that was neither put nor asked for may come too late.

import type { BlobRef } from '#base/ids.ts';
import { throwIfCancelled } from '#store/calls.ts';

export interface RootSource {
  /** For reports and messages: `pins`, `backups`. */
  readonly name: string;
  /**
   * Every blob that this room needs, in any order, as often as it likes; also what is reached from
   * other blobs. A reference made while it is read may be left out, one that was durable before may
   * not. Whatever it throws ends the collection with nothing more removed: half an answer would be
   * taken for a whole one. May be called several times in one collection. Ends soon after `signal`
   * aborts.
   */
  refs(signal: AbortSignal): AsyncIterable<BlobRef>;
}

/** How many of these blobs are needed; the sources are read no further than it takes. */
export async function countNeeded(
  sources: readonly RootSource[],
  refs: readonly BlobRef[],
  signal: AbortSignal,
): Promise<number> {
  const left = new Set(refs);
  const asked = left.size;
  if (asked === 0) return 0;
  for (const source of sources) {
    for await (const ref of source.refs(signal)) {
      throwIfCancelled(signal);
      if (left.delete(ref) && left.size === 0) return asked;
    }
    throwIfCancelled(signal);
  }
  return asked - left.size;
}
