// Several stores that hold the same. A put is answered when `writesMin` of them have it on their medium;
// the others are written all the same. A read asks one, the next when that one takes longer than
// `raceMs` or cannot give it, and takes the first good answer; whoever was found without the blob, or with
// a rotten one, gets it back. A removal must be made by all of them, or it would come back: it fails when
// one of them fails, and can be repeated.

import { type Clock, sleep } from '#base/clock.ts';
import type { BlobRef } from '#base/ids.ts';
import { Slots } from '#base/slots.ts';
import { cancelled, Gate, throwIfCancelled, unlessCancelled } from '#store/calls.ts';
import { StoreError } from '#store/errors.ts';
import {
  type BlobInfo,
  type BlobSource,
  type CallOptions,
  copyOf,
  type LendOptions,
  type LentBlob,
  type ListOptions,
  missing,
  type PutOptions,
  type PutResult,
  readVerified,
  type Store,
  type StoreStats,
  sliceRange,
} from '#store/store.ts';
import { Turns } from '#store/turns.ts';
import { type LackingCopy, lackingCopies } from './lacking.ts';
import { answers, lendAny, listAny, removeFromAll, statAny } from './several.ts';

/** Blobs given back at once; a reader never waits for it. */
const HEALS_MAX = 4;

export interface ReplicaOptions {
  readonly clock: Clock;
  /** 1 to the number of stores. */
  readonly writesMin: number;
  /** Milliseconds after which a read asks the next one too. */
  readonly raceMs: number;
  /** Told of each copy that failed, was missing or rotten. `at` is the store's place in the list. */
  readonly onTrouble?: (trouble: ReplicaTrouble) => void;
}

export interface ReplicaTrouble {
  readonly at: number;
  readonly ref: BlobRef;
  readonly what: 'write-failed' | 'read-failed' | 'missing' | 'corrupt' | 'healed';
  readonly error?: unknown;
}

export class ReplicaStore implements Store {
  readonly #stores: readonly Store[];
  readonly #options: ReplicaOptions;
  readonly #gate = new Gate();
  readonly #turns = new Turns();
  readonly #heals = new Slots(HEALS_MAX);
  readonly #healing = new Set<Promise<unknown>>();

  constructor(stores: readonly Store[], options: ReplicaOptions) {
    this.#stores = stores;
    this.#options = options;
  }

  async put(source: BlobSource, options: PutOptions = {}): Promise<PutResult> {
    this.#gate.enter(options.signal);
    const { ref, bytes } = await readVerified(source, options);
    this.#gate.enter(options.signal);
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    // The turn ends with the last of the writes, the answer comes with the first `writesMin`: those after
    // it write from bytes that the caller has no longer.
    const own = this.#options.writesMin < this.#stores.length ? copyOf(bytes) : bytes;
    this.#turns
      .take(ref, async () => {
        throwIfCancelled(options.signal);
        const { signal: _, ...same } = options;
        await this.#putAll({ bytes: own, options: { ...same, ref }, answered: resolve });
      })
      .catch(reject);
    const fresh = await unlessCancelled(promise, options.signal);
    return { ref, bytes: bytes.byteLength, new: fresh };
  }

  async get(ref: BlobRef, options: CallOptions = {}): Promise<Uint8Array> {
    this.#gate.enter(options.signal);
    const lacking: number[] = [];
    const bytes = await this.#race(ref, options.signal, lacking);
    for (const at of lacking) this.#heal(at, ref, bytes);
    // The caller owns what it gets, and a heal may still be reading it.
    return lacking.length === 0 ? bytes : copyOf(bytes);
  }

  /** By the first of them that does. */
  async lend(ref: BlobRef, options: LendOptions): Promise<LentBlob | undefined> {
    this.#gate.enter();
    return await lendAny(this.#stores, ref, options);
  }

  async getRange(
    ref: BlobRef,
    range: { readonly start: number; readonly end: number },
    options: CallOptions = {},
  ): Promise<Uint8Array> {
    return sliceRange(await this.get(ref, options), range);
  }

  /** By one of them: a put gives it a sound copy. */
  isKnownCorrupt(ref: BlobRef): boolean {
    return this.#stores.some((store) => store.isKnownCorrupt?.(ref) === true);
  }

  async stat(refs: readonly BlobRef[], options: CallOptions = {}): Promise<BlobInfo[]> {
    this.#gate.enter(options.signal);
    const found = await statAny(this.#stores, refs, options, this.#awayMax);
    return refs.flatMap((ref) => found.get(ref) ?? []);
  }

  async list(options: ListOptions = {}): Promise<BlobInfo[]> {
    this.#gate.enter(options.signal);
    return listAny(this.#stores, options, this.#awayMax);
  }

  async remove(refs: readonly BlobRef[], options: CallOptions = {}): Promise<number> {
    this.#gate.enter(options.signal);
    return this.#turns.takeAll(refs, () => removeFromAll(this.#stores, refs, options));
  }

  /** Of the one that holds the most: the others are on their way to it. */
  async stats(): Promise<StoreStats> {
    this.#gate.enter();
    const all = await Promise.all(this.#stores.map((store) => store.stats()));
    return all.reduce((most, stats) => (stats.blobs > most.blobs ? stats : most));
  }

  /** Members that lack a blob which another has. */
  lacking(options: CallOptions = {}): AsyncGenerator<LackingCopy> {
    this.#gate.enter(options.signal);
    return lackingCopies(this.#stores, options);
  }

  /** Gives every member what it lacks: how many copies, and the blobs that nobody could give or take. */
  async mend(options: CallOptions = {}): Promise<{
    readonly copied: number;
    readonly copiedBytes: number;
    readonly failed: readonly BlobRef[];
  }> {
    const failed: BlobRef[] = [];
    let copied = 0;
    let copiedBytes = 0;
    for await (const { ref, at } of this.lacking(options)) {
      try {
        const bytes = await this.get(ref, options);
        // In its turn as every heal: what was removed meanwhile stays so.
        const isPut = await this.#turns.take(ref, () => this.#giveBack(at, ref, bytes));
        if (!isPut) continue;
        copied++;
        copiedBytes += bytes.byteLength;
      } catch (error) {
        throwIfCancelled(options.signal);
        if (!(error instanceof StoreError)) throw error;
        if (error.code !== 'STORE_BLOB_MISSING') failed.push(ref);
      }
    }
    return { copied, copiedBytes, failed };
  }

  async flush(): Promise<void> {
    this.#gate.enter();
    await answers(this.#stores, (store) => store.flush(), 0);
  }

  close(): Promise<void> {
    return this.#gate.close(async () => {
      await this.#turns.idle();
      await Promise.allSettled(this.#healing);
      await answers(this.#stores, (store) => store.close(), 0);
    });
  }

  /** With so many away the others still know every blob that was acknowledged. */
  get #awayMax(): number {
    return this.#options.writesMin - 1;
  }

  async #putAll(wanted: {
    readonly bytes: Uint8Array;
    readonly options: PutOptions & { readonly ref: BlobRef };
    readonly answered: (fresh: boolean) => void;
  }): Promise<void> {
    const { bytes, options, answered } = wanted;
    const { ref } = options;
    const { writesMin } = this.#options;
    const fresh: number[] = [];
    const failures: unknown[] = [];
    let good = 0;
    let isNew = true;
    await Promise.all(
      this.#stores.map(async (store, at) => {
        try {
          const answer = await store.put(bytes, options);
          isNew &&= answer.new;
          if (answer.new) fresh.push(at);
          if (++good === writesMin) answered(isNew);
        } catch (error) {
          failures.push(error);
          this.#options.onTrouble?.({ at, ref, what: 'write-failed', error });
        }
      }),
    );
    if (good >= writesMin) return;
    // What was refused must not be found later.
    await Promise.allSettled(fresh.map((at) => (this.#stores[at] as Store).remove([ref])));
    throw new StoreError(
      'STORE_WRITE_FAILED',
      `Only ${good} of ${this.#stores.length} stores took "${ref}", ${writesMin} must`,
      { cause: failures[0] },
    );
  }

  /** The first good answer. Who was found to lack the blob is put into `lacking`. */
  async #race(
    ref: BlobRef,
    signal: AbortSignal | undefined,
    lacking: number[],
  ): Promise<Uint8Array> {
    const done = new AbortController();
    const stop = signal === undefined ? done.signal : AbortSignal.any([signal, done.signal]);
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const failures: unknown[] = [];
    let asked = 0;
    const askNext = (): void => {
      const at = asked;
      const store = this.#stores[at];
      if (store === undefined || done.signal.aborted) return;
      asked++;
      store.get(ref, { signal: stop }).then(resolve, (error: unknown) => {
        if (done.signal.aborted) return;
        failures.push(error);
        const what = this.#reportRead(at, ref, error);
        if (what === 'missing' || what === 'corrupt') lacking.push(at);
        askNext();
        if (failures.length === this.#stores.length) reject(worst(failures, ref));
      });
      sleep(this.#options.clock, this.#options.raceMs, stop).then(askNext, () => {});
    };
    askNext();
    try {
      return await unlessCancelled(promise, signal);
    } finally {
      done.abort(cancelled());
    }
  }

  #reportRead(at: number, ref: BlobRef, error: unknown): ReplicaTrouble['what'] {
    const code = error instanceof StoreError ? error.code : undefined;
    const known = { STORE_BLOB_MISSING: 'missing', STORE_CORRUPT_BLOB: 'corrupt' } as const;
    const what =
      code === 'STORE_BLOB_MISSING' || code === 'STORE_CORRUPT_BLOB' ? known[code] : 'read-failed';
    if (code !== 'STORE_CANCELLED') this.#options.onTrouble?.({ at, ref, what, error });
    return what;
  }

  /** In its turn, and only while another has it: a removal meanwhile must stay one. */
  #heal(at: number, ref: BlobRef, bytes: Uint8Array): void {
    const healing = this.#heals.use(() =>
      this.#turns.take(ref, () => this.#giveBack(at, ref, bytes)),
    );
    const ended = healing
      .catch((error: unknown) =>
        this.#options.onTrouble?.({ at, ref, what: 'write-failed', error }),
      )
      .finally(() => this.#healing.delete(ended));
    this.#healing.add(ended);
  }

  /** False when no other has it any more. */
  async #giveBack(at: number, ref: BlobRef, bytes: Uint8Array): Promise<boolean> {
    if ((await statAny(this.#others(at), [ref], {})).size === 0) return false;
    await (this.#stores[at] as Store).put(bytes, { ref });
    this.#options.onTrouble?.({ at, ref, what: 'healed' });
    return true;
  }

  #others(at: number): readonly Store[] {
    return this.#stores.filter((_, other) => other !== at);
  }
}

/** Missing only when all say so; a rotten copy says more than a missing one. */
function worst(failures: readonly unknown[], ref: BlobRef): unknown {
  const has = (code: string) =>
    failures.find((error) => error instanceof StoreError && error.code === code);
  const other = failures.find(
    (error) => !(error instanceof StoreError) || error.code !== 'STORE_BLOB_MISSING',
  );
  return has('STORE_CORRUPT_BLOB') ?? other ?? missing(ref);
}
