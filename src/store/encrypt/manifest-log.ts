// The manifests of an encrypted store, read once and added to. Entries that come while a manifest is
// on its way wait for the next one, so that many share one put; each is answered when its manifest is
// on the medium.
//
// Small manifests are merged when there are many: the merged one is put first and the small ones are
// removed after, so a crash leaves both, which says the same.

import type { Clock } from '#base/clock.ts';
import type { BlobRef } from '#base/ids.ts';
import type { Random } from '#base/random.ts';
import { StoreError } from '#store/errors.ts';
import { HashTable } from '#store/packed/hash-table.ts';
import { readStore, type Store, walkStore } from '#store/store.ts';
import type { StoreKey } from './key-file.ts';
import {
  decodeManifest,
  encodeManifest,
  entryBytes,
  MANIFEST_HEADER_BYTES,
  type ManifestEntry,
} from './manifest.ts';
import { keyIdOf, MANIFEST_BYTES_MAX, open, seal } from './sealed-blob.ts';

/** Small ones that are borne before they are merged. */
const SMALL_COUNT_MAX = 100;
/** A manifest of more entries is no longer small. */
const FULL_ENTRIES = 50_000;

/** Sequences that a millisecond has room for; 2^53 of them last until the year 2248. */
const SEQUENCES_A_MS = 1024;

export interface ManifestWorld {
  readonly store: Store;
  readonly keys: readonly StoreKey[];
  readonly random: Random;
  readonly clock: Clock;
}

export interface LiveEntries {
  /** Whether this entry is the one that decides about its hash. */
  isLive(entry: ManifestEntry): boolean;
  /** Whether any blob of that hash is there. */
  isThere(hash: Uint8Array): boolean;
  /** Whether none of the parts that a removal names is left. */
  isSwept(removal: ManifestEntry): boolean;
}

interface Waiting {
  readonly entries: readonly ManifestEntry[];
  readonly noRush: boolean;
  readonly settle: (error?: unknown) => void;
}

export class ManifestLog {
  readonly #world: ManifestWorld;
  /** Entries of each manifest that is there. */
  readonly #manifests = new Map<BlobRef, number>();
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #merging: Promise<void> | undefined;
  #sequence = 0;

  private constructor(world: ManifestWorld) {
    this.#world = world;
  }

  /** Tells every entry, in no order. @throws StoreError when a manifest cannot be read */
  static async open(
    world: ManifestWorld,
    onEntry: (entry: ManifestEntry) => void,
  ): Promise<ManifestLog> {
    const log = new ManifestLog(world);
    // Above all that was ever written, also what the store below does not show now: an old manifest
    // that it brings back some day must not undo what is written from here on.
    log.#sequence = world.clock.nowMs() * SEQUENCES_A_MS;
    const take = (ref: BlobRef, body: Uint8Array | undefined): void => {
      const entries = log.#read(ref, body);
      log.#manifests.set(ref, entries.length);
      for (const entry of entries) {
        log.#sequence = Math.max(log.#sequence, entry.sequence);
        onEntry(entry);
      }
    };
    for await (const { ref, body } of readStore(world.store)) take(ref, body);
    // What a stream passes over, a record whose header rotted, an index may still know.
    for await (const { ref } of walkStore(world.store)) {
      if (!log.#manifests.has(ref)) take(ref, await world.store.get(ref).catch(() => undefined));
    }
    return log;
  }

  /** Numbers from here on are above those in this manifest, if it can be read. */
  outlast(sealed: Uint8Array | undefined): void {
    try {
      if (sealed === undefined) return;
      for (const { sequence } of decodeManifest(open(sealed, 'manifest', this.#world.keys))) {
        this.#sequence = Math.max(this.#sequence, sequence);
      }
    } catch (error) {
      // What cannot be read now says nothing later either.
      if (!(error instanceof StoreError)) throw error;
    }
  }

  nextSequence(): number {
    return ++this.#sequence;
  }

  get count(): number {
    return this.#manifests.size;
  }

  /** Durable when it resolves. At most a thousand entries. */
  append(entries: readonly ManifestEntry[], noRush: boolean): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const settle = (error?: unknown) => (error === undefined ? resolve() : reject(error));
    this.#waiting.push({ entries, noRush, settle });
    this.#writing ??= this.#write();
    return promise;
  }

  /** Merges the small ones. A second call joins the first. */
  merge(index: LiveEntries): Promise<void> {
    this.#merging ??= this.#merge(index).finally(() => {
      this.#merging = undefined;
    });
    return this.#merging;
  }

  /** Writes anew, with the first key, the manifests of the others. */
  async reseal(index: LiveEntries): Promise<void> {
    const { store, keys } = this.#world;
    await this.#merging?.catch(() => {});
    for (const ref of [...this.#manifests.keys()]) {
      if (keyIdOf(await store.get(ref)) !== keys[0]?.id) await this.#rewrite([ref], index);
    }
  }

  get isCrowded(): boolean {
    return this.#small().length > SMALL_COUNT_MAX;
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#merging?.catch(() => {});
    await this.#world.store.close();
  }

  async #write(): Promise<void> {
    // Those who append in the same turn share a manifest.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#take();
      try {
        const noRush = group.every((one) => one.noRush);
        await this.#put(
          group.flatMap(({ entries }) => entries),
          noRush,
        );
        for (const { settle } of group) settle();
      } catch (error) {
        for (const { settle } of group) settle(error);
      }
    }
    // In the same turn as the look above: who was answered may append before this promise is settled.
    this.#writing = undefined;
  }

  #take(): Waiting[] {
    let bytes = MANIFEST_HEADER_BYTES;
    let count = 0;
    for (const { entries } of this.#waiting) {
      bytes += entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
      if (count > 0 && bytes > MANIFEST_BYTES_MAX) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  async #put(entries: readonly ManifestEntry[], noRush: boolean): Promise<void> {
    const { keys, random, store } = this.#world;
    const sealed = seal(encodeManifest(entries), 'manifest', keys[0] as StoreKey, random);
    const { ref } = await store.put(sealed, { noRush });
    this.#manifests.set(ref, entries.length);
  }

  #small(): (readonly [BlobRef, number])[] {
    const small = [...this.#manifests].filter(([, entries]) => entries < FULL_ENTRIES);
    return small.sort(([, a], [, b]) => a - b);
  }

  async #merge(index: LiveEntries): Promise<void> {
    let entries = 0;
    const merged = this.#small().filter(([, count]) => {
      entries += count;
      return entries <= FULL_ENTRIES;
    });
    if (merged.length >= 2)
      await this.#rewrite(
        merged.map(([ref]) => ref),
        index,
      );
  }

  /** Puts one manifest with what still counts of these, and removes them. */
  async #rewrite(refs: readonly BlobRef[], index: LiveEntries): Promise<void> {
    // With older ones left elsewhere a removal must go on saying so.
    const isAll = refs.length === this.#manifests.size;
    const kept: ManifestEntry[] = [];
    const removals: ManifestEntry[] = [];
    const blobs = new HashTable(0);
    for (const ref of refs) {
      for (const entry of this.#read(ref, await this.#world.store.get(ref))) {
        if (entry.parts.length === 0) {
          if (!index.isThere(entry.hash) || !index.isSwept(entry)) removals.push(entry);
          continue;
        }
        blobs.claim(entry.hash);
        if (index.isLive(entry)) kept.push(entry);
      }
    }
    // The manifests go one by one: a crash may leave the older entry that a removal hides. So a removal
    // goes only with a merge that has seen no such entry anywhere.
    // And it alone says that what is left of the blob's parts is not wanted.
    const stays = (removal: ManifestEntry): boolean =>
      !isAll || blobs.get(removal.hash) !== undefined || !index.isSwept(removal);
    kept.push(...removals.filter(stays));
    if (kept.length > 0) await this.#put(kept, false);
    await this.#world.store.remove(refs);
    for (const ref of refs) this.#manifests.delete(ref);
  }

  #read(ref: BlobRef, body: Uint8Array | undefined): ManifestEntry[] {
    try {
      if (body === undefined) throw new StoreError('STORE_CORRUPT_BLOB', 'its bytes are wrong');
      return decodeManifest(open(body, 'manifest', this.#world.keys));
    } catch (error) {
      if (error instanceof StoreError && error.code === 'STORE_KEY_MISSING') throw error;
      throw new StoreError('STORE_MANIFEST_DAMAGED', `Cannot read the manifest "${ref}"`, {
        cause: error,
      });
    }
  }
}
