// A near store in front of a far one. The far one is the truth: a put is answered when it has the blob,
// and names, sizes and removals are its business. The near one holds at most `bytesMax` of what was read
// or put lately; what it cannot give is read from the far one, once, however many ask for it.
//
// Room is made oldest first, but blobs of at most `smallBytesMax` (metadata: directories, .torrents) stay
// while they take no more than a tenth of the room: reading them again would cost a round trip each. The
// order of use is written down when the store is closed and now and then before; after a crash the near
// blobs that are not in it count as the oldest.

import type { BlobRef } from '#base/ids.ts';
import { Gate, throwIfCancelled, unlessCancelled } from '#store/calls.ts';
import { StoreError } from '#store/errors.ts';
import {
  type BlobInfo,
  type BlobSource,
  type CallOptions,
  copyOf,
  type ListOptions,
  type PutOptions,
  type PutResult,
  readStore,
  readVerified,
  type Store,
  type StoreStats,
  type StreamedBlob,
  type StreamOptions,
  sliceRange,
  walkStore,
} from '#store/store.ts';
import { Turns } from '#store/turns.ts';

/** Changes of the order after which it is written down. */
const SAVE_EVERY = 4096;
const SMALL_SHARE = 0.1;
/** Blobs on their way to the near store at once: at most so many are held in memory for it. */
const NEAR_PUTS_MAX = 16;

export interface CacheOptions {
  readonly near: Store;
  readonly far: Store;
  /** Of blobs in the near store. */
  readonly bytesMax: number;
  readonly smallBytesMax: number;
  /** Where the order outlives the process. */
  readonly order?: OrderFile;
  /** Told of what went wrong with the near store; nobody else sees it. */
  readonly onTrouble?: (error: unknown) => void;
}

export interface OrderFile {
  /** Names, the oldest first; undefined when there is none that can be read. */
  load(): Promise<readonly BlobRef[] | undefined>;
  save(refs: Iterable<BlobRef>): Promise<void>;
}

export interface CacheCounts {
  readonly hits: number;
  readonly misses: number;
  readonly bytes: number;
}

export class CacheStore implements Store {
  readonly #options: CacheOptions;
  readonly #gate = new Gate();
  readonly #turns = new Turns();
  /** Reads of the far store under way. */
  readonly #reads = new Map<BlobRef, Promise<Uint8Array>>();
  /** What is near, by size class, the oldest first. */
  readonly #large = new Map<BlobRef, number>();
  readonly #small = new Map<BlobRef, number>();
  #largeBytes = 0;
  #smallBytes = 0;
  #changes = 0;
  #saving: Promise<void> = Promise.resolve();
  #nearPuts = 0;
  #hits = 0;
  #misses = 0;

  private constructor(options: CacheOptions) {
    this.#options = options;
  }

  static async open(options: CacheOptions): Promise<CacheStore> {
    const cache = new CacheStore(options);
    const there = new Map<BlobRef, number>();
    for await (const { ref, bytes } of walkStore(options.near)) there.set(ref, bytes);
    const order = ((await options.order?.load()) ?? []).filter((ref) => there.has(ref));
    const known = new Set(order);
    for (const [ref, bytes] of there) if (!known.has(ref)) cache.#touch(ref, bytes);
    for (const ref of order) cache.#touch(ref, there.get(ref) as number);
    await cache.#makeRoom();
    return cache;
  }

  get counts(): CacheCounts {
    return { hits: this.#hits, misses: this.#misses, bytes: this.#largeBytes + this.#smallBytes };
  }

  async put(source: BlobSource, options: PutOptions = {}): Promise<PutResult> {
    this.#gate.enter(options.signal);
    const { ref, bytes } = await readVerified(source, options);
    this.#gate.enter(options.signal);
    const put = this.#inTurn(ref, async () => {
      throwIfCancelled(options.signal);
      const answer = await this.#options.far.put(bytes, { ...options, ref });
      return { answer, bytes };
    });
    return unlessCancelled(put, options.signal);
  }

  async get(ref: BlobRef, options: CallOptions = {}): Promise<Uint8Array> {
    this.#gate.enter(options.signal);
    const near = await this.#fromNear(ref, options);
    if (near !== undefined) return near;
    this.#misses++;
    // A read that others wait for goes on when one of them gives up.
    let read = this.#reads.get(ref);
    if (read === undefined) {
      read = this.#fromFar(ref).finally(() => this.#reads.delete(ref));
      this.#reads.set(ref, read);
      return unlessCancelled(read, options.signal);
    }
    return copyOf(await unlessCancelled(read, options.signal));
  }

  async getRange(
    ref: BlobRef,
    range: { readonly start: number; readonly end: number },
    options: CallOptions = {},
  ): Promise<Uint8Array> {
    return sliceRange(await this.get(ref, options), range);
  }

  isKnownCorrupt(ref: BlobRef): boolean {
    return this.#options.far.isKnownCorrupt?.(ref) === true;
  }

  async stat(refs: readonly BlobRef[], options: CallOptions = {}): Promise<BlobInfo[]> {
    this.#gate.enter(options.signal);
    return this.#options.far.stat(refs, options);
  }

  async list(options: ListOptions = {}): Promise<BlobInfo[]> {
    this.#gate.enter(options.signal);
    return this.#options.far.list(options);
  }

  async remove(refs: readonly BlobRef[], options: CallOptions = {}): Promise<number> {
    this.#gate.enter(options.signal);
    return this.#turns.takeAll(refs, async () => {
      const removed = await this.#options.far.remove(refs, options);
      await this.#drop(refs);
      return removed;
    });
  }

  async *stream(options: StreamOptions = {}): AsyncGenerator<StreamedBlob> {
    this.#gate.enter(options.signal);
    yield* readStore(this.#options.far, options);
  }

  async stats(): Promise<StoreStats> {
    this.#gate.enter();
    return this.#options.far.stats();
  }

  async flush(): Promise<void> {
    this.#gate.enter();
    await this.#options.far.flush();
  }

  close(): Promise<void> {
    return this.#gate.close(async () => {
      await Promise.allSettled(this.#reads.values());
      await this.#turns.idle();
      await this.#save();
      await this.#options.near.close();
      await this.#options.far.close();
    });
  }

  async #fromNear(ref: BlobRef, options: CallOptions): Promise<Uint8Array | undefined> {
    const size = this.#small.get(ref) ?? this.#large.get(ref);
    if (size === undefined) return undefined;
    try {
      const bytes = await this.#options.near.get(ref, options);
      this.#touch(ref, size);
      this.#hits++;
      return bytes;
    } catch (error) {
      throwIfCancelled(options.signal);
      // A copy that is gone or rotten is no loss: the far store has the blob.
      this.#forget(ref);
      if (!isCode(error, 'STORE_BLOB_MISSING')) this.#options.onTrouble?.(error);
      return undefined;
    }
  }

  #fromFar(ref: BlobRef): Promise<Uint8Array> {
    return this.#inTurn(ref, async () => {
      const bytes = await this.#options.far.get(ref);
      return { answer: bytes, bytes };
    });
  }

  /**
   * In turn with removals: what is removed meanwhile must not be kept near. The answer does not wait
   * for the near store, the turn does.
   */
  #inTurn<T>(
    ref: BlobRef,
    work: () => Promise<{ readonly answer: T; readonly bytes: Uint8Array }>,
  ): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#turns
      .take(ref, async () => {
        const { answer, bytes } = await work();
        // The bytes are the caller's as soon as it is answered. With many waiting it is not worth it.
        const copy = this.#nearPuts < NEAR_PUTS_MAX ? copyOf(bytes) : undefined;
        resolve(answer);
        if (copy !== undefined) await this.#putNear(ref, copy);
      })
      .catch(reject);
    return promise;
  }

  /** Never fails: without a near copy the next read is slower. */
  async #putNear(ref: BlobRef, bytes: Uint8Array): Promise<void> {
    if (bytes.byteLength > this.#options.bytesMax) return;
    this.#nearPuts++;
    try {
      await this.#options.near.put(bytes, { ref, noRush: true });
      this.#touch(ref, bytes.byteLength);
      await this.#makeRoom();
    } catch (error) {
      this.#options.onTrouble?.(error);
    } finally {
      this.#nearPuts--;
    }
  }

  async #makeRoom(): Promise<void> {
    const { bytesMax } = this.#options;
    const gone: BlobRef[] = [];
    while (this.#largeBytes + this.#smallBytes > bytesMax) {
      const smallFirst = this.#smallBytes > bytesMax * SMALL_SHARE || this.#large.size === 0;
      const [oldest] = (smallFirst ? this.#small : this.#large).keys();
      if (oldest === undefined) break;
      this.#forget(oldest);
      gone.push(oldest);
    }
    if (gone.length > 0) await this.#drop(gone);
  }

  async #drop(refs: readonly BlobRef[]): Promise<void> {
    for (const ref of refs) this.#forget(ref);
    try {
      await this.#options.near.remove(refs);
    } catch (error) {
      this.#options.onTrouble?.(error);
    }
  }

  #touch(ref: BlobRef, bytes: number): void {
    this.#forget(ref);
    const isSmall = bytes <= this.#options.smallBytesMax;
    (isSmall ? this.#small : this.#large).set(ref, bytes);
    if (isSmall) this.#smallBytes += bytes;
    else this.#largeBytes += bytes;
    if (++this.#changes % SAVE_EVERY === 0) void this.#save();
  }

  #forget(ref: BlobRef): void {
    this.#smallBytes -= this.#small.get(ref) ?? 0;
    this.#largeBytes -= this.#large.get(ref) ?? 0;
    this.#small.delete(ref);
    this.#large.delete(ref);
  }

  /** One after the other; a failure costs only the order. */
  #save(): Promise<void> {
    this.#saving = this.#saving
      .then(() => this.#options.order?.save([...this.#large.keys(), ...this.#small.keys()]))
      .catch((error: unknown) => this.#options.onTrouble?.(error));
    return this.#saving;
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof StoreError && error.code === code;
}
