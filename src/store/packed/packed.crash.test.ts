// The packed store's promises across losses of power and kills, simulated (sim/store-crashes.ts) and
// real. One seed again, alone:
//   SWARMKEEP_SEED=<seed> node -C swarmkeep-src --test src/store/packed/packed.crash.test.ts

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { SeededRandom } from '#base/random.ts';
import { type CrashWorld, LIVES, seedsUntilFound, surviveSeeds } from '#sim/store-crashes.ts';
import { storeConfig } from '#store/config.ts';
import { framedBody, framedMemory } from '#store/framed.ts';
import { PackedStore } from './packed.ts';

const SEEDS = 120;
const FRAMED_SEEDS = 30;
const WRITER = fileURLToPath(new URL('../../../sim/store-writer-process.ts', import.meta.url));

/** Small packs, so that a life sees many; the schema's least is for people. */
function open({ disk, clock, random }: CrashWorld): Promise<PackedStore> {
  const config = storeConfig.parse({ writeBytesMax: 8192, noRushMsMax: 3, compactDeadPercent: 5 });
  return PackedStore.open({
    folder: '/store',
    disk,
    clock,
    random,
    config: { ...config, packBytesMax: 4096 },
  });
}

it('simulated crashes lose, double and invent no blob', async (t) => {
  await surviveSeeds(SEEDS, open);
  t.diagnostic(`${SEEDS} seeds of ${LIVES} lives`);
});

it('nor of blobs that are written from where they lie', async (t) => {
  // All but the smallest of the simulated ones are large by these settings.
  await surviveSeeds(FRAMED_SEEDS, async (world) => {
    const store = await open(world);
    const put = store.put.bind(store);
    store.put = (source, options) =>
      put(source instanceof Uint8Array ? framed(source) : source, options);
    return store;
  });
  t.diagnostic(`${FRAMED_SEEDS} seeds of ${LIVES} lives`);
});

/** Where in its page it begins does not matter to a simulated disk. */
function framed(bytes: Uint8Array): Uint8Array {
  const body = framedBody(
    framedMemory(bytes.length, () => 0),
    bytes.length,
  );
  body.set(bytes);
  return body;
}

it('the simulator finds a planted bug: an answer before the sync', async () => {
  assert.ok((await seedsUntilFound(200, open, 'datasync')) <= 200);
});

it('kill -9 of a real process that puts, removes and compacts loses no blob it acknowledged', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'swarmkeep-store-kill-'));
  const told = new Set<string>();
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
    assert.ok(told.size > 0);
    t.diagnostic(`${told.size} blobs acknowledged`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

async function putUntilKilled(folder: string, run: number, told: Set<string>): Promise<void> {
  const child: ChildProcess = spawn(process.execPath, [
    '-C',
    'swarmkeep-src',
    WRITER,
    folder,
    String(run),
  ]);
  const ended = new Promise((resolve) => child.once('close', resolve));
  let heard = 0;
  for await (const line of createInterface({ input: child.stdout! })) {
    // What it began to remove may be there or not.
    if (line.startsWith('-')) told.delete(line.slice(1));
    else told.add(line);
    if (++heard === 20 + run * 17) child.kill('SIGKILL');
  }
  await ended;
}

it('packs that somebody has open are refused to everybody else, until he is gone', async () => {
  const root = await mkdtemp(join(tmpdir(), 'swarmkeep-store-lock-'));
  const folder = `${root}/store`;
  const world = {
    ...{ folder, disk: new SystemDisk(), clock: new SystemClock(), random: new SeededRandom(1) },
    config: storeConfig.parse({}),
  };
  const child = spawn(process.execPath, ['-C', 'swarmkeep-src', WRITER, folder, '1']);
  try {
    await once(createInterface({ input: child.stdout }), 'line');
    await assert.rejects(PackedStore.open(world), { code: 'STORE_LOCKED' });
    child.kill('SIGKILL');
    await once(child, 'exit');
    const store = await PackedStore.open(world);
    const { ref } = await store.put(new Uint8Array(1000));
    await assert.rejects(PackedStore.open(world), { code: 'STORE_LOCKED' });
    assert.equal((await store.get(ref)).length, 1000, 'who was refused has taken nothing away');
    await store.close();
    const later = await PackedStore.open(world);
    assert.equal((await later.get(ref)).length, 1000);
    await later.close();
  } finally {
    child.kill('SIGKILL');
    await rm(root, { recursive: true, force: true });
  }
});
