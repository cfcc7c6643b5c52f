// What a kill leaves at the end of the newest pack: a torn end is cut, and what rotted there costs itself.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import { SeededRandom } from '#base/random.ts';
import { SimDisk } from '#sim/disk.ts';
import { storeConfig } from '#store/config.ts';
import { refOf } from '#store/store.ts';
import { PackedStore } from './packed.ts';

const PACK = '/store/0000000001.pack';

function open(disk: SimDisk): Promise<PackedStore> {
  const config = storeConfig.parse({ noRushMsMax: 1, packBytesMax: 65_536, writeBytesMax: 65_536 });
  const random = new SeededRandom(9);
  return PackedStore.open({ folder: '/store', disk, clock: new SystemClock(), random, config });
}

/** Two blobs alone, then three that share the last group, all of them answered; then it was killed. */
async function killed() {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  const store = await open(disk);
  const random = new SeededRandom(2);
  const blobs = Array.from({ length: 5 }, () => random.bytes(700));
  for (const blob of blobs.slice(0, 2)) await store.put(blob);
  await Promise.all(blobs.slice(2).map((blob) => store.put(blob)));
  return { disk: disk.crash(), blobs };
}

async function namesIn(store: PackedStore): Promise<string[]> {
  return (await store.list()).map(({ ref }) => ref);
}

test('one bit that rotted in the last groups after a kill costs its own blob alone, and is told', async () => {
  const { disk: start, blobs } = await killed();
  const whole = start.bytesOf(PACK).slice();
  for (let at = 512; at < whole.byteLength; at += 97) {
    const { disk } = await killed();
    const bytes = whole.slice();
    bytes[at]! ^= 1 << (at % 8);
    disk.damage(PACK, bytes);
    const store = await open(disk);
    const names = await namesIn(store);
    const lost = blobs.filter((blob) => !names.includes(refOf(blob)));
    const { corrupt } = await store.verify();
    assert.ok(lost.length + corrupt.length <= 1, `byte ${at} cost ${lost.length} blobs`);
    if (lost.length > 0) {
      const isTold = store.tail !== undefined || store.damage.length > 0;
      assert.ok(isTold, `byte ${at} cost a blob silently`);
    }
    const { tail } = store;
    if (tail?.aside !== undefined) {
      const kept = disk.bytesOf(`/store/${tail.aside}`);
      assert.deepEqual(Buffer.from(kept), Buffer.from(bytes.subarray(tail.start)), `byte ${at}`);
      assert.deepEqual(await store.asides(), [tail.aside]);
    }
    for (const blob of blobs) {
      await store.put(blob);
      assert.deepEqual(await store.get(refOf(blob)), Buffer.from(blob));
    }
    await store.close();
    const again = await open(disk);
    assert.deepEqual(await namesIn(again), blobs.map(refOf).sort(), `byte ${at}`);
    await again.close();
  }
});

test('what follows the rotten place is saved in order, also a removal', async () => {
  const { disk, blobs } = await killed();
  const store = await open(disk);
  const more = new SeededRandom(7).bytes(900);
  const put = store.put(more, { noRush: true });
  // Queued by then: both are one group.
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  await Promise.all([put, store.remove([refOf(blobs[4]!)])]);
  const after = disk.crash();
  const bytes = Uint8Array.from(after.bytesOf(PACK));
  // A body in the group before, which was answered, and what follows it is whole.
  const at = Buffer.from(bytes).indexOf(Buffer.from(more));
  bytes[at + 10]! ^= 1;
  after.damage(PACK, bytes);
  const opened = await open(after);
  assert.deepEqual(await namesIn(opened), blobs.slice(0, 4).map(refOf).sort());
  assert.deepEqual([opened.tail?.lost, opened.tail?.saved.length], [1, 1]);
  assert.deepEqual([...opened.damage], [], 'what was cut is no damage of the pack');
  await opened.close();
});

test('the end of a write that was never finished is cut without more ado', async () => {
  const { disk, blobs } = await killed();
  const whole = disk.bytesOf(PACK).slice();
  const last = Buffer.from(whole).lastIndexOf(Buffer.from(blobs[4]!));
  for (const end of [last + 300, last - 20]) {
    const { disk: other } = await killed();
    other.damage(PACK, whole.slice(0, end));
    const store = await open(other);
    assert.deepEqual(await namesIn(store), blobs.slice(0, 4).map(refOf).sort());
    assert.deepEqual([store.tail?.isTorn, store.tail?.aside], [true, undefined]);
    assert.deepEqual(await store.asides(), []);
    await store.close();
  }
});

test('a pack that was cut short after an end in order is no unfinished write: its end is kept aside', async () => {
  const { disk, blobs } = await killed();
  const store = await open(disk);
  await store.close();
  const whole = disk.bytesOf(PACK).slice();
  const last = Buffer.from(whole).lastIndexOf(Buffer.from(blobs[4]!));
  disk.damage(PACK, whole.slice(0, last + 300));
  const again = await open(disk);
  assert.deepEqual(await namesIn(again), blobs.slice(0, 4).map(refOf).sort());
  assert.equal(again.tail?.isTorn, false);
  assert.equal((await again.asides()).length, 1);
  await again.close();
});

test('a loss of power at any operation of saving loses nothing that is whole', async () => {
  let crashes = 0;
  for (let nth = 1; ; nth++) {
    const { disk, blobs } = await killed();
    const bytes = Uint8Array.from(disk.bytesOf(PACK));
    bytes[Buffer.from(bytes).indexOf(Buffer.from(blobs[2]!)) + 5]! ^= 1;
    disk.damage(PACK, bytes);
    let crashed: SimDisk | undefined;
    const crash = Promise.withResolvers<undefined>();
    let operations = 0;
    disk.onOperation = () => {
      if (++operations !== nth) return undefined;
      crashed = disk.crash();
      crash.resolve(undefined);
      return undefined;
    };
    const opened = await Promise.race([open(disk), crash.promise]);
    disk.onOperation = undefined;
    const store = crashed === undefined ? (opened as PackedStore) : await open(crashed);
    const kept = blobs.filter((_, at) => at !== 2);
    for (const blob of kept) {
      assert.deepEqual(await store.get(refOf(blob)), Buffer.from(blob), `operation ${nth}`);
    }
    await store.close();
    if (crashed === undefined) break;
    crashes++;
  }
  assert.ok(crashes > 20, `${crashes} crashes`);
});

test('on a full disk it is opened all the same: what is whole is found, and the damage told', async () => {
  const { disk, blobs } = await killed();
  const bytes = Uint8Array.from(disk.bytesOf(PACK));
  bytes[Buffer.from(bytes).indexOf(Buffer.from(blobs[2]!)) + 5]! ^= 1;
  disk.damage(PACK, bytes);
  let writes = 0;
  // The header of a new pack fits still.
  disk.onOperation = (operation, path) => {
    if (path.endsWith('.tail')) return 'ENOSPC';
    const isOfNew = operation === 'write' && path.includes('0000000002');
    return isOfNew && ++writes > 1 ? 'ENOSPC' : undefined;
  };
  const store = await open(disk);
  const kept = blobs.filter((_, at) => at !== 2);
  for (const blob of kept) assert.deepEqual(await store.get(refOf(blob)), Buffer.from(blob));
  assert.ok(store.damage.length > 0);
  disk.onOperation = undefined;
  await store.close();
});
