// One store over several, each blob in one of them: `union` (new blobs by free space, or into the
// first) and `shard` (by hash or by rendezvous). A blob is found wherever it lies, so stores can be
// added at any time; `rebalance` then moves what belongs elsewhere, put first and removed after.

import type { BlobRef } from '#base/ids.ts';
import { Gate, throwIfCancelled, unlessCancelled } from '#store/calls.ts';
import { StoreError } from '#store/errors.ts';
import {
  type BlobInfo,
  type BlobSource,
  type CallOptions,
  type LendOptions,
  type LentBlob,
  type ListOptions,
  missing,
  type PutOptions,
  type PutResult,
  readVerified,
  type Store,
  type StoreStats,
  type StreamedBlob,
  type StreamOptions,
  sliceRange,
  walkStore,
} from '#store/store.ts';
import { Turns } from '#store/turns.ts';
import type { PlacedMember, Placement } from './placement.ts';
import {
  answers,
  lendAny,
  listAny,
  removeFromAll,
  statAny,
  statsOfAll,
  streamAll,
} from './several.ts';

export interface PlacedPart extends PlacedMember {
  readonly store: Store;
}

export interface Rebalanced {
  readonly moved: number;
  readonly movedBytes: number;
  /** Blobs that could not be read or written; they stay where they were. */
  readonly failed: readonly BlobRef[];
}

export class PlacedStore implements Store {
  readonly #parts: readonly PlacedPart[];
  readonly #stores: readonly Store[];
  readonly #placement: Placement;
  readonly #gate = new Gate();
  readonly #turns = new Turns();

  constructor(parts: readonly PlacedPart[], placement: Placement) {
    this.#parts = parts;
    this.#stores = parts.map(({ store }) => store);
    this.#placement = placement;
  }

  async put(source: BlobSource, options: PutOptions = {}): Promise<PutResult> {
    this.#gate.enter(options.signal);
    const { ref, bytes } = await readVerified(source, options);
    this.#gate.enter(options.signal);
    // In turn: between the look and the put it could be put elsewhere, or moved.
    const done = this.#turns.take(ref, async () => {
      throwIfCancelled(options.signal);
      return (await this.#holderOf(ref)).put(bytes, { ...options, ref });
    });
    return unlessCancelled(done, options.signal);
  }

  async get(ref: BlobRef, options: CallOptions = {}): Promise<Uint8Array> {
    this.#gate.enter(options.signal);
    let failure: unknown;
    for (const at of await this.#placement.order(ref, this.#parts)) {
      try {
        return await (this.#stores[at] as Store).get(ref, options);
      } catch (error) {
        if (isCode(error, 'STORE_CANCELLED')) throw error;
        // That one of them could not say is more than that the others have it not.
        if (!isCode(error, 'STORE_BLOB_MISSING')) failure ??= error;
      }
    }
    throw failure ?? missing(ref);
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
    const found = await statAny(this.#stores, refs, options);
    return refs.flatMap((ref) => found.get(ref) ?? []);
  }

  async list(options: ListOptions = {}): Promise<BlobInfo[]> {
    this.#gate.enter(options.signal);
    return listAny(this.#stores, options);
  }

  async remove(refs: readonly BlobRef[], options: CallOptions = {}): Promise<number> {
    this.#gate.enter(options.signal);
    return this.#turns.takeAll(refs, () => removeFromAll(this.#stores, refs, options));
  }

  async *stream(options: StreamOptions = {}): AsyncGenerator<StreamedBlob> {
    this.#gate.enter(options.signal);
    yield* streamAll(this.#stores, options);
  }

  async stats(): Promise<StoreStats> {
    this.#gate.enter();
    return statsOfAll(this.#stores);
  }

  async flush(): Promise<void> {
    this.#gate.enter();
    await answers(this.#stores, (store) => store.flush(), 0);
  }

  close(): Promise<void> {
    return this.#gate.close(async () => {
      await answers(this.#stores, (store) => store.close(), 0);
      await this.#turns.idle();
    });
  }

  /** Moves each blob to the first store of its order. Interrupted, a blob lies in two stores at most. */
  async rebalance(
    options: CallOptions & { readonly onMoved?: (info: BlobInfo) => void } = {},
  ): Promise<Rebalanced> {
    const result = { moved: 0, movedBytes: 0, failed: [] as BlobRef[] };
    if (!this.#placement.isFixed) return result;
    for (const [at, from] of this.#stores.entries()) {
      for await (const info of walkStore(from, { signal: options.signal })) {
        this.#gate.enter(options.signal);
        const [home] = await this.#placement.order(info.ref, this.#parts);
        if (home === undefined || home === at) continue;
        const to = this.#stores[home] as Store;
        if (await this.#turns.take(info.ref, () => move(info.ref, from, to))) {
          result.moved++;
          result.movedBytes += info.bytes;
          options.onMoved?.(info);
        } else result.failed.push(info.ref);
      }
    }
    return result;
  }

  /** Who has it: a put there writes again what rotted. Else where it belongs. */
  async #holderOf(ref: BlobRef): Promise<Store> {
    const order = await this.#placement.order(ref, this.#parts);
    const found = await Promise.all(this.#stores.map((store) => store.stat([ref])));
    const holder = order.find((at) => (found[at]?.length ?? 0) > 0) ?? order[0];
    return this.#stores[holder as number] as Store;
  }
}

/** False when it stays where it is. A blob that was removed meanwhile needs no move. */
async function move(ref: BlobRef, from: Store, to: Store): Promise<boolean> {
  try {
    await to.put(await from.get(ref), { ref });
    await from.remove([ref]);
    return true;
  } catch (error) {
    return isCode(error, 'STORE_BLOB_MISSING');
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof StoreError && error.code === code;
}
