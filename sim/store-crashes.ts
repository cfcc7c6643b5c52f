// A store's promises across simulated losses of power and kills. A seed gives four lives of a store that
// four workers put into, remove from and compact, each life ended in the middle of their work.
//
// - A blob that was acknowledged, and not removed since, is there with its own bytes.
// - One whose removal was acknowledged, and that was not put since, is not there.
// - What was in flight may be there or not, but whole. Nothing appears that nobody put.
// - Recovery never takes a torn tail for damage.

import assert from 'node:assert/strict';
import { below, SeededRandom } from '#base/random.ts';
import { SimClock } from '#sim/clock.ts';
import { SimDisk } from '#sim/disk.ts';
import { givenSeed } from '#sim/seed.ts';
import { StoreError } from '#store/errors.ts';
import { refOf, type Store, walkStore } from '#store/store.ts';

export const LIVES = 4;

type Open = (world: CrashWorld) => Promise<CrashedStore>;
type Fate = 'there' | 'gone' | 'either';

export interface CrashWorld {
  readonly disk: SimDisk;
  readonly clock: SimClock;
  readonly random: SeededRandom;
}

export interface CrashedStore extends Store {
  /** What recovery took for damage. */
  readonly damage?: readonly unknown[];
  compact?(): Promise<unknown>;
}

/** Fails with the seed of the first violation. SWARMKEEP_SEED runs that one alone. */
export async function surviveSeeds(count: number, open: Open): Promise<void> {
  const only = givenSeed();
  const first = only ?? 1;
  for (let seed = first; seed < first + (only === undefined ? count : 1); seed++) {
    const violation = await crashStore(seed, open);
    const words = `seed ${seed}: ${violation}; replay: SWARMKEEP_SEED=${seed}`;
    assert.equal(violation, undefined, words);
  }
}

/** How many seeds it took to see that the disk lies; fails when `most` did not. */
export async function seedsUntilFound(
  most: number,
  open: Open,
  lying: 'datasync' | 'syncFolder',
): Promise<number> {
  for (let seed = 1; seed <= most; seed++) {
    const violation = await crashStore(seed, open, lying).catch((error: unknown) => {
      // A store that can no longer be opened is a finding too; a mistake of the test is none.
      assert.ok(error instanceof StoreError);
      return error.message;
    });
    if (violation !== undefined) return seed;
  }
  return assert.fail(`${most} seeds did not find a lying ${lying}`);
}

/** What was violated, in words. `lying`: the disk answers these calls without doing them. */
async function crashStore(
  seed: number,
  open: Open,
  lying?: 'datasync' | 'syncFolder',
): Promise<string | undefined> {
  const random = new SeededRandom(seed);
  const clock = new SimClock();
  let disk = new SimDisk({ random, clock, ...(lying && { lying: (kind) => kind === lying }) });
  const fates = new Map<number, Fate>();
  const bodies = Array.from({ length: 40 }, (_, n) => {
    const body = random.bytes(n % 7 === 0 ? 5000 : below(random, 900));
    return Buffer.concat([Buffer.from([n]), body]);
  });
  for (let life = 0; life < LIVES; life++) {
    const store = await clock.until(open({ disk, clock, random }));
    if ((store.damage?.length ?? 0) > 0) return `life ${life}: a torn tail was taken for damage`;
    const wrong = await clock.until(compare(store, bodies, fates));
    if (wrong !== undefined) return `life ${life}: ${wrong}`;
    await clock.until(live({ store, random, bodies, fates, clock }));
    disk = below(random, 3) === 0 ? disk.kill() : disk.crash();
  }
  return undefined;
}

async function compare(
  store: Store,
  bodies: readonly Buffer[],
  fates: Map<number, Fate>,
): Promise<string | undefined> {
  const found = new Set<string>();
  for await (const { ref } of walkStore(store)) {
    found.add(ref);
    try {
      await store.get(ref);
    } catch (error) {
      return `${ref} is listed and cannot be read: ${String(error)}`;
    }
  }
  for (const [n, body] of bodies.entries()) {
    const there = found.delete(refOf(body));
    const fate = fates.get(n) ?? 'gone';
    if (fate === 'there' && !there) return `blob ${n} was acknowledged and is lost`;
    if (fate === 'gone' && there) return `blob ${n} is there and should not be`;
    fates.set(n, there ? 'there' : 'gone');
  }
  return found.size > 0 ? 'a blob appeared that nobody put' : undefined;
}

/** Works for a drawn time, then leaves everything as it is, half done. */
async function live(parts: {
  readonly store: CrashedStore;
  readonly random: SeededRandom;
  readonly bodies: readonly Buffer[];
  readonly fates: Map<number, Fate>;
  readonly clock: SimClock;
}): Promise<void> {
  const { store, random, bodies, fates, clock } = parts;
  let ended = false;
  const worker = async (own: number): Promise<void> => {
    while (!ended) {
      // Each worker has its own blobs, so that it knows their fate.
      const n = below(random, bodies.length / 4) * 4 + own;
      const dice = below(random, 10);
      if (dice === 0) {
        await store.compact?.();
        continue;
      }
      const put = dice < 6;
      fates.set(n, fates.get(n) === (put ? 'there' : 'gone') ? fates.get(n)! : 'either');
      const series = { name: String(n % 3), order: n };
      if (put) await store.put(bodies[n]!, { noRush: dice % 2 === 0, series });
      else await store.remove([refOf(bodies[n]!)]);
      if (!ended) fates.set(n, put ? 'there' : 'gone');
    }
  };
  for (let own = 0; own < 4; own++) void worker(own);
  await new Promise<void>((resolve) => clock.after(below(random, 400), resolve));
  ended = true;
}
