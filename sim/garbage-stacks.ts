// The stacks that garbage collection races on (garbage-race.ts): every kind that stands between a put and
// the medium.

import { type Clock, sleep } from '#base/clock.ts';
import { below, SeededRandom } from '#base/random.ts';
import { CacheStore } from '#store/cache/cache.ts';
import { storeConfig } from '#store/config.ts';
import { DirectoryStore } from '#store/directory.ts';
import { EncryptStore } from '#store/encrypt/encrypt.ts';
import { newKeyLine, parseKeys } from '#store/encrypt/key-file.ts';
import { FaultStore } from '#store/fault.ts';
import { MemoryStore } from '#store/memory.ts';
import { PackedStore } from '#store/packed/packed.ts';
import { ReplicaStore } from '#store/several/replica.ts';
import type { Store } from '#store/store.ts';
import type { OpenRacer, RaceWorld } from './garbage-race.ts';

const KEYS = parseKeys(newKeyLine(new SeededRandom(1)));
const config = { ...storeConfig.parse({ noRushMsMax: 3 }), packBytesMax: 4096 };

const packed = ({ disk, clock, random }: RaceWorld) =>
  PackedStore.open({ folder: '/packed', disk, clock, random, config });

const directory = ({ disk }: RaceWorld, name = 'directory') =>
  DirectoryStore.open({ folder: `/${name}`, disk });

/** Like a service far away: slow, and sometimes it does what it was asked and the answer is lost. */
const faulty: OpenRacer = async (world) =>
  new FaultStore(await directory(world), world, [
    { method: 'put', kind: 'lose', percent: 5 },
    { method: 'remove', kind: 'tear', percent: 10 },
    { method: 'remove', kind: 'lose', percent: 10 },
    { method: 'remove', kind: 'delay', percent: 50, delayMs: 60 },
    { method: 'put', kind: 'delay', percent: 40, delayMs: 30 },
    { method: 'stat', kind: 'delay', percent: 40, delayMs: 30 },
  ]);

export interface RaceStack {
  /** How many seeds of it take about one second on one core. */
  readonly seeds: number;
  readonly quickDisk?: boolean;
  readonly open: OpenRacer;
}

export const RACE_STACKS: Readonly<Record<string, RaceStack>> = {
  // One store for all lives of a world: it is its clock that tells worlds apart.
  'memory with delays': { seeds: 80, quickDisk: true, open: lastingMemory() },
  packed: { seeds: 12, open: packed },
  directory: { seeds: 12, open: (world) => directory(world) },
  'a far store with lost answers': { seeds: 12, open: faulty },
  replica: {
    seeds: 8,
    open: async (world) =>
      new ReplicaStore([await packed(world), await directory(world)], {
        ...{ clock: world.clock, writesMin: 1, raceMs: 5 },
      }),
  },
  'cache in front': {
    seeds: 8,
    open: async (world) =>
      CacheStore.open({
        ...{ near: await directory(world, 'near'), far: await faulty(world) },
        ...{ bytesMax: 200, smallBytesMax: 20 },
      }),
  },
  encrypt: {
    seeds: 6,
    open: async (world) =>
      EncryptStore.open({
        parts: await directory(world, 'parts'),
        manifests: await directory(world, 'manifests'),
        ...{ keys: KEYS, random: world.random, clock: world.clock },
      }),
  },
};

function lastingMemory(): OpenRacer {
  const worlds = new WeakMap<Clock, { readonly store: MemoryStore; lives: number }>();
  return async ({ clock, random }) => {
    const world = worlds.get(clock) ?? { store: new MemoryStore(), lives: 0 };
    worlds.set(clock, world);
    const life = ++world.lives;
    return delayed(world.store, async () => {
      await sleep(clock, below(random, 40));
      // What an ended life had begun happens no more.
      if (life !== world.lives) await new Promise(() => {});
    });
  };
}

/** The same store, that takes its time before and after what others could notice. */
function delayed(store: Store, wait: () => Promise<void>): Store {
  const slowly = async <T>(work: () => Promise<T>): Promise<T> => {
    await wait();
    const answer = await work();
    await wait();
    return answer;
  };
  return {
    put: (source, options) => slowly(() => store.put(source, options)),
    get: (ref, options) => store.get(ref, options),
    getRange: (ref, range, options) => store.getRange(ref, range, options),
    stat: (refs, options) => slowly(() => store.stat(refs, options)),
    list: (options) => slowly(() => store.list(options)),
    remove: (refs, options) => slowly(() => store.remove(refs, options)),
    stats: () => store.stats(),
    flush: () => store.flush(),
    close: async () => {},
  };
}
