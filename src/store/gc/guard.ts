// A store of which garbage can be collected while others put. Whatever it stands on, a put wins:
//
//   - A put, and a `stat` that finds the blob, take back the blob's mark before they answer, durably.
//     So its day begins anew, and whoever was told that a blob is there may refer to it.
//   - A removal of garbage that runs at the same time as a put of one of its blobs may make the put find
//     the blob still there. Such a put waits for the end of the removal and is made again, such a `stat`
//     is asked again.
//
// Removals of garbage go through `sweep` and nowhere else. A blob that is read, listed or removed by
// hand is none of its business.

import type { BlobRef } from '#base/ids.ts';
import { unlessCancelled } from '#store/calls.ts';
import {
  type BlobInfo,
  type BlobSource,
  type CallOptions,
  collect,
  hashOf,
  type LendOptions,
  type LentBlob,
  type ListOptions,
  type PutOptions,
  type PutResult,
  readStore,
  type Store,
  type StoreStats,
  type StreamedBlob,
  type StreamOptions,
} from '#store/store.ts';
import type { Marks } from './marks.ts';

interface Sweep {
  readonly refs: ReadonlySet<BlobRef>;
  /** Resolves when it has ended, however it ended. */
  readonly done: Promise<void>;
}

export class GuardedStore implements Store {
  readonly marks: Marks;
  /** Runs before a put is answered, also one of what was there. What it throws the put throws. */
  onReceived: ((info: BlobInfo) => Promise<void>) | undefined;
  readonly #store: Store;
  /** Of each call under way, the sweeps that ran at some time during it. */
  readonly #calls = new Set<Sweep[]>();
  #sweep: Sweep | undefined;

  constructor(store: Store, marks: Marks) {
    this.#store = store;
    this.marks = marks;
  }

  async put(source: BlobSource, options: PutOptions = {}): Promise<PutResult> {
    // Kept until the answer: it may have to be put a second time.
    const bytes = source instanceof Uint8Array ? source : await collect(source, options.signal);
    let wasNew = false;
    for (;;) {
      const { answer, crossing } = await this.#call(
        () => this.#store.put(bytes, options),
        ({ ref }) => [ref],
      );
      wasNew ||= answer.new;
      if (crossing.length === 0) {
        await this.onReceived?.({ ref: answer.ref, bytes: answer.bytes });
        return { ...answer, new: wasNew };
      }
      for (const sweep of crossing) await unlessCancelled(sweep.done, options.signal);
    }
  }

  get(ref: BlobRef, options?: CallOptions): Promise<Uint8Array> {
    return this.#store.get(ref, options);
  }

  async prove(ref: BlobRef, options?: CallOptions): Promise<number | undefined> {
    return this.#store.prove?.(ref, options);
  }

  async lend(ref: BlobRef, options: LendOptions): Promise<LentBlob | undefined> {
    return this.#store.lend?.(ref, options);
  }

  getRange(
    ref: BlobRef,
    range: { readonly start: number; readonly end: number },
    options?: CallOptions,
  ): Promise<Uint8Array> {
    return this.#store.getRange(ref, range, options);
  }

  async stat(refs: readonly BlobRef[], options: CallOptions = {}): Promise<BlobInfo[]> {
    for (;;) {
      const { answer, crossing } = await this.#call(
        () => this.#store.stat(refs, options),
        (found) => found.map(({ ref }) => ref),
      );
      if (crossing.length === 0) return answer;
      for (const sweep of crossing) await unlessCancelled(sweep.done, options.signal);
    }
  }

  list(options?: ListOptions): Promise<BlobInfo[]> {
    return this.#store.list(options);
  }

  isKnownCorrupt(ref: BlobRef): boolean {
    return this.#store.isKnownCorrupt?.(ref) === true;
  }

  remove(refs: readonly BlobRef[], options?: CallOptions): Promise<number> {
    return this.#store.remove(refs, options);
  }

  stream(options?: StreamOptions): AsyncGenerator<StreamedBlob> {
    return readStore(this.#store, options);
  }

  stats(): Promise<StoreStats> {
    return this.#store.stats();
  }

  flush(): Promise<void> {
    return this.#store.flush();
  }

  async close(): Promise<void> {
    await this.#store.close();
    await this.marks.close();
  }

  /**
   * Removes those of `refs` whose marks were not taken back, and answers which; one call at a time. It
   * cannot be cancelled: a removal nobody waits for any more could still happen after a put. What
   * fails may have removed some of them.
   */
  async sweep(refs: readonly BlobRef[]): Promise<BlobRef[]> {
    const gone = refs.filter((ref) => !this.marks.isCleared(hashOf(ref)));
    if (gone.length === 0) return gone;
    // Nothing waits between the look at the marks and this: no put ends unseen in between.
    const { promise, resolve } = Promise.withResolvers<void>();
    const sweep = { refs: new Set(gone), done: promise };
    this.#sweep = sweep;
    for (const sweeps of this.#calls) sweeps.push(sweep);
    try {
      await this.#store.remove(gone);
      return gone;
    } finally {
      this.#sweep = undefined;
      resolve();
    }
  }

  /** `crossing` are the sweeps of what was answered; without any, its marks are taken back. */
  async #call<T>(
    work: () => Promise<T>,
    refsOf: (answer: T) => readonly BlobRef[],
  ): Promise<{ readonly answer: T; readonly crossing: readonly Sweep[] }> {
    const sweeps = this.#sweep === undefined ? [] : [this.#sweep];
    this.#calls.add(sweeps);
    try {
      const answer = await work();
      // In the same turn as the answer came: a sweep begun after it would not know of this call.
      const refs = refsOf(answer);
      const crossing = sweeps.filter((sweep) => refs.some((ref) => sweep.refs.has(ref)));
      if (crossing.length > 0) return { answer, crossing };
      const marked = refs.map(hashOf).filter((hash) => this.marks.isMarked(hash));
      // In force at once; what comes after is only the medium.
      if (marked.length > 0) await this.marks.clear(marked);
      return { answer, crossing };
    } finally {
      this.#calls.delete(sweeps);
    }
  }
}
