// Where the blobs of a series lie: how often, and how far, a reader of whole files has to jump.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { crc32 } from 'node:zlib';
import { sleep } from '#base/clock.ts';
import type { BlobRef } from '#base/ids.ts';
import { SeededRandom } from '#base/random.ts';
import { SimClock } from '#sim/clock.ts';
import { SimDisk } from '#sim/disk.ts';
import { storeConfig } from '#store/config.ts';
import { refOf, type Store } from '#store/store.ts';
import { PackedStore } from './packed.ts';

const SEGMENT_BYTES = 4096;
const HEADER_BYTES = 64;
const SECTOR_BYTES = 512;
const PACK_BYTES = 576 * 1024;

function open(disk: SimDisk, config: object, clock = new SimClock()): Promise<PackedStore> {
  return PackedStore.open({
    ...{ folder: '/store', disk, clock, random: new SeededRandom(9) },
    config: storeConfig.parse({ noRushMsMax: 1, ...config }),
  });
}

interface Jumps {
  readonly count: number;
  /** All jumps together; into another pack counts as a pack's length. */
  readonly bytes: number;
}

/** Of who reads each of these lists from beginning to end. */
async function jumpsIn(store: Store, lists: readonly (readonly BlobRef[])[]): Promise<Jumps> {
  const places = new Map<BlobRef, { pack: number; start: number; end: number }>();
  for await (const { ref, bytes, token } of store.stream!()) {
    const [pack = 0, start = 0] = token.split(':').map(Number);
    places.set(ref, { pack, start, end: start + HEADER_BYTES + bytes });
  }
  let count = 0;
  let bytes = 0;
  for (const list of lists) {
    for (let at = 1; at < list.length; at++) {
      const [before, next] = [places.get(list[at - 1]!)!, places.get(list[at]!)!];
      const gap = before.pack === next.pack ? Math.abs(next.start - before.end) : PACK_BYTES;
      if (gap < SECTOR_BYTES) continue;
      count++;
      bytes += gap;
    }
  }
  return { count, bytes };
}

function filesOf(count: number, segments: number): Buffer[][] {
  const random = new SeededRandom(3);
  return Array.from({ length: count }, () =>
    Array.from({ length: segments }, () => Buffer.from(random.bytes(SEGMENT_BYTES))),
  );
}

const refsOf = (files: readonly Buffer[][]): BlobRef[][] => files.map((file) => file.map(refOf));

it('files that are put at the same time lie each in one piece and in order', async () => {
  const clock = new SimClock();
  const disk = new SimDisk({ random: new SeededRandom(1), clock });
  const store = await clock.until(open(disk, { writeBytesMax: 10 * SEGMENT_BYTES }, clock));
  const files = filesOf(4, 8);
  const puts: Promise<unknown>[] = [store.put(Buffer.from('keeps the disk busy meanwhile'))];
  for (let segment = 7; segment >= 0; segment--) {
    for (const [n, file] of files.entries()) {
      const series = { name: `file ${n}`, order: segment };
      puts.push(store.put(file[segment]!, { series, noRush: true }));
    }
  }
  await clock.until(Promise.all(puts));
  assert.deepEqual(await clock.until(jumpsIn(store, refsOf(files))), { count: 0, bytes: 0 });
  await clock.until(store.close());
});

it('compaction lays side by side what came in one by one, and lets it stay there', async (t) => {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  const config = { packBytesMax: PACK_BYTES, writeBytesMax: 65_536 };
  const store = await open(disk, config);
  const files = filesOf(6, 10);
  const fillers: BlobRef[] = [];
  const random = new SeededRandom(5);
  const fill = async () => fillers.push((await store.put(random.bytes(SEGMENT_BYTES))).ref);
  for (let segment = 0; segment < 10; segment++) {
    for (const [n, file] of files.entries()) {
      await store.put(file[segment]!, { series: { name: `file ${n}`, order: segment } });
      await fill();
    }
  }
  // The pack that is written to is not compacted.
  for (let n = 0; n < 32; n++) await fill();
  const before = await jumpsIn(store, refsOf(files));
  await store.remove(fillers);
  assert.ok((await store.compact()).packs >= 1);
  const after = await jumpsIn(store, refsOf(files));
  t.diagnostic(`jumps ${before.count} -> ${after.count}, bytes ${before.bytes} -> ${after.bytes}`);
  assert.equal(before.count, 54);
  assert.deepEqual(after, { count: 0, bytes: 0 });

  await store.close();
  const again = await open(disk, config);
  const gone = files.slice(0, 3).flatMap((file) => file.map(refOf));
  await again.remove(gone);
  for (let n = 0; n < 64; n++) await again.put(random.bytes(SEGMENT_BYTES));
  assert.ok((await again.compact()).packs >= 1);
  assert.equal((await jumpsIn(again, refsOf(files.slice(3)))).count, 0);
  await again.close();
});

it('a blob that is removed and put again stays, whatever series waits before it', async () => {
  const clock = new SimClock();
  const disk = new SimDisk({ random: new SeededRandom(1), clock });
  const store = await clock.until(open(disk, {}, clock));
  const [first, second] = [Buffer.from('first'), Buffer.from('second')];
  await clock.until(store.put(second));
  disk.delayOf = (operation) => (operation === 'datasync' ? 100 : 1);
  const busy = store.put(Buffer.from('keeps the disk busy meanwhile'));
  await clock.until(sleep(clock, 2));
  const calls: Promise<unknown>[] = [busy];
  calls.push(store.put(Buffer.from('behind it'), {}));
  await clock.until(sleep(clock, 2));
  calls.push(store.put(first, { series: { name: 'a', order: 0 } }));
  await clock.until(sleep(clock, 2));
  calls.push(store.remove([refOf(second)]));
  calls.push(store.put(second, { series: { name: 'a', order: 1 } }));
  await clock.until(Promise.all(calls));
  assert.equal((await store.stat([refOf(second)])).length, 1);
  await clock.until(store.close());
});

it('a pack of the first version is read, and written to no more', async () => {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  const path = '/store/0000000001.pack';
  const store = await open(disk, {});
  const { ref } = await store.put(Buffer.from('old'));
  await store.close();
  const bytes = Buffer.from(disk.bytesOf(path));
  bytes.writeUInt16LE(1, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(8, 512)), 4);
  disk.damage(path, bytes);
  const again = await open(disk, {});
  assert.equal(Buffer.from(await again.get(ref)).toString(), 'old');
  await again.put(Buffer.from('new'), { series: { name: 'a', order: 1 } });
  assert.deepEqual(Buffer.from(disk.bytesOf(path)), bytes);
  assert.ok(disk.namesIn('/store').includes('0000000002.pack'));
  await again.close();
});
