// A place in which something rotted, and that was opened anew since: whoever brings blobs there mends it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import { memoryLogger } from '#base/logger.ts';
import { SeededRandom, SystemRandom } from '#base/random.ts';
import { SimDisk } from '#sim/disk.ts';
import { BackupWriter } from '#store/backup/backup-writer.ts';
import { storeConfig } from '#store/config.ts';
import { newKeyLine } from '#store/encrypt/key-file.ts';
import { giveBack } from '#store/gc/give-back.ts';
import { MemoryStore } from '#store/memory.ts';
import { refOf, statSound } from '#store/store.ts';
import { copyStore } from '#store/sync/compare.ts';
import { knownCorruptIn, verifyStack } from '#store/verify.ts';
import { openStack, type Stack, type StackWorld } from './stack.ts';

const LINES = [
  ...['packed', 'directory', 'encrypt > packed', 'encrypt > directory', 'cache(1MiB) > packed'],
  ...[
    'replica(packed, directory)',
    'union(packed, directory)',
    'encrypt > replica(packed, packed(b))',
  ],
];

async function worldOf(): Promise<{ disk: SimDisk; world: StackWorld }> {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  const keys = await disk.create('/keys');
  await keys.write(Buffer.from(newKeyLine(new SystemRandom())), 0);
  await keys.close();
  const world: StackWorld = {
    ...{ folder: '/data', disk, clock: new SystemClock(), random: new SystemRandom() },
    ...{ logger: memoryLogger([]), freeBytes: async () => 1 },
    config: storeConfig.parse({ keyFile: '/keys', noRushMsMax: 1, packBytesMax: 65_536 }),
    openS3: async () => assert.fail(),
  };
  return { disk, world };
}

/** Bits of every file in which a blob of `bytes` lies, found by its bytes or, encrypted, by its size. */
function rot(disk: SimDisk, stack: Stack): void {
  for (const folder of ['/data/packed', '/data/packed/parts']) {
    for (const name of disk.namesIn(folder).filter((one) => one.endsWith('.pack'))) {
      const path = `${folder}/${name}`;
      const bytes = Uint8Array.from(disk.bytesOf(path));
      for (let at = 512 + 64 + 200; at < bytes.byteLength; at += 3584) bytes[at]! ^= 1;
      disk.damage(path, bytes);
    }
  }
  assert.ok(stack.leaves.length > 0);
  for (const folder of ['/data/directory', '/data/directory/parts']) {
    for (const digits of disk.namesIn(folder)) {
      for (const name of /^[0-9a-f]{2}$/.test(digits) ? disk.namesIn(`${folder}/${digits}`) : []) {
        const path = `${folder}/${digits}/${name}`;
        const bytes = Uint8Array.from(disk.bytesOf(path));
        bytes[200]! ^= 1;
        disk.damage(path, bytes);
      }
    }
  }
}

for (const line of LINES) {
  test(`${line}: what was found wrong before is put again by a comparison, and whole then`, async () => {
    const { disk, world } = await worldOf();
    const source = new MemoryStore();
    const random = new SeededRandom(3);
    const blobs = Array.from({ length: 4 }, () => random.bytes(3000));
    for (const blob of blobs) await source.put(blob);
    const refs = blobs.map(refOf);
    const { clock } = world;

    const first = await openStack(world, line);
    assert.equal((await copyStore(source, first.store, { clock })).copied, 4);
    rot(disk, first);
    assert.ok((await verifyStack(first)).corrupt.length > 0);
    await first.store.close();

    const second = await openStack(world, line);
    assert.ok((await statSound(second.store, refs)).length < 4, 'known, though nothing was read');
    const inPacks = second.packs.some(({ corruptCount }) => corruptCount > 0);
    assert.equal(knownCorruptIn(second).length > 0, inPacks, 'as the doctor tells');
    assert.ok(inPacks || !line.includes('packed'));
    const { copied, failed } = await copyStore(source, second.store, { clock });
    assert.ok(copied > 0);
    assert.equal(failed, 0);
    await second.store.close();

    const third = await openStack(world, line);
    assert.deepEqual((await verifyStack(third)).corrupt, []);
    assert.equal((await statSound(third.store, refs)).length, 4);
    for (const blob of blobs) {
      assert.deepEqual(Buffer.from(await third.store.get(refOf(blob))), Buffer.from(blob));
    }
    assert.equal((await copyStore(source, third.store, { clock })).copied, 0);
    assert.deepEqual(knownCorruptIn(third), []);
    await third.store.close();
  });
}

test('a backup puts a piece again that rotted in its place since the one before', async () => {
  const { disk, world } = await worldOf();
  const bytes = new SeededRandom(4).bytes(3000);
  const file = {
    ...{ path: 'log/a', bytes: bytes.byteLength, mark: '1', cut: 'log' as const },
    open: async () => ({
      read: async (into: Uint8Array) => {
        into.set(bytes);
        return bytes.byteLength;
      },
      close: async () => {},
    }),
  };
  const first = await openStack(world, 'packed');
  await new BackupWriter(first.store, []).file(file);
  const earlier = [{ path: 'log/a', bytes: 3000, mark: '1', chunks: [refOf(bytes)] }];
  rot(disk, first);
  await verifyStack(first);
  await first.store.close();
  const second = await openStack(world, 'packed');
  const writer = new BackupWriter(second.store, earlier);
  await writer.file(file);
  assert.equal(writer.counts.newBlobs, 1);
  assert.deepEqual(Buffer.from(await second.store.get(refOf(bytes))), Buffer.from(bytes));
  await second.store.close();
});

test('what a cache still has is put again when its pack is written anew without it', async () => {
  const { disk, world } = await worldOf();
  const random = new SeededRandom(5);
  const blobs = Array.from({ length: 4 }, () => random.bytes(3000));
  const stack = await openStack(world, 'cache(1MiB) > packed');
  const refs = [];
  for (const blob of blobs) {
    const { ref } = await stack.store.put(blob);
    await stack.store.get(ref);
    refs.push(ref);
  }
  rot(disk, stack);
  assert.deepEqual((await giveBack(stack, { givesUp: true })).givenUp, []);
  await stack.store.close();
  const later = await openStack(world, 'packed');
  for (const [at, ref] of refs.entries()) {
    assert.deepEqual(Buffer.from(await later.store.get(ref)), Buffer.from(blobs[at]!));
  }
  await later.store.close();
});
