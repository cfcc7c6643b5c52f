// What one process finds wrong in a packed store the next one knows, whatever became of the list.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { utf8 } from '#base/bytes.ts';
import { SystemClock } from '#base/clock.ts';
import { SeededRandom } from '#base/random.ts';
import { SimDisk } from '#sim/disk.ts';
import { storeConfig } from '#store/config.ts';
import { refOf } from '#store/store.ts';
import { PackedStore } from './packed.ts';

const LIST = '/store/corrupt';
const PACK = '/store/0000000001.pack';
/** Each blob has a group of its own: its header and what it is padded to. */
const GROUP = 3072;

function open(disk: SimDisk, corruptBlobsMax = 100): Promise<PackedStore> {
  const config = storeConfig.parse({ noRushMsMax: 1, packBytesMax: 65_536, writeBytesMax: 8192 });
  const random = new SeededRandom(9);
  const world = { folder: '/store', disk, clock: new SystemClock(), random, config };
  return PackedStore.open({ ...world, corruptBlobsMax });
}

/** Closed in order, with so many blobs, one a group. */
async function filled(count: number) {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  const store = await open(disk);
  const random = new SeededRandom(2);
  const blobs = Array.from({ length: count }, () => random.bytes(3000));
  for (const blob of blobs) await store.put(blob);
  await store.close();
  return { disk, blobs };
}

/** One bit of the header, or of the body, of the blob in this group. */
function rot(disk: SimDisk, group: number, what: 'record' | 'bytes'): void {
  const bytes = Uint8Array.from(disk.bytesOf(PACK));
  bytes[512 + group * GROUP + (what === 'record' ? 20 : 200)]! ^= 4;
  disk.damage(PACK, bytes);
}

/** As whoever opens it next finds it, after an end in order or a kill. */
async function next(disk: SimDisk, store: PackedStore, end: 'order' | 'kill') {
  if (end === 'order') await store.close();
  return end === 'order' ? { disk, store: await open(disk) } : again(disk.crash());
}

async function again(disk: SimDisk) {
  return { disk, store: await open(disk) };
}

test('what verifying found is known to the next opening, and a put there mends it for good', async () => {
  for (const end of ['order', 'kill'] as const) {
    const { disk, blobs } = await filled(4);
    rot(disk, 1, 'bytes');
    const first = await open(disk);
    const ref = refOf(blobs[1]!);
    assert.equal((await first.put(blobs[1]!)).new, false, 'nobody has read it yet');
    assert.deepEqual((await first.verify()).corrupt, [ref]);
    const second = await next(disk, first, end);
    assert.ok(second.store.isKnownCorrupt(ref));
    assert.equal(second.store.isKnownCorrupt(refOf(blobs[2]!)), false);
    assert.equal((await second.store.put(blobs[1]!)).new, true);
    assert.equal(second.store.isKnownCorrupt(ref), false);
    assert.deepEqual((await second.store.verify()).corrupt, []);
    const third = await next(second.disk, second.store, 'order');
    assert.equal(third.store.corruptCount, 0);
    assert.ok(!third.disk.namesIn('/store').includes('corrupt'));
    assert.equal((await third.store.put(blobs[1]!)).new, false);
    assert.deepEqual(await third.store.get(ref), Buffer.from(blobs[1]!));
    await third.store.close();
  }
});

test('a blob that was read wrong by anybody is known to the next opening; one read well again is not', async () => {
  const { disk, blobs } = await filled(3);
  const whole = disk.bytesOf(PACK).slice();
  rot(disk, 0, 'bytes');
  const store = await open(disk);
  const ref = refOf(blobs[0]!);
  await assert.rejects(store.get(ref), { code: 'STORE_CORRUPT_BLOB' });
  await store.close();
  const other = await open(disk);
  assert.ok(other.isKnownCorrupt(ref));
  disk.damage(PACK, Uint8Array.from([...whole, ...disk.bytesOf(PACK).slice(whole.byteLength)]));
  await other.get(ref);
  await other.close();
  assert.equal((await open(disk)).isKnownCorrupt(ref), false);
});

test('a blob whose record rotted is read by every later opening, until it is put again or removed', async () => {
  for (const end of ['order', 'kill'] as const) {
    const { disk, blobs } = await filled(5);
    rot(disk, 0, 'record');
    rot(disk, 2, 'record');
    rot(disk, 4, 'record');
    const first = await open(disk);
    const found = (await first.verify()).corrupt.toSorted();
    assert.deepEqual(found, [blobs[0]!, blobs[2]!, blobs[4]!].map(refOf).sort());
    await first.remove([refOf(blobs[2]!)]);
    let { disk: now, store } = await next(disk, first, end);
    const left = [blobs[0]!, blobs[1]!, blobs[3]!, blobs[4]!];
    for (let opened = 0; opened < 2; opened++) {
      const listed = (await store.list()).map(({ ref }) => ref);
      assert.deepEqual(listed, left.map(refOf).sort(), 'what was removed stays away');
      for (const blob of left) {
        assert.deepEqual(await store.get(refOf(blob)), Buffer.from(blob));
      }
      ({ disk: now, store } = await next(now, store, end));
    }
    assert.equal((await store.put(left[0]!)).new, true);
    const { givenUp } = await store.compact({ givesUp: true });
    assert.deepEqual(givenUp, [], 'all of it could be read');
    ({ store } = await next(now, store, end));
    assert.deepEqual([store.corruptCount, [...store.damage]], [0, []]);
    for (const blob of left) assert.deepEqual(await store.get(refOf(blob)), Buffer.from(blob));
    await store.close();
  }
});

test('a list has the bytes its format says', async () => {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  const store = await open(disk);
  await store.put(utf8('golden'));
  const bytes = Uint8Array.from(disk.bytesOf(PACK));
  bytes[512 + 64]! ^= 1;
  disk.damage(PACK, bytes);
  await store.verify();
  const list = Buffer.from(disk.bytesOf(LIST));
  assert.equal(list.subarray(0, 4).toString(), 'SKC1');
  assert.equal(list.readUInt32LE(4), crc32(list.subarray(8)));
  assert.equal(list.subarray(8, 16).toString('hex'), '0100000001000000');
  assert.deepEqual(list.subarray(16, 32), Buffer.from(bytes.subarray(16, 32)));
  assert.equal(list.subarray(32).toString('hex'), GOLDEN_BLOB);
  await store.close();
});
const GOLDEN_BLOB =
  'dd56de4137951d9c92681b03416ec15f886b4482a27e3a517d32f085244cbe5d' +
  '01000000000200000000010006000000';

test('a list that is torn, flipped or of another store is not believed, and costs no blob', async () => {
  const { disk, blobs } = await filled(3);
  rot(disk, 1, 'bytes');
  const store = await open(disk);
  await store.verify();
  const whole = disk.bytesOf(LIST).slice();
  await store.close();
  const wrong = [new Uint8Array(0), whole.slice(0, 31), whole.slice(0, -1), utf8('something else')];
  for (let at = 0; at < whole.byteLength; at++) {
    const flipped = whole.slice();
    flipped[at]! ^= 1 << (at % 8);
    wrong.push(flipped);
  }
  for (const [at, bytes] of wrong.entries()) {
    const file = await disk.create(`${LIST}.other`);
    await file.write(bytes, 0);
    await file.close();
    await disk.rename(`${LIST}.other`, LIST);
    const opened = await open(disk);
    const { length } = await opened.list();
    assert.deepEqual([opened.corruptCount, length], [0, 3], `wrong ${at}`);
    await opened.close();
  }
  // Of this store, but from before its blob was put again.
  const healed = await open(disk);
  await healed.verify();
  assert.equal((await healed.put(blobs[1]!)).new, true);
  await healed.close();
  if (disk.namesIn('/store').includes('corrupt')) await disk.remove(LIST);
  const file = await disk.create(LIST);
  await file.write(whole, 0);
  await file.close();
  const late = await open(disk);
  assert.equal(late.corruptCount, 0);
  assert.equal((await late.put(blobs[1]!)).new, false);
  await late.close();
});

test('with more found than the list holds, a put reads what is there first', async () => {
  const { disk, blobs } = await filled(6);
  for (const group of [0, 1, 2, 3]) rot(disk, group, 'bytes');
  const first = await open(disk, 2);
  assert.equal((await first.verify()).corrupt.length, 4);
  assert.equal(first.corruptCount, 2);
  await first.close();
  const store = await open(disk, 2);
  const news = [];
  for (const blob of blobs) news.push((await store.put(blob)).new);
  assert.deepEqual(news, [true, true, true, true, false, false]);
  assert.ok(store.isKnownCorrupt(refOf(blobs[5]!)), 'until all was read');
  assert.deepEqual((await store.verify()).corrupt, []);
  assert.equal(store.isKnownCorrupt(refOf(blobs[5]!)), false);
  await store.close();
});

test('a disk that is full keeps nobody from verifying; what was found is written when there is room', async () => {
  const { disk, blobs } = await filled(3);
  rot(disk, 1, 'bytes');
  const store = await open(disk);
  disk.onOperation = (_operation, path) => (path.includes('corrupt') ? 'ENOSPC' : undefined);
  assert.equal((await store.verify()).corrupt.length, 1);
  disk.onOperation = undefined;
  await store.close();
  const again = await open(disk);
  assert.ok(again.isKnownCorrupt(refOf(blobs[1]!)));
  await again.close();
});
