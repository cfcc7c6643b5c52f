// The backups of one place: their manifests, in a store of their own, and the blobs they are made of, in
// another. A backup exists from the moment its manifest is on the medium. Who forgets one first marks
// it so (a second manifest of the same words, marked), then removes the blobs that no other backup
// names, then both manifests: a crash in between leaves what the next one who forgets goes on with.

import type { BlobRef } from '#base/ids.ts';
import { StoreError } from '#store/errors.ts';
import type { RootSource } from '#store/gc/roots.ts';
import { type CallOptions, type Store, walkStore } from '#store/store.ts';
import { readContentList } from './content-list.ts';
import {
  decodeIndex,
  decodeManifest,
  encodeManifest,
  type IndexedFile,
  type Manifest,
} from './manifest.ts';

const REMOVED_AT_ONCE = 500;

export interface BackupPlace {
  /** Chunks, indexes and lists; beside other blobs where the server's own store is the place. */
  readonly blobs: Store;
  /** Nothing but manifests. */
  readonly manifests: Store;
}

export interface KnownBackup {
  /** The manifest's name. */
  readonly ref: BlobRef;
  readonly manifest: Manifest;
}

/** Blobs that the server needed when it was made and that are not in it; 0 when it is whole. */
export function lackingIn({ manifest }: KnownBackup): number {
  return manifest.content.lacking ?? 0;
}

/**
 * Which of one server's backups, newest first, go when `keep` are kept: those that are whole and older than
 * the newest so many. One that is incomplete takes no place of these; it goes when it is older than all
 * that are kept, or when so many incomplete ones are newer.
 */
export function outdated(backups: readonly KnownBackup[], keep: number): KnownBackup[] {
  const whole = backups.filter((one) => lackingIn(one) === 0);
  const oldestKept = whole[keep - 1]?.manifest.madeMs ?? 0;
  const incomplete = backups.filter((one) => lackingIn(one) > 0);
  const isOld = ({ manifest }: KnownBackup, at: number): boolean =>
    at >= keep || manifest.madeMs < oldestKept;
  return [...whole.slice(keep), ...incomplete.filter(isOld)];
}

export class BackupSet implements RootSource {
  readonly name = 'backups';
  readonly #place: BackupPlace;

  constructor(place: BackupPlace) {
    this.#place = place;
  }

  get blobs(): Store {
    return this.#place.blobs;
  }

  /** Newest first, without those that are being forgotten. @throws StoreError as reading does */
  async list(options: CallOptions = {}): Promise<KnownBackup[]> {
    const { whole } = await this.#read(options);
    return whole;
  }

  /** Durable when answered; the backup exists from then on. */
  async add(manifest: Manifest, options: CallOptions = {}): Promise<BlobRef> {
    await this.#place.blobs.flush();
    return (await this.#place.manifests.put(encodeManifest(manifest), options)).ref;
  }

  async files(manifest: Manifest, options: CallOptions = {}): Promise<readonly IndexedFile[]> {
    const parts: Uint8Array[] = [];
    let length = 0;
    for (const ref of manifest.index.chunks) {
      const part = await this.#place.blobs.get(ref, options);
      length += part.byteLength;
      if (length > manifest.index.bytes) break;
      parts.push(part);
    }
    if (length === manifest.index.bytes) return decodeIndex(Buffer.concat(parts));
    throw new StoreError('STORE_BACKUP_INVALID', 'The index of a backup has another length');
  }

  /** What the server's store held. With `isCopied` they are in `blobs` of this place. */
  async *content(manifest: Manifest, options: CallOptions = {}) {
    for (const list of manifest.content.lists) {
      yield* readContentList(await this.#place.blobs.get(list, options));
    }
  }

  /** Everything that the backups of this place are made of, those that are being forgotten as well. */
  async *refs(signal: AbortSignal): AsyncGenerator<BlobRef> {
    const { whole, forgotten } = await this.#read({ signal });
    for (const { manifest } of [...whole, ...forgotten]) yield* this.#refsOf(manifest, { signal });
  }

  /** Those of one backup, the manifest aside. */
  async *#refsOf(manifest: Manifest, options: CallOptions): AsyncGenerator<BlobRef> {
    yield* manifest.index.chunks;
    for (const { chunks } of await this.files(manifest, options)) yield* chunks;
    yield* manifest.content.lists;
    for await (const { ref } of this.content(manifest, options)) yield ref;
  }

  /** Blobs that only backups name: what the server's own store holds for this place. */
  async ownRefs(options: CallOptions = {}): Promise<Set<BlobRef>> {
    const own = new Set<BlobRef>();
    const { whole, forgotten } = await this.#read(options);
    for (const { manifest } of [...whole, ...forgotten]) {
      for (const ref of manifest.index.chunks) own.add(ref);
      for (const { chunks } of await this.files(manifest, options)) {
        for (const ref of chunks) own.add(ref);
      }
      for (const ref of manifest.content.lists) own.add(ref);
    }
    return own;
  }

  /**
   * Forgets these, and what an earlier call began to. With `sweeps` the blobs that no other backup
   * names are removed; else that is the garbage collection's work. Answers how many blobs went.
   */
  async forget(
    backups: readonly KnownBackup[],
    options: CallOptions & { readonly sweeps: boolean },
  ): Promise<number> {
    for (const { manifest } of backups) {
      await this.#place.manifests.put(encodeManifest({ ...manifest, forgotten: true }), options);
    }
    const { whole, forgotten, refs } = await this.#read(options);
    if (forgotten.length === 0) return 0;
    let removed = 0;
    if (options.sweeps) {
      const kept = new Set<BlobRef>();
      for (const { manifest } of whole) {
        for await (const ref of this.#refsOf(manifest, options)) kept.add(ref);
      }
      for (const { manifest } of forgotten) removed += await this.#sweep(manifest, kept, options);
    }
    // The mark goes last: without it the other one would be a backup again, of which nothing is left.
    const marks = new Set(forgotten.map(({ ref }) => ref));
    const unmarked = refs.filter((ref) => !marks.has(ref));
    if (unmarked.length > 0) await this.#place.manifests.remove(unmarked, options);
    await this.#place.manifests.remove([...marks], options);
    return removed;
  }

  async #sweep(
    manifest: Manifest,
    kept: ReadonlySet<BlobRef>,
    options: CallOptions,
  ): Promise<number> {
    const gone = new Set<BlobRef>();
    // The index and the lists go last: without them nobody knows what else is to go.
    const last = new Set<BlobRef>([...manifest.index.chunks, ...manifest.content.lists]);
    try {
      for await (const ref of this.#refsOf(manifest, options)) {
        if (!kept.has(ref) && !last.has(ref)) gone.add(ref);
      }
    } catch (error) {
      // Removed by a call that was interrupted here: what they named had gone before them.
      const isGone = error instanceof StoreError && error.code === 'STORE_BLOB_MISSING';
      if (!isGone) throw error;
    }
    let removed = 0;
    const inOrder = [...gone, ...[...last].filter((ref) => !kept.has(ref))];
    for (let at = 0; at < inOrder.length; at += REMOVED_AT_ONCE) {
      const some = inOrder.slice(at, at + REMOVED_AT_ONCE);
      removed += await this.#place.blobs.remove(some, options);
    }
    return removed;
  }

  async #read(options: CallOptions): Promise<{
    readonly whole: KnownBackup[];
    readonly forgotten: KnownBackup[];
    /** The manifests of those that are being forgotten, marked and not. */
    readonly refs: BlobRef[];
  }> {
    const found: KnownBackup[] = [];
    for await (const { ref } of walkStore(this.#place.manifests, options)) {
      const manifest = decodeManifest(await this.#place.manifests.get(ref, options));
      found.push({ ref, manifest });
    }
    const marked = found.filter(({ manifest }) => manifest.forgotten === true);
    const words = new Set(marked.map(({ manifest }) => wordsOf(manifest)));
    const isForgotten = ({ manifest }: KnownBackup) => words.has(wordsOf(manifest));
    const whole = found.filter((one) => !isForgotten(one));
    whole.sort((one, other) => other.manifest.madeMs - one.manifest.madeMs);
    return { whole, forgotten: marked, refs: found.filter(isForgotten).map(({ ref }) => ref) };
  }
}

/** The same for a manifest and the one that marks it. */
function wordsOf({ forgotten: _, ...manifest }: Manifest): string {
  return JSON.stringify(manifest);
}
