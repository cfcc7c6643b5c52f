// The hasher of a server, chosen when it is first asked for, because the addon may have to be built: by the
// addon where it is there and the processor has what that takes; else in threads of our own.

import type { SegmentRooms } from '#archive/content/segment-rooms.ts';
import type { SegmentHashes, SegmentTreeTask } from '#archive/content/segment-tree.ts';
import type { Clock } from '#base/clock.ts';
import { type AddonPlace, loadAddon } from '#net/addon.ts';
import { HashPool } from './hash-pool.ts';
import { NativeHasher } from './native-hasher.ts';
import type { SegmentHasher } from './segment-hasher.ts';

export interface HasherWorld {
  /** How many segments are hashed at once; at least one. */
  readonly threads: number;
  readonly clock: Clock;
  readonly addon: () => AddonPlace;
}

export class ChosenHasher implements SegmentHasher {
  readonly #world: HasherWorld;
  #chosen: SegmentHasher | undefined;

  constructor(world: HasherWorld) {
    this.#world = world;
  }

  get rooms(): SegmentRooms {
    return this.#hasher.rooms;
  }

  tree(bytes: Uint8Array, task: SegmentTreeTask): Promise<SegmentHashes> {
    return this.#hasher.tree(bytes, task);
  }

  root(bytes: Uint8Array, height: number | undefined): Promise<Uint8Array> {
    return this.#hasher.root(bytes, height);
  }

  get read(): SegmentHasher['read'] {
    const hasher = this.#hasher;
    return hasher.read?.bind(hasher);
  }

  async close(): Promise<void> {
    await this.#chosen?.close();
  }

  get #hasher(): SegmentHasher {
    this.#chosen ??= choose(this.#world);
    return this.#chosen;
  }
}

function choose({ threads, clock, addon }: HasherWorld): SegmentHasher {
  const loaded = loadAddon(addon());
  return 'addon' in loaded && NativeHasher.canHash(loaded.addon)
    ? new NativeHasher(loaded.addon, threads)
    : new HashPool({ threads, clock });
}
