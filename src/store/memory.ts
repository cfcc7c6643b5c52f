// The store in memory: for tests, and the plainest example of the contract.

import type { BlobRef } from '#base/ids.ts';
import { Gate } from './calls.ts';
import {
  assertBlob,
  type BlobInfo,
  type BlobSource,
  type CallOptions,
  copyOf,
  type ListOptions,
  missing,
  type PutOptions,
  type PutResult,
  readVerified,
  type Store,
  type StoreStats,
  sliceRange,
} from './store.ts';

export class MemoryStore implements Store {
  readonly #blobs = new Map<BlobRef, Uint8Array>();
  readonly #gate = new Gate();

  async put(source: BlobSource, options: PutOptions = {}): Promise<PutResult> {
    this.#gate.enter(options.signal);
    const { ref, bytes } = await readVerified(source, options);
    this.#gate.enter(options.signal);
    const fresh = !this.#blobs.has(ref);
    if (fresh) this.#blobs.set(ref, copyOf(bytes));
    return { ref, bytes: bytes.byteLength, new: fresh };
  }

  async get(ref: BlobRef, options: CallOptions = {}): Promise<Uint8Array> {
    this.#gate.enter(options.signal);
    const bytes = this.#blobs.get(ref);
    if (bytes === undefined) throw missing(ref);
    assertBlob(ref, bytes);
    return copyOf(bytes);
  }

  async getRange(
    ref: BlobRef,
    range: { readonly start: number; readonly end: number },
    options: CallOptions = {},
  ): Promise<Uint8Array> {
    return sliceRange(await this.get(ref, options), range);
  }

  async stat(refs: readonly BlobRef[], options: CallOptions = {}): Promise<BlobInfo[]> {
    this.#gate.enter(options.signal);
    return refs.flatMap((ref) => {
      const bytes = this.#blobs.get(ref);
      return bytes === undefined ? [] : [{ ref, bytes: bytes.byteLength }];
    });
  }

  async list(options: ListOptions = {}): Promise<BlobInfo[]> {
    this.#gate.enter(options.signal);
    const { after, limit = 1000 } = options;
    return [...this.#blobs]
      .filter(([ref]) => after === undefined || ref > after)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .slice(0, limit)
      .map(([ref, bytes]) => ({ ref, bytes: bytes.byteLength }));
  }

  async remove(refs: readonly BlobRef[], options: CallOptions = {}): Promise<number> {
    this.#gate.enter(options.signal);
    return refs.filter((ref) => this.#blobs.delete(ref)).length;
  }

  async stats(): Promise<StoreStats> {
    this.#gate.enter();
    let bytes = 0;
    for (const blob of this.#blobs.values()) bytes += blob.byteLength;
    return { blobs: this.#blobs.size, bytes, storedBytes: bytes };
  }

  async flush(): Promise<void> {
    this.#gate.enter();
  }

  close(): Promise<void> {
    return this.#gate.close(async () => this.#blobs.clear());
  }
}
