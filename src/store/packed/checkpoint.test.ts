// The checkpoint only makes opening faster: whatever is wrong with it, the packs decide.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { utf8 } from '#base/bytes.ts';
import { SystemClock } from '#base/clock.ts';
import { below, SeededRandom } from '#base/random.ts';
import { SimClock } from '#sim/clock.ts';
import { SimDisk } from '#sim/disk.ts';
import { storeConfig } from '#store/config.ts';
import { refOf } from '#store/store.ts';
import { PackedStore } from './packed.ts';

const INDEX = '/store/index';
const PACK = '/store/0000000001.pack';

function open(disk: SimDisk, more: { seed?: number; clock?: SimClock } = {}): Promise<PackedStore> {
  const config = storeConfig.parse({ noRushMsMax: 1, packBytesMax: 65_536, writeBytesMax: 8192 });
  const { clock = new SystemClock(), seed = 9 } = more;
  const random = new SeededRandom(seed);
  return PackedStore.open({ folder: '/store', disk, clock, random, config });
}

/** Closed in order, with so many blobs; every so many-th of them was removed, the third unless given. */
async function filled(count: number, more: { seed?: number; every?: number } = {}) {
  const { seed, every = 3 } = more;
  const disk = new SimDisk({ random: new SeededRandom(1) });
  const store = await open(disk, seed === undefined ? {} : { seed });
  const random = new SeededRandom(2);
  const blobs = Array.from({ length: count }, () => random.bytes(2000));
  for (const blob of blobs) await store.put(blob);
  await store.remove(blobs.filter((_, at) => (at + 1) % every === 0).map(refOf));
  const kept = blobs.filter((_, at) => (at + 1) % every !== 0);
  const stats = await store.stats();
  await store.close();
  return { disk, kept, stats };
}

/** Reads of the packs while it is opened, which are few when the checkpoint was taken. */
async function readsToOpen(disk: SimDisk) {
  let reads = 0;
  disk.onOperation = (operation, path) => {
    if (operation === 'read' && path.endsWith('.pack')) reads++;
    return undefined;
  };
  const store = await open(disk);
  disk.onOperation = undefined;
  return { store, reads };
}

type Files = ReadonlyMap<string, Uint8Array>;

function filesOf(disk: SimDisk): Files {
  const paths = disk.namesIn('/store').map((name) => `/store/${name}`);
  const files = paths.filter((path) => !path.endsWith('lock'));
  return new Map(files.map((path) => [path, disk.bytesOf(path).slice()]));
}

/** A disk with these files and no others. */
async function diskOf(files: Files): Promise<SimDisk> {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  await disk.makeFolder('/store');
  for (const [path, bytes] of files) {
    const file = await disk.create(path);
    await file.write(bytes, 0);
    await file.datasync();
    await file.close();
  }
  return disk;
}

async function assertHolds(store: PackedStore, blobs: readonly Uint8Array[]): Promise<void> {
  const refs = (await store.list()).map(({ ref }) => ref);
  assert.deepEqual(refs, blobs.map(refOf).sort());
  for (const blob of blobs) assert.deepEqual(await store.get(refOf(blob)), Buffer.from(blob));
}

test('a store that ended in order is opened from its index, and is as it was', async () => {
  const { disk, kept, stats } = await filled(90);
  const packs = disk.namesIn('/store').filter((name) => name.endsWith('.pack')).length;
  assert.ok(packs >= 3);
  const { store, reads } = await readsToOpen(disk);
  assert.equal(reads, packs * 2, 'header and end of each');
  assert.ok(!disk.namesIn('/store').includes('index'), 'it is of that moment only');
  await assertHolds(store, kept);
  const now = await store.stats();
  assert.deepEqual([now.blobs, now.bytes], [stats.blobs, stats.bytes]);
  const more = utf8('put after it');
  await store.put(more);
  // What lives in each pack was counted: compaction takes what it should.
  await store.remove(kept.slice(10).map(refOf));
  assert.ok((await store.compact()).packs >= 2);
  await store.close();
  const again = await readsToOpen(disk);
  await assertHolds(again.store, [...kept.slice(0, 10), more]);
  await again.store.close();
});

test('a checkpoint has the bytes its format says', async () => {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  const store = await open(disk);
  await store.put(utf8('golden'));
  await store.close();
  const bytes = Buffer.from(disk.bytesOf(INDEX));
  const pack = Buffer.from(disk.bytesOf(PACK));
  assert.equal(bytes.byteLength, 48 + 16 + 44);
  assert.equal(bytes.subarray(0, 4).toString(), 'SKI1');
  assert.equal(bytes.readUInt32LE(4), crc32(bytes.subarray(8)));
  assert.equal(bytes.subarray(8, 16).toString('hex'), '0100000000000000');
  assert.deepEqual(bytes.subarray(16, 32), pack.subarray(16, 32));
  assert.equal(bytes.subarray(32, 48).toString('hex'), '01000000000000000100000000000000');
  assert.equal(bytes.subarray(48, 52).toString('hex'), '01000000');
  assert.equal(bytes.readUInt32LE(52), crc32(pack.subarray(-512)));
  assert.equal(bytes.subarray(56, 64).toString('hex'), '0006000000000000');
  assert.equal(bytes.subarray(64).toString('hex'), GOLDEN_BLOB);
});
const GOLDEN_BLOB =
  'dd56de4137951d9c92681b03416ec15f886b4482a27e3a517d32f085244cbe5d010000004000000006000000';

test('one that is torn, flipped, or of another time or store is not believed', async () => {
  const { disk, kept } = await filled(30);
  const files = filesOf(disk);
  const whole = files.get(INDEX)!;
  const wrong: Uint8Array[] = [];
  wrong.push(new Uint8Array(0), whole.slice(0, 47), whole.slice(0, -1), whole.slice(0, -44));
  wrong.push(Uint8Array.from([...whole, 0]), new Uint8Array(whole.byteLength));
  for (let at = 0; at < whole.byteLength; at += 5) {
    const flipped = whole.slice();
    flipped[at]! ^= 1 << (at % 8);
    wrong.push(flipped);
  }
  wrong.push(filesOf((await filled(30, { seed: 77 })).disk).get(INDEX)!);
  assert.equal((await readsToOpen(await diskOf(files))).reads, 4, 'the right one is believed');
  for (const [at, bytes] of wrong.entries()) {
    const { store, reads } = await readsToOpen(await diskOf(new Map([...files, [INDEX, bytes]])));
    assert.ok(reads > 4, `wrong ${at} was believed`);
    assert.deepEqual([...store.damage], []);
    await assertHolds(store, kept);
    await store.close();
  }
  // The same one, back after the store went on without it.
  const store = await open(disk);
  const more = utf8('later');
  await store.put(more);
  await store.remove([refOf(kept[0]!)]);
  const { store: again, reads } = await readsToOpen(
    await diskOf(new Map([...filesOf(disk), [INDEX, whole]])),
  );
  assert.ok(reads > 4);
  await assertHolds(again, [...kept.slice(1), more]);
});

test('a bit that flips beside a checkpoint is found by verifying, and a put heals its blob', async () => {
  const { disk, kept } = await filled(8, { every: Number.POSITIVE_INFINITY });
  const files = filesOf(disk);
  const pack = files.get(PACK)!;
  for (let at = 512; at < pack.byteLength; at += 61) {
    const bytes = pack.slice();
    bytes[at]! ^= 1 << (at % 8);
    const store = await open(await diskOf(new Map([...files, [PACK, bytes]])));
    const { corrupt, damage } = await store.verify();
    // In its end, the mark, the packs are read: then it is a tail that is cut.
    const isInTail = at >= pack.byteLength - 512;
    if (!isInTail) assert.ok(corrupt.length + damage.length > 0, `byte ${at} was not found`);
    for (const ref of corrupt) {
      const blob = kept.find((one) => refOf(one) === ref);
      assert.equal((await store.put(blob!)).new, true);
    }
    await assertHolds(store, kept);
    await store.close();
  }
});

test('a disk that is full, or an index that takes too long, leaves none', async () => {
  for (const code of ['ENOSPC', undefined]) {
    const clock = new SimClock();
    const disk = new SimDisk({ random: new SeededRandom(1), clock });
    const store = await clock.until(open(disk, { clock }));
    await clock.until(store.put(utf8('blob')));
    disk.onOperation = (_operation, path) => (path.includes('index') ? code : undefined);
    if (code === undefined) disk.delayOf = (_kind, path) => (path.includes('index') ? 1e4 : 0);
    await clock.until(store.close());
    disk.onOperation = undefined;
    disk.delayOf = undefined;
    const names = disk.namesIn('/store').filter((name) => name.startsWith('index'));
    assert.deepEqual(names, []);
  }
});

test('losses of power around an end in order lose, double and invent no blob', async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new SeededRandom(seed);
    let disk = new SimDisk({ random });
    const expected = new Map<string, Uint8Array>();
    for (let life = 0; life < 5; life++) {
      const store = await open(disk, { seed: life });
      assert.deepEqual([...store.damage], [], `seed ${seed}`);
      await assertHolds(store, [...expected.values()]);
      for (let step = below(random, 6); step > 0; step--) {
        const blob = random.bytes(1 + below(random, 9000));
        const [old] = [...expected.keys()];
        if (below(random, 3) > 0 || old === undefined) {
          await store.put(blob);
          expected.set(refOf(blob), blob);
        } else {
          await store.remove([old as never]);
          expected.delete(old);
        }
      }
      if (below(random, 4) === 0) await store.compact();
      const isInOrder = below(random, 3) > 0;
      if (isInOrder) await store.close();
      // Sometimes only the process ends, and sometimes the power.
      if (!isInOrder || below(random, 2) === 0) disk = disk.crash();
    }
  }
});
