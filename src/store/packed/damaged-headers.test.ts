// What is left of a packed store whose headers are damaged: everything that can be read, told by name.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import { SeededRandom } from '#base/random.ts';
import { SimDisk } from '#sim/disk.ts';
import { storeConfig } from '#store/config.ts';
import { refOf } from '#store/store.ts';
import { PackedStore, type PackedWorld } from './packed.ts';

const pathOf = (pack: number): string => `/store/${String(pack).padStart(10, '0')}.pack`;

class World {
  readonly disk = new SimDisk({ random: new SeededRandom(1) });
  readonly blobs: readonly Uint8Array[];

  readonly #storeSeed: number;

  constructor(count: number, storeSeed = 9) {
    this.#storeSeed = storeSeed;
    const random = new SeededRandom(2);
    this.blobs = Array.from({ length: count }, () => random.bytes(3000));
  }

  open(): Promise<PackedStore> {
    const config = storeConfig.parse({ noRushMsMax: 1, packBytesMax: 65_536, writeBytesMax: 8192 });
    const world: PackedWorld = {
      ...{ folder: '/store', disk: this.disk, clock: new SystemClock() },
      ...{ random: new SeededRandom(this.#storeSeed), config },
    };
    return PackedStore.open(world);
  }

  /** Closed in order, with these blobs in packs of about twenty. */
  async fill(): Promise<void> {
    const store = await this.open();
    for (const blob of this.blobs) await store.put(blob);
    await store.close();
  }

  packs(): string[] {
    return this.disk.namesIn('/store').filter((name) => name.endsWith('.pack'));
  }

  change(pack: number, run: (bytes: Buffer) => Uint8Array): void {
    const bytes = Buffer.from(this.disk.bytesOf(pathOf(pack)));
    this.disk.damage(pathOf(pack), Uint8Array.from(run(bytes)));
  }

  async assertHolds(store: PackedStore, blobs = this.blobs): Promise<void> {
    const refs = (await store.list()).map(({ ref }) => ref);
    assert.deepEqual(refs, blobs.map(refOf).sort());
    for (const blob of blobs) assert.deepEqual(await store.get(refOf(blob)), Buffer.from(blob));
  }
}

test('with the header of every pack overwritten every blob is there, and goes to sound packs', async () => {
  for (const fill of [0, 0xff]) {
    const world = new World(60);
    await world.fill();
    const packs = world.packs().length;
    assert.ok(packs >= 3);
    for (let pack = 1; pack <= packs; pack++) {
      world.change(pack, (bytes) => bytes.fill(fill, 0, 512));
    }
    const store = await world.open();
    assert.equal(store.damage.length, packs);
    assert.deepEqual(store.damage[0], { pack: 1, start: 0, end: 512 });
    await world.assertHolds(store);
    const more = new SeededRandom(7).bytes(100);
    await store.put(more);
    await store.close();
    const again = await world.open();
    assert.equal(again.damage.length, packs, 'told until it is mended');
    await world.assertHolds(again, [...world.blobs, more]);
    assert.equal((await again.compact()).packs, packs);
    assert.deepEqual([...again.damage], []);
    await again.close();
    const mended = await world.open();
    assert.deepEqual([...mended.damage], []);
    await world.assertHolds(mended, [...world.blobs, more]);
    await mended.close();
  }
});

test('the store id alone overwritten, in a lone pack of one blob, costs nothing', async () => {
  const world = new World(1);
  await world.fill();
  world.change(1, (bytes) => bytes.fill(0, 16, 32));
  const store = await world.open();
  assert.deepEqual([...store.damage], [{ pack: 1, start: 0, end: 512 }]);
  await world.assertHolds(store);
  await store.close();
});

test('a damaged header and a damaged first record leave the records behind them', async () => {
  const world = new World(5);
  await world.fill();
  world.change(1, (bytes) => bytes.fill(0xff, 0, 600));
  const store = await world.open();
  await world.assertHolds(store, world.blobs.slice(1));
  assert.ok(store.damage.some(({ start }) => start === 512));
  await store.close();
});

test('a lone pack without a byte, and one of noise, open as empty, are told, and are not written to', async () => {
  for (const bytes of [new Uint8Array(0), new SeededRandom(3).bytes(5000)]) {
    const world = new World(3);
    await world.fill();
    world.change(1, () => bytes);
    const store = await world.open();
    assert.ok(store.damage.length > 0);
    await world.assertHolds(store, []);
    for (const blob of world.blobs) assert.equal((await store.put(blob)).new, true);
    await store.close();
    assert.deepEqual(world.disk.bytesOf(pathOf(1)), bytes, 'nothing was done to it');
    const again = await world.open();
    await world.assertHolds(again);
    await again.compact();
    assert.equal(world.packs().length, bytes.byteLength === 0 ? 1 : 2, 'what cannot be read stays');
    await again.close();
  }
});

test('a last pack of another store is read, and nothing is cut from it', async () => {
  const [world, other] = [new World(2), new World(3, 10)];
  await world.fill();
  await other.fill();
  const foreign = Buffer.from(other.disk.bytesOf(pathOf(1)));
  const file = await world.disk.create(pathOf(2));
  await file.write(foreign, 0);
  await file.datasync();
  await file.close();
  const store = await world.open();
  await world.assertHolds(store, other.blobs);
  const more = new SeededRandom(7).bytes(100);
  await store.put(more);
  await store.close();
  const again = await world.open();
  assert.deepEqual([...again.damage], []);
  await world.assertHolds(again, [...other.blobs, more]);
  await again.close();
});

test('reserve, cut notes and lock are no part of what is stored', async () => {
  const world = new World(60);
  await world.fill();
  for (const name of world.disk.namesIn('/store')) {
    if (!name.endsWith('.pack')) await world.disk.remove(`/store/${name}`);
  }
  const store = await world.open();
  assert.deepEqual([...store.damage], []);
  await world.assertHolds(store);
  await store.close();
});

test('compaction lets go of damage only when it is told to, and saves what can be read', async () => {
  const world = new World(30);
  await world.fill();
  // The record of the first blob cannot be told, the body of the second is wrong.
  world.change(1, (bytes) => {
    bytes[520]! ^= 1;
    bytes[512 + 3584 + 100]! ^= 1;
    return bytes;
  });
  const store = await world.open();
  const [first, second] = world.blobs as [Uint8Array, Uint8Array];
  assert.deepEqual((await store.verify()).corrupt.toSorted(), [refOf(first), refOf(second)].sort());
  // Most of the pack is dead, so that compaction wants it.
  await store.remove(world.blobs.slice(4, 19).map(refOf));
  const { kept, packs } = await store.compact();
  assert.deepEqual([kept, packs], [[1], 0], 'left alone');
  assert.ok(world.packs().includes('0000000001.pack'));
  assert.deepEqual((await store.verify()).corrupt.toSorted(), [refOf(first), refOf(second)].sort());
  const { givenUp } = await store.compact({ givesUp: true });
  assert.deepEqual(givenUp, [refOf(second)]);
  assert.deepEqual([...store.damage], []);
  await store.close();
  const again = await world.open();
  assert.deepEqual([...again.damage], []);
  assert.ok(!world.packs().includes('0000000001.pack'));
  await world.assertHolds(again, [first, ...world.blobs.slice(2, 4), ...world.blobs.slice(19)]);
  await again.close();
});
