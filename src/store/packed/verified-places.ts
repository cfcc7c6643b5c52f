// What was read and verified lately, and whether the packs are still as they were then: so that a blob
// can be sent from its pack without being hashed again for each reader.
//
// A pack changes by our own appends, which never touch what stands before them, and by nothing else. The
// time of its last change, which nobody can set back, tells when somebody else wrote to it: then nothing
// of that pack counts as verified any more. While we append, that is not seen; the next look after it
// takes the time as ours.

import type { Clock } from '#base/clock.ts';
import type { DiskFile } from '#base/disk.ts';
import type { BlobRef } from '#base/ids.ts';
import type { BlobPlace } from './blob-index.ts';

/** Blobs of 4 MiB: 256 GiB. */
const PLACES_MAX = 65_536;

interface PackState {
  /** Raised by every change that is not ours. */
  epoch: number;
  changedNs: bigint;
  appends: number;
}

interface VerifiedPlace {
  readonly pack: number;
  readonly position: number;
  readonly epoch: number;
  readonly atMs: number;
}

export class VerifiedPlaces {
  readonly #clock: Clock;
  readonly #packs = new Map<number, PackState>();
  /** The longest ago first. */
  readonly #places = new Map<BlobRef, VerifiedPlace>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Of the pack as it is now; undefined when nobody can tell. Taken before its bytes are read. */
  epochOf(pack: number, file: DiskFile): number | undefined {
    if (file.own === undefined) return undefined;
    const state = this.#packs.get(pack) ?? { epoch: 0, changedNs: 0n, appends: 0 };
    this.#packs.set(pack, state);
    if (state.appends > 0) return state.epoch;
    const changedNs = file.own.changedNs();
    if (changedNs !== state.changedNs) state.epoch++;
    state.changedNs = changedNs;
    return state.epoch;
  }

  /** Writes to the pack by `write`, behind all that may have been verified. */
  async append(pack: number, file: DiskFile, write: () => Promise<void>): Promise<void> {
    // A change that somebody else made before is not taken for ours.
    this.epochOf(pack, file);
    const state = this.#packs.get(pack);
    if (state === undefined) return await write();
    state.appends++;
    try {
      await write();
    } finally {
      state.appends--;
      state.changedNs = file.own?.changedNs() ?? 0n;
    }
  }

  /** `epoch`: from before it was read. */
  add(ref: BlobRef, place: BlobPlace, epoch: number): void {
    const { pack, position } = place;
    this.#places.delete(ref);
    this.#places.set(ref, { pack, position, epoch, atMs: this.#clock.monotonicMs() });
    if (this.#places.size <= PLACES_MAX) return;
    const [oldest] = this.#places.keys();
    if (oldest !== undefined) this.#places.delete(oldest);
  }

  /** Whether it was verified at this place within `verifiedMsMax`; `epoch` tells whether its pack changed. */
  has(
    ref: BlobRef,
    place: BlobPlace,
    verifiedMsMax: number,
  ): { readonly epoch: number } | undefined {
    const verified = this.#places.get(ref);
    if (verified?.pack !== place.pack || verified.position !== place.position) return undefined;
    return this.#clock.monotonicMs() - verified.atMs <= verifiedMsMax ? verified : undefined;
  }

  forget(ref: BlobRef): void {
    this.#places.delete(ref);
  }
}
