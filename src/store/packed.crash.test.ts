// The packed store's promises across simulated losses of power and kills. One seed again, alone:
//   SWARMKEEP_SEED=<seed> node -C swarmkeep-src --test src/store/packed.crash.test.ts
//
// - A blob that was acknowledged, and not removed since, is there with its own bytes.
// - One whose removal was acknowledged, and that was not put since, is not there.
// - What was in flight may be there or not, but whole. Nothing appears that nobody put.
// - Recovery never takes a torn tail for damage.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { below, SeededRandom } from '#base/random.ts';
import { SimClock } from '#sim/clock.ts';
import { SimDisk } from '#sim/disk.ts';
import { storeConfig } from './config.ts';
import { StoreError } from './errors.ts';
import { PackedStore } from './packed.ts';
import { refOf, walkStore } from './store.ts';

const LIVES = 4;
const only = process.env['SWARMKEEP_SEED'];
const SEEDS = only === undefined ? 250 : 1;

type Fate = 'there' | 'gone' | 'either';

async function runSeed(seed: number, lying?: 'datasync'): Promise<string | undefined> {
  const random = new SeededRandom(seed);
  const clock = new SimClock();
  let disk = new SimDisk({ random, clock, ...(lying && { lying: (kind) => kind === lying }) });
  const fates = new Map<number, Fate>();
  const bodies = Array.from({ length: 40 }, (_, n) => {
    const body = random.bytes(n % 7 === 0 ? 5000 : below(random, 900));
    return Buffer.concat([Buffer.from([n]), body]);
  });
  const config = storeConfig.parse({
    packBytesMax: 65_536,
    writeBytesMax: 8192,
    noRushMsMax: 3,
    compactDeadPercent: 5,
  });
  // Small packs, so that a life sees many; the schema's least is for people.
  const tiny = { ...config, packBytesMax: 4096 };
  for (let life = 0; life < LIVES; life++) {
    const world = { folder: '/store', disk, clock, random, config: tiny };
    const store = await clock.until(PackedStore.open(world));
    if (store.damage.length > 0) return `life ${life}: a torn tail was taken for damage`;
    const wrong = await clock.until(compare(store, bodies, fates));
    if (wrong !== undefined) return `life ${life}: ${wrong}`;
    await clock.until(live({ store, random, bodies, fates, clock }));
    disk = below(random, 3) === 0 ? disk.kill() : disk.crash();
  }
  return undefined;
}

async function compare(
  store: PackedStore,
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
  readonly store: PackedStore;
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
        await store.compact();
        continue;
      }
      const put = dice < 6;
      fates.set(n, fates.get(n) === (put ? 'there' : 'gone') ? fates.get(n)! : 'either');
      if (put) await store.put(bodies[n]!, { noRush: dice % 2 === 0 });
      else await store.remove([refOf(bodies[n]!)]);
      if (!ended) fates.set(n, put ? 'there' : 'gone');
    }
  };
  for (let own = 0; own < 4; own++) void worker(own);
  await new Promise<void>((resolve) => clock.after(below(random, 400), resolve));
  ended = true;
}

it('simulated crashes lose, double and invent no blob', async (t) => {
  const first = only === undefined ? 1 : Number(only);
  for (let seed = first; seed < first + SEEDS; seed++) {
    const violation = await runSeed(seed);
    assert.equal(
      violation,
      undefined,
      `seed ${seed}: ${violation}; replay: SWARMKEEP_SEED=${seed}`,
    );
  }
  t.diagnostic(`${SEEDS} seeds of ${LIVES} lives`);
});

it('the simulator finds a planted bug: an answer before the sync', async () => {
  for (let seed = 1; seed < 200; seed++) {
    const violation = await runSeed(seed, 'datasync').catch((error: unknown) => {
      // A store that can no longer be opened is a finding too; a mistake of the test is none.
      assert.ok(error instanceof StoreError);
      return error.message;
    });
    if (violation !== undefined) return;
  }
  assert.fail('200 seeds did not find it');
});

it('kill -9 of a real process loses no blob that it acknowledged', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'swarmkeep-store-kill-'));
  const told: string[] = [];
  try {
    for (let run = 0; run < 6; run++) {
      await putUntilKilled(`${folder}/store`, run, told);
      const store = await PackedStore.open({
        folder: `${folder}/store`,
        disk: new SystemDisk(),
        clock: new SystemClock(),
        random: new SeededRandom(run),
        config: storeConfig.parse({}),
      });
      assert.deepEqual([...store.damage], []);
      const { corrupt } = await store.verify();
      assert.deepEqual(corrupt, []);
      for (const ref of told) assert.equal((await store.stat([ref as never])).length, 1, ref);
      await store.close();
    }
    assert.ok(told.length > 0);
    t.diagnostic(`${told.length} blobs acknowledged`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

async function putUntilKilled(folder: string, run: number, told: string[]): Promise<void> {
  const program = fileURLToPath(new URL('../../sim/store-writer-process.ts', import.meta.url));
  const child: ChildProcess = spawn(process.execPath, [
    '-C',
    'swarmkeep-src',
    program,
    folder,
    String(run),
  ]);
  const ended = new Promise((resolve) => child.once('close', resolve));
  let heard = 0;
  for await (const line of createInterface({ input: child.stdout! })) {
    told.push(line);
    if (++heard === 20 + run * 17) child.kill('SIGKILL');
  }
  await ended;
}
