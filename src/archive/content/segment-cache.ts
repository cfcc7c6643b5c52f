// The segments that were read last, verified, in memory: a client that asks for a MiB at a time reads
// its segment four times. Many that ask for one segment at once cost one read.

import type { BlobRef } from '#base/ids.ts';
import { unlessCancelled } from '#store/calls.ts';
import type { CallOptions, Store } from '#store/store.ts';

export class SegmentCache implements Pick<Store, 'get'> {
  readonly #store: () => Promise<Pick<Store, 'get'>>;
  readonly #bytesMax: number;
  /** The longest unused first. */
  readonly #kept = new Map<BlobRef, Uint8Array>();
  readonly #underWay = new Map<BlobRef, Promise<Uint8Array>>();
  #bytes = 0;

  constructor(options: {
    readonly store: () => Promise<Pick<Store, 'get'>>;
    readonly bytesMax: number;
  }) {
    this.#store = options.store;
    this.#bytesMax = options.bytesMax;
  }

  /** As the store's, but the bytes are shared: for reading only. */
  async get(ref: BlobRef, options: CallOptions = {}): Promise<Uint8Array> {
    const kept = this.#kept.get(ref);
    if (kept !== undefined) {
      this.#kept.delete(ref);
      this.#kept.set(ref, kept);
      return kept;
    }
    let reading = this.#underWay.get(ref);
    if (reading === undefined) {
      reading = this.#read(ref).finally(() => this.#underWay.delete(ref));
      this.#underWay.set(ref, reading);
    }
    return await unlessCancelled(reading, options.signal);
  }

  async #read(ref: BlobRef): Promise<Uint8Array> {
    const store = await this.#store();
    const bytes = await store.get(ref);
    this.#kept.set(ref, bytes);
    this.#bytes += bytes.length;
    for (const [oldest, { length }] of this.#kept) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#kept.delete(oldest);
      this.#bytes -= length;
    }
    return bytes;
  }
}
