// The care of a data folder's store, joined from every room that refers to blobs: the same objects for
// the commands and for the jobs.

import { dirname, join } from 'node:path';
import type { ArchiveWorld } from '#archive/archive.ts';
import { ArchiveRoots } from '#archive/catalogue/archive-roots.ts';
import { neededBlobs } from '#archive/catalogue/needed-blobs.ts';
import { EventRoots } from '#archive/events/event-roots.ts';
import { Pins } from '#archive/pins/pins.ts';
import type { Clock } from '#base/clock.ts';
import type { Job } from '#base/job.ts';
import type { Config } from '#config/schema.ts';
import type { Log } from '#log/log.ts';
import type { Registry } from '#metrics/registry.ts';
import { CoverRoots } from '#site/covers/covers.ts';
import { PreviewRoots } from '#site/previews/previews.ts';
import type { Sql } from '#sql/sql.ts';
import { Collector } from '#store/gc/collector.ts';
import { Garbage } from '#store/gc/garbage.ts';
import { garbageJob } from '#store/gc/garbage-job.ts';
import { countNeeded, type RootSource } from '#store/gc/roots.ts';
import { openDoor, type StoreDoor } from '#store/upload/door.ts';
import { Uploads } from '#store/upload/uploads.ts';
import { copiesForOthers } from './keepers.ts';
import { machineBoot } from './machine-boot.ts';
import type { GuardedStack, StoreRoom } from './store-room.ts';

export interface StoreCareParts {
  readonly sql: Sql;
  readonly log: Log;
  readonly clock: Clock;
  readonly config: Config;
  readonly metrics: Registry;
  readonly store: StoreRoom;
}

export class StoreCare {
  readonly pins: Pins;
  /** What all ways into the store over the network share. */
  readonly door: StoreDoor;
  readonly uploads: Uploads;
  readonly #parts: StoreCareParts;
  /** Of the stack that is open; another one when it was released in between. */
  #garbage: { readonly stack: GuardedStack; readonly garbage: Garbage } | undefined;

  constructor(parts: StoreCareParts) {
    this.#parts = parts;
    this.pins = new Pins(parts);
    const { clock, config, metrics, store } = parts;
    const { disk, random, logger, folder } = store.world;
    this.door = openDoor({
      store: async () => (await store.stack()).store,
      pin: async (refs, by) => {
        await this.pins.pin(refs, `put by ${by}`);
      },
      unpin: async (refs) => {
        await this.pins.unpin(refs);
      },
      countNeeded: async (refs, signal) => {
        const kept = await neededBlobs(this.#archive(), refs, signal);
        const others = refs.filter((ref) => !kept.has(ref));
        return kept.size + (await countNeeded(this.#pictureRoots(), others, signal));
      },
      ...{ clock, logger, metrics, config: config.upload },
    });
    // Not among the store's own files.
    const uploads = join(dirname(folder), 'uploads');
    this.uploads = new Uploads({ door: this.door, disk, random, folder: uploads });
  }

  async garbage(): Promise<Garbage> {
    const { store, clock, config, metrics } = this.#parts;
    const stack = await store.stack();
    if (this.#garbage?.stack !== stack) {
      const { garbageAgeMs: ageMs, garbageRootsMax: rootsMax } = config.store;
      const roots = await this.allRoots();
      const world = { store: stack.store, roots, clock, ageMs, rootsMax };
      const boot = machineBoot();
      const collector = new Collector({ ...world, ...(boot && { boot }) });
      this.#garbage = { stack, garbage: new Garbage(stack, collector, metrics) };
    }
    return this.#garbage.garbage;
  }

  jobs(): readonly Job[] {
    const { garbage, garbageEveryMs: everyMs } = this.#parts.config.store;
    if (garbage === 'off') return [];
    return [garbageJob({ garbage: () => this.garbage(), removes: garbage === 'remove', everyMs })];
  }

  /** Those of `contentRoots`, the copies for others, and the backups in the store itself. */
  async allRoots(): Promise<readonly RootSource[]> {
    const { store } = this.#parts;
    return [...this.contentRoots(), copiesForOthers(store), await store.backups()];
  }

  /**
   * Every room that refers to blobs of this data folder's own. One that is left out loses them. A backup has
   * these: what is held for others is theirs, and is fetched again.
   */
  contentRoots(): readonly RootSource[] {
    const { sql, log, store } = this.#parts;
    const world = { sql, log, store: async () => (await store.stack()).store };
    const archive = [new ArchiveRoots(this.#archive()), new EventRoots(world)];
    return [this.pins, this.uploads, ...this.#pictureRoots(), ...archive];
  }

  #archive(): Pick<ArchiveWorld, 'sql' | 'store'> {
    const { sql, store } = this.#parts;
    return { sql, store: async () => (await store.stack()).store };
  }

  #pictureRoots(): readonly RootSource[] {
    const { sql } = this.#parts;
    return [new PreviewRoots({ sql }), new CoverRoots({ sql })];
  }
}
