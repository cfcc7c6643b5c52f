import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Disk } from '#base/disk.ts';
import { codeOf } from '#base/errors.ts';
import { below, SeededRandom } from '#base/random.ts';
import { SimDisk } from '#sim/disk.ts';
import { OverlayDisk } from './overlay-disk.ts';

const NAMES = ['a', 'b', 'c', 'd'];
const SEEDS = 40;
const STEPS = 60;

async function filled(seed: number): Promise<SimDisk> {
  const disk = new SimDisk({ random: new SeededRandom(seed) });
  const random = new SeededRandom(seed);
  await disk.makeFolder('/f');
  for (const name of NAMES.slice(0, 3)) {
    const file = await disk.create(`/f/${name}`);
    await file.write(random.bytes(below(random, 100)), 0);
    await file.close();
  }
  return disk;
}

async function contentOf(disk: Disk): Promise<unknown> {
  const names = await disk.list('/f');
  const files = names.map(async (name) => {
    const file = await disk.open(`/f/${name}`, { write: false });
    const into = new Uint8Array(300);
    const read = await file.read(into, 3);
    const bytes = await file.sizeBytes();
    await file.close();
    const stat = await disk.stat(`/f/${name}`);
    return [name, bytes, stat?.sizeBytes, Buffer.from(into.subarray(0, read)).toString('hex')];
  });
  return await Promise.all(files);
}

/** The same on any disk; what failed and how. */
async function step(disk: Disk, random: SeededRandom): Promise<unknown> {
  const [path, other] = [0, 1].map(() => `/f/${NAMES[below(random, NAMES.length)]}`) as [
    string,
    string,
  ];
  const [kind, position, size] = [below(random, 5), below(random, 120), below(random, 60)];
  const bytes = random.bytes(size);
  try {
    if (kind === 0) await disk.remove(path);
    else if (kind === 1 && path !== other) await disk.rename(path, other);
    else {
      const file = kind === 2 ? await disk.create(path) : await disk.open(path, { write: true });
      if (kind === 4) await file.truncate(position);
      else await file.write(bytes, position);
      await file.close();
    }
    return 'done';
  } catch (error) {
    return codeOf(error);
  }
}

it('what is changed is found as on a disk that takes it, and the disk below stays as it was', async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const [real, kept] = [await filled(seed), await filled(seed)];
    const before = await contentOf(kept);
    const overlay = new OverlayDisk(kept);
    const [one, same] = [new SeededRandom(seed), new SeededRandom(seed)];
    for (let at = 0; at < STEPS; at++) {
      const where = `seed ${seed}, step ${at}`;
      assert.equal(await step(overlay, one), await step(real, same), where);
      assert.deepEqual(await contentOf(overlay), await contentOf(real), where);
    }
    assert.deepEqual(await contentOf(kept), before);
  }
});
