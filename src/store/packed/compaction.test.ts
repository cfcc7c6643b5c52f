// Compaction where there is no room: packs are emptied from their ends.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import { SeededRandom } from '#base/random.ts';
import { SimDisk } from '#sim/disk.ts';
import { storeConfig } from '#store/config.ts';
import { refOf } from '#store/store.ts';
import { PackedStore } from './packed.ts';

const RESERVE = '/store/reserve';

function open(disk: SimDisk): Promise<PackedStore> {
  const config = storeConfig.parse({ writeBytesMax: 4096, packBytesMax: 65_536, noRushMsMax: 1 });
  const world = { folder: '/store', disk, clock: new SystemClock(), random: new SeededRandom(3) };
  return PackedStore.open({ ...world, config: { ...config, packBytesMax: 16_384 } });
}

function sizeOf(disk: SimDisk, name: string): number {
  return disk.bytesOf(`/store/${name}`).byteLength;
}

/** A store of several packs, half of it removed, as it is when a disk was full: without its reserve. */
async function halfRemoved(seed: number) {
  const random = new SeededRandom(seed);
  const disk = new SimDisk({ random });
  const store = await open(disk);
  const blobs = Array.from({ length: 30 }, () => random.bytes(2000));
  for (const blob of blobs) await store.put(blob);
  const gone = blobs.filter((_, at) => at % 2 === 0).map(refOf);
  await store.remove(gone);
  const kept = blobs.filter((_, at) => at % 2 === 1).map(refOf);
  // The next start finds that there is no room for it.
  await store.close();
  const sealed = disk.namesIn('/store').reduce((sum, name) => sum + sizeOf(disk, name), 0);
  disk.capacityBytesMax = sealed - sizeOf(disk, 'reserve') + 3800;
  await disk.remove(RESERVE);
  const again = await open(disk);
  return { disk, store: again, kept: kept.sort() };
}

it('a full disk is compacted with no more room than a piece of a pack', async () => {
  const { disk, store, kept } = await halfRemoved(1);
  const before = (await store.stats()).storedBytes;
  const { packs, freedBytes } = await store.compact();
  assert.ok(packs >= 3 && freedBytes > before / 3, `${packs} packs, ${freedBytes} bytes`);
  const { blobs, corrupt, damage } = await store.verify();
  assert.deepEqual([blobs, corrupt, damage], [kept.length, [], []]);
  assert.ok(disk.namesIn('/store').includes('reserve'), 'the room is kept again');
  await store.close();
});

it('on a full disk removals are taken; puts are refused until there is room', async () => {
  const { disk, store, kept } = await halfRemoved(2);
  const random = new SeededRandom(4);
  const full = { code: 'STORE_WRITE_FAILED' };
  await assert.rejects(store.put(random.bytes(10)), full);
  assert.equal(await store.remove([kept[0]!]), 1);
  await assert.rejects(store.put(random.bytes(10)), full);
  await store.compact();
  const { ref } = await store.put(random.bytes(10));

  // Full again, with the room that is kept: it is given up for a removal, and for nothing else.
  disk.capacityBytesMax = disk.namesIn('/store').reduce((sum, name) => sum + sizeOf(disk, name), 0);
  await assert.rejects(store.put(random.bytes(2000)), full);
  assert.equal(await store.remove([kept[1]!]), 1);
  assert.ok(!disk.namesIn('/store').includes('reserve'));
  await assert.rejects(store.put(random.bytes(10)), full);
  const again = await open(disk.crash());
  assert.deepEqual(
    (await again.list()).map((info) => info.ref),
    [...kept.slice(2), ref].sort(),
  );
  await again.close();
});

it('a loss of power at any operation of such a compaction loses nothing and brings nothing back', async () => {
  let crashes = 0;
  for (let nth = 1; ; nth += 2) {
    const { disk, store, kept } = await halfRemoved(nth);
    let crashed: SimDisk | undefined;
    const crash = Promise.withResolvers<undefined>();
    let operations = 0;
    disk.onOperation = () => {
      if (++operations !== nth) return undefined;
      crashed = disk.crash();
      crash.resolve(undefined);
      return undefined;
    };
    const ended = await Promise.race([store.compact(), crash.promise]);
    if (crashed === undefined) {
      assert.ok(ended !== undefined && ended.packs >= 3);
      break;
    }
    crashes++;
    const again = await open(crashed);
    assert.deepEqual([...again.damage], []);
    const found = await again.verify();
    assert.deepEqual(found.corrupt, [], `operation ${nth}`);
    assert.deepEqual(
      (await again.list()).map(({ ref }) => ref),
      kept,
      `operation ${nth}`,
    );
    await again.close();
  }
  assert.ok(crashes > 30, `${crashes} crashes`);
});

it('a compaction that gives up damage waits for one that does not, and then does so', async () => {
  const random = new SeededRandom(5);
  const disk = new SimDisk({ random });
  const store = await open(disk);
  const blobs = Array.from({ length: 30 }, () => random.bytes(2000));
  for (const blob of blobs) await store.put(blob);
  const path = '/store/0000000001.pack';
  const bytes = Uint8Array.from(disk.bytesOf(path));
  bytes[512 + 200]! ^= 1;
  disk.damage(path, bytes);
  const plain = store.compact();
  const { givenUp } = await store.compact({ givesUp: true });
  assert.deepEqual(givenUp, [refOf(blobs[0]!)]);
  assert.deepEqual((await plain).givenUp, []);
  await store.close();
});
