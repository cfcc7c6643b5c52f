// Garbage collection against everybody else. A seed gives four lives of a store: four workers put, ask
// for, refer to and let go of blobs, each its own so that it knows their fate, while collections run,
// are cancelled, fail and lose their answers; each life ends in a loss of power or a kill.
//
// - A blob that a put or a `stat` has told to be there is there for a day, whole.
// - One that was referred to within that day, and is since, is there.
// - In the end nothing refers to anything, and two collections a day apart leave nothing.

import assert from 'node:assert/strict';
import { sleep } from '#base/clock.ts';
import type { BlobRef } from '#base/ids.ts';
import { below, SeededRandom } from '#base/random.ts';
import { SimClock } from '#sim/clock.ts';
import { SimDisk } from '#sim/disk.ts';
import { givenSeed } from '#sim/seed.ts';
import { StoreError } from '#store/errors.ts';
import { Collector } from '#store/gc/collector.ts';
import { GuardedStore } from '#store/gc/guard.ts';
import { Marks } from '#store/gc/marks.ts';
import type { RootSource } from '#store/gc/roots.ts';
import { refOf, type Store, walkStore } from '#store/store.ts';

const LIVES = 4;
const WORKERS = 4;
const BLOBS = 24;
/** A day of this world. */
const AGE_MS = 1000;

export interface RaceWorld {
  readonly disk: SimDisk;
  readonly clock: SimClock;
  readonly random: SeededRandom;
}

export type OpenRacer = (world: RaceWorld) => Promise<Store>;

export interface RaceSeeds {
  readonly first: number;
  readonly count: number;
  /** The disk takes no time: for stores that do, many more seeds in the same time. */
  readonly quickDisk?: boolean;
}

interface Fate {
  readonly bytes: Uint8Array;
  readonly ref: BlobRef;
  /** It must be there until then. */
  untilMs: number;
  isReferred: boolean;
}

interface Life {
  readonly store: GuardedStore;
  readonly collector: Collector;
  isEnded: boolean;
}

/** What a number of seeds did, to show that something happened in them. */
export interface RaceCounts {
  removed: number;
  told: number;
  collections: number;
  interrupted: number;
}

/** Fails with the seed of the first violation. SWARMKEEP_SEED runs that one alone. */
export async function raceSeeds(seeds: RaceSeeds, open: OpenRacer): Promise<RaceCounts> {
  const counts = { removed: 0, told: 0, collections: 0, interrupted: 0 };
  const only = givenSeed();
  const first = only ?? seeds.first;
  for (let seed = first; seed < first + (only === undefined ? seeds.count : 1); seed++) {
    const violation = await new Race({
      seed,
      open,
      counts,
      quickDisk: seeds.quickDisk === true,
    }).run();
    const words = `seed ${seed}: ${violation}; replay: SWARMKEEP_SEED=${seed}`;
    assert.equal(violation, undefined, words);
  }
  return counts;
}

class Race {
  readonly #random: SeededRandom;
  readonly #clock = new SimClock();
  readonly #open: OpenRacer;
  readonly #counts: RaceCounts;
  readonly #fates: readonly Fate[];
  #disk: SimDisk;
  #violation: string | undefined;

  constructor(parts: {
    readonly seed: number;
    readonly open: OpenRacer;
    readonly counts: RaceCounts;
    readonly quickDisk: boolean;
  }) {
    this.#random = new SeededRandom(parts.seed);
    this.#open = parts.open;
    this.#counts = parts.counts;
    const slow = parts.quickDisk ? {} : { clock: this.#clock };
    this.#disk = new SimDisk({ random: this.#random, ...slow });
    this.#fates = Array.from({ length: BLOBS }, (_, n) => {
      const bytes = Buffer.concat([Buffer.from([n]), this.#random.bytes(below(this.#random, 60))]);
      return { bytes, ref: refOf(bytes), untilMs: 0, isReferred: false };
    });
  }

  async run(): Promise<string | undefined> {
    for (let life = 0; life < LIVES && this.#violation === undefined; life++) {
      await this.#clock.until(this.#live());
      this.#disk = below(this.#random, 3) === 0 ? this.#disk.kill() : this.#disk.crash();
    }
    if (this.#violation === undefined) await this.#clock.until(this.#end());
    return this.#violation;
  }

  async #live(): Promise<void> {
    const { store, collector } = await this.#start();
    const life: Life = { store, collector, isEnded: false };
    for (const fate of this.#fates) await this.#check(store, fate, 'after the start');
    for (let own = 0; own < WORKERS; own++) void this.#work(life, own);
    void this.#collect(life);
    await sleep(this.#clock, below(this.#random, 4 * AGE_MS));
    life.isEnded = true;
  }

  async #start(): Promise<{ readonly store: GuardedStore; readonly collector: Collector }> {
    const world = { disk: this.#disk, clock: this.#clock, random: this.#random };
    const marks = await Marks.open({ disk: this.#disk, folder: '/garbage' });
    const store = new GuardedStore(await this.#open(world), marks);
    const roots = [this.#roots(0), this.#roots(1)];
    // So few roots at once that the names are taken in several stretches.
    const collector = new Collector({
      ...{ store, roots, clock: this.#clock, ageMs: AGE_MS },
      rootsMax: 2,
    });
    return { store, collector };
  }

  /** Half of what is referred to. Now and then it fails, also halfway. */
  #roots(half: number): RootSource {
    const [fates, random, clock] = [this.#fates, this.#random, this.#clock];
    return {
      name: `half ${half}`,
      async *refs() {
        // What is referred to when it is asked for; the telling takes its time.
        const told = fates.filter(({ isReferred }, n) => isReferred && n % 2 === half);
        for (const { ref } of told) {
          await sleep(clock, below(random, 5));
          if (below(random, 200) === 0) throw new Error('planted');
          yield ref;
        }
      },
    };
  }

  async #collect(life: Life): Promise<void> {
    while (!life.isEnded) {
      await sleep(this.#clock, below(this.#random, AGE_MS));
      const stop = new AbortController();
      if (below(this.#random, 3) === 0) {
        this.#clock.after(below(this.#random, 100), () => stop.abort());
      }
      try {
        const options = { signal: stop.signal, withoutRoots: below(this.#random, 2) === 0 };
        const { removed } = await life.collector.collect(options);
        this.#counts.removed += removed.blobs;
        this.#counts.collections++;
      } catch (error) {
        if (!life.isEnded && !(error instanceof StoreError)) this.#violation = String(error);
        this.#counts.interrupted++;
      }
    }
  }

  async #work(life: Life, own: number): Promise<void> {
    while (!life.isEnded) {
      const fate = this.#fates[below(this.#random, BLOBS / WORKERS) * WORKERS + own] as Fate;
      await this.#check(life.store, fate, 'at work', life);
      if (life.isEnded) return;
      const dice = below(this.#random, 10);
      if (dice < 7) await this.#tell(life, fate, dice < 4);
      else if (dice < 8) fate.isReferred = false;
      await sleep(this.#clock, below(this.#random, AGE_MS / 4));
    }
  }

  /** Puts it or asks for it, and then refers to it within its day, or does not. */
  async #tell(life: Life, fate: Fate, byPut: boolean): Promise<void> {
    const { store } = life;
    const startedMs = this.#clock.monotonicMs();
    try {
      if (byPut) await store.put(fate.bytes, { noRush: below(this.#random, 2) === 0 });
      else if ((await store.stat([fate.ref])).length === 0) return;
    } catch (error) {
      if (error instanceof StoreError) return;
      throw error;
    }
    if (life.isEnded) return;
    this.#counts.told++;
    fate.untilMs = startedMs + AGE_MS;
    await this.#check(store, fate, 'when it was told', life);
    if (below(this.#random, 2) === 0) return;
    await sleep(this.#clock, below(this.#random, AGE_MS / 2));
    if (!life.isEnded && this.#clock.monotonicMs() < fate.untilMs) fate.isReferred = true;
  }

  async #check(store: GuardedStore, fate: Fate, when: string, life?: Life): Promise<void> {
    const mustBe = (): boolean => fate.isReferred || this.#clock.monotonicMs() < fate.untilMs;
    if (!mustBe()) return;
    try {
      await store.get(fate.ref);
    } catch (error) {
      if (!mustBe() || life?.isEnded === true) return;
      this.#violation ??= `blob ${this.#fates.indexOf(fate)} is gone ${when}: ${String(error)}`;
    }
  }

  /** Nobody needs anything any more. */
  async #end(): Promise<void> {
    const { store, collector } = await this.#start();
    for (const fate of this.#fates) await this.#check(store, fate, 'at the end');
    for (const fate of this.#fates) fate.isReferred = false;
    // Some may fail; an interrupted one is ended first; the last removes.
    for (let whole = 0; whole < 3; ) {
      const done = await collector.collect({ withoutRoots: true }).catch(() => undefined);
      if (done?.isWhole === true) whole++;
      await sleep(this.#clock, AGE_MS + 1);
    }
    for await (const { ref } of walkStore(store)) {
      this.#violation ??= `${ref} is garbage and was never removed`;
    }
    await store.close();
  }
}
