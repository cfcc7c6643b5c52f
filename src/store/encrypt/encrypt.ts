// An encrypted store over two others: `parts` gets the encrypted blobs (sealed-blob.ts), `manifests` says
// which blob they are (manifest.ts). Whoever holds those two learns how many blobs there are, about how
// large, and when they came; docs/store-encryption.md has the threat model.
//
// A put writes the parts, then the manifest's entry, then answers; a removal writes the entry first and
// removes the parts after. So a crash leaves parts that nothing names, never an entry without its parts;
// `sweep` (sweep.ts) sees to them. The index is in memory: 86 bytes a blob.

import { toHex } from '#base/bytes.ts';
import type { Clock } from '#base/clock.ts';
import type { BlobRef } from '#base/ids.ts';
import type { Random } from '#base/random.ts';
import { Gate, throwIfCancelled, unlessCancelled } from '#store/calls.ts';
import { StoreError } from '#store/errors.ts';
import { HashTable } from '#store/packed/hash-table.ts';
import {
  assertBlob,
  type BlobInfo,
  type BlobSource,
  type CallOptions,
  hashOf,
  type ListOptions,
  missing,
  type PutOptions,
  type PutResult,
  readStore,
  readVerified,
  refOfHash,
  type Store,
  type StoreStats,
  sliceRange,
  statSound,
  walkStore,
} from '#store/store.ts';
import { Turns } from '#store/turns.ts';
import type { StoreKey } from './key-file.ts';
import type { ManifestEntry } from './manifest.ts';
import { type LiveEntries, ManifestLog } from './manifest-log.ts';
import { decodePart, encodePart, open, PART_BYTES_MAX, partsOf, seal } from './sealed-blob.ts';
import { type SealedBlob, SealedIndex } from './sealed-index.ts';
import { type Swept, sweepParts, unnamedParts } from './sweep.ts';

/** Entries that one removal writes at once. */
const ENTRIES_MAX = 1000;

export interface EncryptWorld {
  readonly parts: Store;
  readonly manifests: Store;
  /** The first encrypts. */
  readonly keys: readonly StoreKey[];
  readonly random: Random;
  readonly clock: Clock;
}

export class EncryptStore implements Store {
  readonly #world: EncryptWorld;
  readonly #index: SealedIndex;
  readonly #manifest: ManifestLog;
  readonly #gate = new Gate();
  readonly #turns = new Turns();
  /** Blobs whose parts were found wrong: a put of one is stored again. */
  readonly #corrupt = new Set<BlobRef>();

  /** Parts that a removal names, and that were not seen gone yet. */
  readonly #garbage: HashTable;

  readonly #live: LiveEntries = {
    isLive: ({ hash, sequence }) => this.#index.get(hash)?.sequence === sequence,
    isThere: (hash) => this.#index.get(hash) !== undefined,
    isSwept: ({ removed = [] }) => removed.every((part) => this.#garbage.get(part) === undefined),
  };

  private constructor(
    world: EncryptWorld,
    read: { readonly index: SealedIndex; readonly garbage: HashTable },
    manifest: ManifestLog,
  ) {
    this.#world = world;
    this.#index = read.index;
    this.#garbage = read.garbage;
    this.#manifest = manifest;
  }

  /** @throws StoreError STORE_MANIFEST_DAMAGED (then `rebuild` helps), STORE_KEY_MISSING */
  static async open(world: EncryptWorld): Promise<EncryptStore> {
    const index = new SealedIndex(world.keys);
    const garbage = new HashTable(0);
    const manifest = await ManifestLog.open({ ...world, store: world.manifests }, (entry) => {
      index.apply(entry);
      for (const part of entry.removed ?? []) garbage.claim(part);
    });
    index.settle();
    return new EncryptStore(world, { index, garbage }, manifest);
  }

  /**
   * Makes the manifest anew from the parts alone, which must all be read for it. What cannot be read is
   * told and left out. The stores stay open.
   */
  static async rebuild(
    world: EncryptWorld,
    onUnreadable: (part: BlobRef, error: unknown) => void,
  ): Promise<number> {
    const index = new SealedIndex(world.keys);
    // Its entries outlast those of every manifest that is there: some may outlive a crash below.
    const none = { ...world, store: emptyView(world.manifests) };
    const manifest = await ManifestLog.open(none, () => {});
    const old: BlobRef[] = [];
    for await (const { ref, body } of readStore(world.manifests)) {
      old.push(ref);
      manifest.outlast(body);
    }
    for await (const { ref, body } of readStore(world.parts)) {
      try {
        if (body === undefined) throw new StoreError('STORE_CORRUPT_BLOB', 'Its bytes are wrong');
        const part = decodePart(open(body, 'part', world.keys));
        const sequence = manifest.nextSequence();
        index.applyPart({ ...part, ref: hashOf(ref), sealed: body, sequence });
      } catch (error) {
        onUnreadable(ref, error);
      }
    }
    let blobs = 0;
    for (const entries of index.whole(ENTRIES_MAX)) {
      blobs += entries.length;
      await manifest.append(entries, false);
    }
    await world.manifests.remove(old);
    return blobs;
  }

  /** Of the key that encrypts what is put now. */
  get keyId(): string {
    return (this.#world.keys[0] as StoreKey).id;
  }

  get indexBytes(): number {
    return this.#index.memoryBytes;
  }

  async put(source: BlobSource, options: PutOptions = {}): Promise<PutResult> {
    this.#gate.enter(options.signal);
    const { ref, bytes } = await readVerified(source, options);
    this.#gate.enter(options.signal);
    const done = this.#turns.take(ref, async () => {
      throwIfCancelled(options.signal);
      const isThere = await this.#hasParts(ref, options);
      if (!isThere) await this.#seal(ref, bytes, options.noRush === true);
      return { ref, bytes: bytes.byteLength, new: !isThere };
    });
    return unlessCancelled(done, options.signal);
  }

  async get(ref: BlobRef, options: CallOptions = {}): Promise<Uint8Array> {
    this.#gate.enter(options.signal);
    for (;;) {
      const blob = this.#index.get(hashOf(ref));
      if (blob === undefined) throw missing(ref);
      try {
        return await this.#unseal(ref, blob, options);
      } catch (error) {
        // Encrypted anew, or removed, while it was read.
        if (this.#index.get(hashOf(ref))?.sequence !== blob.sequence) continue;
        if (!isCode(error, 'STORE_CORRUPT_BLOB', 'STORE_BLOB_MISSING')) throw error;
        this.#corrupt.add(ref);
        throw new StoreError('STORE_CORRUPT_BLOB', `Cannot read "${ref}"`, { cause: error });
      }
    }
  }

  async getRange(
    ref: BlobRef,
    range: { readonly start: number; readonly end: number },
    options: CallOptions = {},
  ): Promise<Uint8Array> {
    return sliceRange(await this.get(ref, options), range);
  }

  /** Itself, or by a part of it. */
  isKnownCorrupt(ref: BlobRef): boolean {
    const { parts } = this.#world;
    if (this.#corrupt.has(ref)) return true;
    const blob = parts.isKnownCorrupt === undefined ? undefined : this.#index.get(hashOf(ref));
    return blob?.parts.some((part) => parts.isKnownCorrupt?.(refOfHash(part)) === true) === true;
  }

  async stat(refs: readonly BlobRef[], options: CallOptions = {}): Promise<BlobInfo[]> {
    this.#gate.enter(options.signal);
    return refs.flatMap((ref) => {
      const blob = this.#index.get(hashOf(ref));
      return blob === undefined ? [] : [{ ref, bytes: blob.size }];
    });
  }

  async list(options: ListOptions = {}): Promise<BlobInfo[]> {
    this.#gate.enter(options.signal);
    const after = options.after === undefined ? undefined : hashOf(options.after);
    const page = this.#index.page(after, options.limit ?? 1000);
    return page.map(({ hash, size }) => ({ ref: refOfHash(hash), bytes: size }));
  }

  async remove(refs: readonly BlobRef[], options: CallOptions = {}): Promise<number> {
    this.#gate.enter(options.signal);
    let removed = 0;
    const wanted = [...new Set(refs)];
    for (let at = 0; at < wanted.length; at += ENTRIES_MAX) {
      const some = wanted.slice(at, at + ENTRIES_MAX);
      removed += await this.#turns.takeAll(some, () => this.#forget(some));
    }
    return removed;
  }

  async stats(): Promise<StoreStats> {
    this.#gate.enter();
    const parts = await this.#world.parts.stats();
    const manifests = await this.#world.manifests.stats();
    const storedBytes = parts.storedBytes + manifests.storedBytes;
    return { blobs: this.#index.count, bytes: this.#index.blobBytes, storedBytes };
  }

  async flush(): Promise<void> {
    this.#gate.enter();
    await this.#world.parts.flush();
    await this.#world.manifests.flush();
  }

  close(): Promise<void> {
    return this.#gate.close(async () => {
      // What still waits without hurry below is answered by closing it, the manifest's entries after.
      await this.#world.parts.flush().catch(() => {});
      await this.#turns.idle();
      await this.#manifest.close();
      await this.#world.parts.close();
    });
  }

  /** Encrypts with the first key what another one encrypts. Can be repeated and interrupted. */
  async reencrypt(
    options: CallOptions & { readonly onDone?: (info: BlobInfo) => void } = {},
  ): Promise<number> {
    let count = 0;
    for await (const info of walkStore(this, { signal: options.signal })) {
      const hash = hashOf(info.ref);
      if (this.#index.get(hash)?.keyId === this.#world.keys[0]?.id) continue;
      const bytes = await this.get(info.ref, options);
      await this.#turns.take(info.ref, async () => {
        const old = this.#index.get(hash);
        if (old === undefined || old.keyId === this.#world.keys[0]?.id) return;
        await this.#seal(info.ref, bytes, true);
        count++;
      });
      options.onDone?.(info);
    }
    await this.#manifest.reseal(this.#live);
    return count;
  }

  /** Sees to parts that no entry names: as sweep.ts says, none of a blob that was not removed is removed. */
  async sweep(options: CallOptions = {}): Promise<Swept> {
    this.#gate.enter(options.signal);
    const { keys } = this.#world;
    const adopt = (entry: ManifestEntry): Promise<boolean> => this.#adopt(entry, options);
    const isSound = async (ref: BlobRef): Promise<boolean> => {
      const blob = this.#index.get(hashOf(ref));
      return blob !== undefined && (await this.#canRead(ref, blob, options));
    };
    const work = { ...this.#below, keys, garbage: this.#garbage, adopt, isSound };
    return await sweepParts(work, options);
  }

  /** The blobs that have these parts, by the part. */
  blobsOf(parts: readonly BlobRef[]): Map<BlobRef, BlobRef> {
    const wanted = new Set(parts);
    const found = new Map<BlobRef, BlobRef>();
    for (let after: Uint8Array | undefined; wanted.size > 0; ) {
      const page = this.#index.page(after, ENTRIES_MAX);
      after = page.at(-1)?.hash;
      if (after === undefined) break;
      for (const { hash } of page) {
        for (const part of this.#index.get(hash)?.parts.map(refOfHash) ?? []) {
          if (wanted.delete(part)) found.set(part, refOfHash(hash));
        }
      }
    }
    return found;
  }

  /** How many parts no entry names: of crashes, or of a manifest that was lost. */
  async unnamed(options: CallOptions = {}): Promise<number> {
    this.#gate.enter(options.signal);
    let count = 0;
    for await (const hash of unnamedParts(this.#below, options)) {
      if (this.#garbage.get(hash) === undefined) count++;
    }
    return count;
  }

  get #below() {
    const idle = (): Promise<void> => this.#turns.idle();
    return { parts: this.#world.parts, index: this.#index, idle };
  }

  #adopt(entry: ManifestEntry, options: CallOptions): Promise<boolean> {
    const ref = refOfHash(entry.hash);
    return this.#turns.take(ref, async () => {
      throwIfCancelled(options.signal);
      const isRemoved = entry.parts.some((part) => this.#garbage.get(part) !== undefined);
      if (isRemoved) return false;
      const old = this.#index.get(entry.hash);
      if (old !== undefined && (await this.#canRead(ref, old, options))) return false;
      const blob = { ...entry, sequence: this.#manifest.nextSequence() };
      await this.#unseal(ref, blob, options);
      await this.#manifest.append([blob], false);
      this.#index.apply(blob);
      this.#corrupt.delete(ref);
      return true;
    });
  }

  async #canRead(ref: BlobRef, blob: SealedBlob, options: CallOptions): Promise<boolean> {
    try {
      await this.#unseal(ref, blob, options);
      return true;
    } catch (error) {
      if (isCode(error, 'STORE_CORRUPT_BLOB', 'STORE_BLOB_MISSING')) return false;
      throw error;
    }
  }

  /** Blobs that the manifest names and of which a part is not there. */
  async *lost(options: CallOptions = {}): AsyncGenerator<BlobRef> {
    let after: Uint8Array | undefined;
    for (;;) {
      this.#gate.enter(options.signal);
      const page = this.#index.page(after, ENTRIES_MAX);
      after = page.at(-1)?.hash;
      if (after === undefined) return;
      const partsOfPage = page.map(({ hash }) =>
        (this.#index.get(hash)?.parts ?? []).map(refOfHash),
      );
      const found = await this.#world.parts.stat(partsOfPage.flat(), options);
      const there = new Set(found.map(({ ref }) => ref));
      for (const [at, { hash }] of page.entries()) {
        if (partsOfPage[at]?.some((part) => !there.has(part)) === true) yield refOfHash(hash);
      }
    }
  }

  /** Merges small manifests; also done by itself when there are many. */
  async mergeManifests(): Promise<void> {
    this.#gate.enter();
    await this.#manifest.merge(this.#live);
  }

  /** Asked below: whoever puts again what was lost there is not to be told that it is kept. */
  async #hasParts(ref: BlobRef, options: CallOptions): Promise<boolean> {
    const blob = this.#index.get(hashOf(ref));
    if (blob === undefined || this.#corrupt.has(ref)) return false;
    const there = await statSound(this.#world.parts, blob.parts.map(refOfHash), options);
    return there.length === blob.parts.length;
  }

  async #seal(ref: BlobRef, bytes: Uint8Array, noRush: boolean): Promise<void> {
    const { parts: store, keys, random } = this.#world;
    const hash = hashOf(ref);
    const key = keys[0] as StoreKey;
    const parts = partsOf(bytes.byteLength);
    const old = this.#index.get(hash);
    const made: Uint8Array[] = [];
    for (let part = 0; part < parts; part++) {
      const some = bytes.subarray(part * PART_BYTES_MAX, (part + 1) * PART_BYTES_MAX);
      const inner = encodePart({ hash, size: bytes.byteLength, part, parts, bytes: some });
      const sealed = seal(inner, 'part', key, random);
      made.push(hashOf((await store.put(sealed, { noRush })).ref));
    }
    // If this fails the parts stay for `sweep`: whether the entry was written may be unknown.
    const sequence = this.#manifest.nextSequence();
    const entry = { hash, size: bytes.byteLength, sequence, keyId: key.id, parts: made };
    await this.#manifest.append([entry], noRush);
    this.#index.apply(entry);
    this.#corrupt.delete(ref);
    if (old !== undefined) await this.#removeParts([old]);
    // What fails is tried again with the next change; nothing was removed then.
    if (this.#manifest.isCrowded) this.mergeManifests().catch(() => {});
  }

  async #forget(refs: readonly BlobRef[]): Promise<number> {
    const there = refs.flatMap((ref) => {
      const blob = this.#index.get(hashOf(ref));
      return blob === undefined ? [] : [{ hash: hashOf(ref), blob }];
    });
    if (there.length === 0) return 0;
    const entries = there.map(({ hash, blob }) => ({
      ...{ hash, size: 0, sequence: this.#manifest.nextSequence(), keyId: '', parts: [] },
      removed: blob.parts,
    }));
    // When this fails it may be written all the same: a put must not take the blob for there.
    for (const ref of refs) this.#corrupt.add(ref);
    await this.#manifest.append(entries, false);
    for (const { hash, blob } of there) {
      this.#index.delete(hash);
      for (const part of blob.parts) this.#garbage.claim(part);
    }
    for (const ref of refs) this.#corrupt.delete(ref);
    await this.#removeParts(there.map(({ blob }) => blob));
    // What fails is tried again with the next change; nothing was removed then.
    if (this.#manifest.isCrowded) this.mergeManifests().catch(() => {});
    return there.length;
  }

  /** Not made, they are left for `sweep`: the blob is gone all the same. */
  async #removeParts(blobs: readonly SealedBlob[]): Promise<void> {
    const parts = blobs.flatMap((blob) => blob.parts);
    try {
      await this.#world.parts.remove(parts.map(refOfHash));
      for (const part of parts) this.#garbage.delete(part);
    } catch {}
  }

  async #unseal(ref: BlobRef, blob: SealedBlob, options: CallOptions): Promise<Uint8Array> {
    const bodies: Uint8Array[] = [];
    for (const [at, hash] of blob.parts.entries()) {
      const sealed = await this.#world.parts.get(refOfHash(hash), options);
      const part = decodePart(open(sealed, 'part', this.#world.keys));
      const isRight = toHex(part.hash) === toHex(hashOf(ref)) && part.part === at;
      if (!isRight || part.size !== blob.size) {
        throw new StoreError('STORE_CORRUPT_BLOB', `"${refOfHash(hash)}" is no part of "${ref}"`);
      }
      bodies.push(part.bytes);
    }
    const bytes = bodies.length === 1 ? (bodies[0] as Uint8Array) : Buffer.concat(bodies);
    assertBlob(ref, bytes);
    return bytes;
  }
}

/** The same store as if it held nothing yet. */
function emptyView(store: Store): Store {
  return {
    put: (source, options) => store.put(source, options),
    get: (ref, options) => store.get(ref, options),
    getRange: (ref, range, options) => store.getRange(ref, range, options),
    stat: async () => [],
    list: async () => [],
    remove: async () => 0,
    stats: () => store.stats(),
    flush: () => store.flush(),
    close: async () => {},
  };
}

function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof StoreError && codes.includes(error.code);
}
