import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { type Clock, SystemClock, sleep } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { SeededRandom, SystemRandom } from '#base/random.ts';
import { SimClock } from '#sim/clock.ts';
import { SimDisk } from '#sim/disk.ts';
import { storeConfig } from '#store/config.ts';
import { describeStore } from '#store/store.conformance.ts';
import { refOf } from '#store/store.ts';
import { BlobIndex } from './blob-index.ts';
import { PackedStore, type PackedWorld } from './packed.ts';

describeStore('packed', async () => {
  const root = await mkdtemp(join(tmpdir(), 'swarmkeep-store-'));
  const world: PackedWorld = {
    folder: `${root}/store`,
    disk: new SystemDisk(),
    clock: new SystemClock(),
    random: new SystemRandom(),
    config: storeConfig.parse({ noRushMsMax: 5 }),
  };
  const store = await PackedStore.open(world);
  return {
    store,
    reopen: async () => {
      await store.close();
      return PackedStore.open(world);
    },
    dispose: () => rm(root, { recursive: true, force: true }),
  };
});

function simulated(disk: SimDisk, config: object = {}): PackedWorld {
  return {
    folder: '/store',
    disk,
    clock: new SystemClock(),
    random: new SeededRandom(9),
    config: storeConfig.parse({ noRushMsMax: 1, ...config }),
  };
}

it('a pack has the bytes its format says', async () => {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  const store = await PackedStore.open(simulated(disk));
  await store.put(utf8('golden'));
  await store.put(utf8('in a series'), { series: { name: 'a file', order: 0x030201 } });
  const bytes = Buffer.from(disk.bytesOf('/store/0000000001.pack'));
  assert.equal(bytes.subarray(0, 4).toString(), 'SKP1');
  assert.equal(bytes.readUInt16LE(8), 2);
  assert.equal(bytes.subarray(512, 584).toString('hex'), GOLDEN_RECORD);
  assert.equal(bytes.subarray(1032, 1040).toString('hex'), '010102030b000000');
  assert.equal(bytes.subarray(1072, 1088).toString('hex'), GOLDEN_PLACES);
  await store.close();
});
const GOLDEN_RECORD =
  '534b4231234867c90100000006000000' +
  'dd56de4137951d9c92681b03416ec15f886b4482a27e3a517d32f085244cbe5d' +
  '00020000000000000002000000000000' +
  '676f6c64656e0000';
/** CRC32 of "a file" is 0x1e70bb54. */
const GOLDEN_PLACES = '00040000000054bb000400000000701e';

it('every flipped bit of a store that ended in order is found, and no wrong byte is given', async () => {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  const path = '/store/0000000001.pack';
  const blobs = [utf8('one'), utf8('second blob'), new Uint8Array(0)];
  const store = await PackedStore.open(simulated(disk));
  for (const blob of blobs) await store.put(blob);
  await store.close();
  const whole = disk.bytesOf(path);
  for (let at = 0; at < whole.byteLength; at++) {
    const bytes = whole.slice();
    bytes[at]! ^= 1 << (at % 8);
    disk.damage(path, bytes);
    const opened = await PackedStore.open(simulated(disk));
    const { corrupt, damage } = await opened.verify();
    const found = corrupt.length + damage.length > 0;
    const isMark = at >= whole.byteLength - 512;
    assert.equal(found, !isMark, `byte ${at}`);
    // The lone header costs nothing: the records tell what it said. The mark is cut as a tail, alone.
    if (at < 512 || isMark) {
      assert.deepEqual([(await opened.stats()).blobs, corrupt], [3, []], `byte ${at}`);
    }
    for (const { ref } of await opened.list()) {
      const got: Uint8Array | undefined = await opened.get(ref).catch(() => undefined);
      if (got !== undefined) assert.equal(refOf(got), ref);
    }
    if (corrupt.length > 0) {
      const healed = blobs.find((blob) => refOf(blob) === corrupt[0]);
      assert.equal((await opened.put(healed!)).new, true);
      assert.deepEqual((await opened.verify()).corrupt, []);
    }
    await opened.close();
    for (const name of disk.namesIn('/store')) {
      if (/^[0-9]+\.pack$/.test(name) && `/store/${name}` !== path)
        await disk.remove(`/store/${name}`);
    }
  }
});

it('compaction gives back the space of removed blobs and keeps removals in force', async () => {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  const world = simulated(disk, { packBytesMax: 65_536, writeBytesMax: 16_384 });
  const store = await PackedStore.open(world);
  const random = new SeededRandom(2);
  const blobs = Array.from({ length: 200 }, () => random.bytes(4096));
  await Promise.all(blobs.map((blob) => store.put(blob)));
  const before = (await store.stats()).storedBytes;
  await store.remove(blobs.slice(0, 150).map(refOf));
  const { packs, freedBytes, kept } = await store.compact();
  assert.ok(packs > 5 && freedBytes > before / 2, `${packs} packs, ${freedBytes} bytes`);
  assert.deepEqual(kept, []);
  await store.close();
  const again = await PackedStore.open(world);
  assert.equal((await again.verify()).blobs, 50);
  await again.close();
});

it('a stream that compaction overtakes misses no blob', async () => {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  const world = simulated(disk, { packBytesMax: 65_536, writeBytesMax: 16_384 });
  const store = await PackedStore.open(world);
  const random = new SeededRandom(6);
  const blobs = Array.from({ length: 60 }, () => random.bytes(8192));
  for (const blob of blobs) await store.put(blob);
  const gone = blobs.filter((_, at) => at % 2 === 0).map(refOf);
  const seen = new Set<string>();
  let count = 0;
  for await (const { ref } of store.stream()) {
    seen.add(ref);
    if (++count !== 3) continue;
    await store.remove(gone);
    assert.ok((await store.compact()).packs > 2);
  }
  for (const { ref } of await store.list()) assert.ok(seen.has(ref), ref);
  await store.close();
});

it('a stream misses no blob of a pack that is moved and not yet removed', async () => {
  const clock = new SimClock();
  const disk = new SimDisk({ random: new SeededRandom(1), clock });
  const config = { packBytesMax: 65_536, writeBytesMax: 16_384 };
  const store = await clock.until(PackedStore.open({ ...simulated(disk, config), clock }));
  const random = new SeededRandom(6);
  const blobs = Array.from({ length: 20 }, () => random.bytes(8192));
  for (const blob of blobs) await clock.until(store.put(blob));
  const stream = store.stream();
  const first = await clock.until(stream.next());
  const seen = new Set<string>([first.value?.ref ?? '']);
  disk.delayOf = (operation) => (operation === 'remove' ? 1e9 : 1);
  await clock.until(store.remove(blobs.slice(1, 4).map(refOf)));
  const compacting = store.compact();
  await clock.until(sleep(clock, 1000));
  for (;;) {
    const next = await clock.until(stream.next());
    if (next.done === true) break;
    seen.add(next.value.ref);
  }
  for (const { ref } of await store.list()) assert.ok(seen.has(ref), ref);
  await clock.until(compacting);
  await clock.until(store.close());
});

it('few packs stay open, however many there are and however many are read at once', async () => {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  const world = simulated(disk, { packBytesMax: 65_536, openPacksMax: 3 });
  const store = await PackedStore.open(world);
  const random = new SeededRandom(6);
  const blobs = Array.from({ length: 80 }, () => random.bytes(16_384));
  for (const blob of blobs) await store.put(blob);
  assert.ok(disk.namesIn('/store').length > 15);
  let seen = 0;
  let samples = 0;
  // While something is under way, not after it.
  disk.onOperation = () => {
    seen = Math.max(seen, store.openPacks);
    samples++;
    return undefined;
  };
  for (const blob of blobs) {
    assert.deepEqual(Buffer.from(await store.get(refOf(blob))), Buffer.from(blob));
  }
  assert.equal(seen, 3, 'as many as there may be');
  await Promise.all(blobs.map((blob) => store.get(refOf(blob))));
  for await (const _ of store.stream());
  assert.equal(seen, 3);
  assert.ok(samples > 160, `${samples} samples`);
  disk.onOperation = undefined;
  await store.close();
  const again = await PackedStore.open(world);
  assert.ok(again.openPacks <= 3, `${again.openPacks} are open`);
  await again.close();
});

it('a read whose pack compaction takes away before it is open finds the blob in its new place', async () => {
  const clock = new SimClock();
  const disk = new SimDisk({ random: new SeededRandom(1), clock });
  const config = { packBytesMax: 65_536, openPacksMax: 2 };
  const store = await clock.until(PackedStore.open({ ...simulated(disk, config), clock }));
  const random = new SeededRandom(6);
  const blobs = Array.from({ length: 20 }, () => random.bytes(16_384));
  for (const blob of blobs) await clock.until(store.put(blob));
  await clock.until(store.remove([refOf(blobs[0]!), refOf(blobs[1]!)]));
  disk.delayOf = (operation) => (operation === 'datasync' ? 1e5 : 1);
  const compacting = store.compact();
  await clock.until(sleep(clock, 1000));
  // Everything is copied and waits for its sync. Other packs are read, until this one is closed.
  for (const blob of blobs.slice(8)) await clock.until(store.get(refOf(blob)));
  disk.delayOf = (operation) => (operation === 'open' ? 1e6 : 1);
  const read = store.get(refOf(blobs[2]!));
  const stream = (async () => {
    let count = 0;
    for await (const _ of store.stream()) count++;
    return count;
  })();
  assert.equal((await clock.until(compacting)).packs, 1);
  assert.deepEqual(Buffer.from(await clock.until(read)), Buffer.from(blobs[2]!));
  assert.ok((await clock.until(stream)) >= 18);
  await clock.until(store.close());
});

it('a write that fails is refused and never found; the next one is taken', async () => {
  for (const failing of ['write', 'datasync']) {
    const disk = new SimDisk({ random: new SeededRandom(3) });
    const store = await PackedStore.open(simulated(disk));
    await store.put(utf8('before'));
    let once = true;
    disk.onOperation = (operation) => {
      if (operation !== failing || !once) return undefined;
      once = false;
      return 'EIO';
    };
    await assert.rejects(store.put(utf8('refused')), { code: 'STORE_WRITE_FAILED' });
    await store.put(utf8('after'));
    const again = await PackedStore.open(simulated(disk.crash()));
    const refs = (await again.list()).map(({ ref }) => ref);
    assert.deepEqual(refs, [refOf(utf8('before')), refOf(utf8('after'))].sort());
    await again.close();
  }
});

it('a sync that fails takes the group that was written behind it along, and no other', async () => {
  for (const failing of ['write', 'datasync']) {
    for (let nth = 1; nth < 14; nth++) {
      const disk = new SimDisk({ random: new SeededRandom(nth) });
      const store = await PackedStore.open(simulated(disk, { writeBytesMax: 4096 }));
      let calls = 0;
      disk.onOperation = (operation) =>
        operation === failing && ++calls === nth ? 'EIO' : undefined;
      const blobs = Array.from({ length: 40 }, (_, n) => new Uint8Array(1000).fill(n));
      const puts = await Promise.allSettled(blobs.map((blob) => store.put(blob)));
      const kept = blobs.filter((_, at) => puts[at]?.status === 'fulfilled').map(refOf);
      assert.ok(kept.length >= 30, `${kept.length} of 40 were taken`);
      disk.onOperation = undefined;
      kept.push((await store.put(utf8('after'))).ref);
      const expected = kept.toSorted();
      assert.deepEqual(
        (await store.list()).map(({ ref }) => ref),
        expected,
        `${failing} ${nth}`,
      );
      const again = await PackedStore.open(simulated(disk.crash()));
      assert.deepEqual(
        (await again.list()).map(({ ref }) => ref),
        expected,
        `${failing} ${nth}`,
      );
      for (const ref of kept) assert.equal(refOf(await again.get(ref)), ref);
      await again.close();
    }
  }
});

it('puts without hurry wait for no clock once as much waits as is written at once', async () => {
  const disk = new SimDisk({ random: new SeededRandom(5) });
  const still: Clock = {
    nowMs: () => 0,
    monotonicMs: () => 0,
    after: () => ({ cancel: () => {} }),
  };
  const store = await PackedStore.open({
    ...simulated(disk, { writeBytesMax: 4096 }),
    clock: still,
  });
  const random = new SeededRandom(8);
  const puts = Array.from({ length: 5 }, () => store.put(random.bytes(1000), { noRush: true }));
  assert.deepEqual(
    (await Promise.all(puts)).map((put) => put.new),
    puts.map(() => true),
  );
  await store.close();
});

it('the next group is being synced before anybody of the one before is answered', async () => {
  const clock = new SimClock();
  const disk = new SimDisk({ random: new SeededRandom(5), clock });
  const world = { ...simulated(disk, { writeBytesMax: 4096 }), clock };
  const store = await clock.until(PackedStore.open(world));
  disk.delayOf = (operation) => (operation === 'datasync' ? 10 : 1);
  let syncs = 0;
  disk.onOperation = (operation) => {
    if (operation === 'datasync') syncs++;
    return undefined;
  };
  const random = new SeededRandom(8);
  const seen: number[] = [];
  const put = async () => {
    await store.put(random.bytes(1900));
    seen.push(syncs);
  };
  // Two of them are a group.
  await clock.until(Promise.all(Array.from({ length: 8 }, put)));
  assert.deepEqual(seen, [2, 2, 3, 3, 4, 4, 4, 4]);
  await clock.until(store.close());
});

it('the index agrees with a sorted map, and takes at most 60 bytes per blob when it is large', () => {
  const random = new SeededRandom(4);
  const index = new BlobIndex();
  const model = new Map<string, number>();
  for (let n = 0; n < 6000; n++) {
    const hash = random.bytes(32);
    // Half of them crowd together, as hashes that somebody picked would.
    if (n % 2 === 0) hash.fill(n % 4 === 0 ? 255 : 0, 0, 3);
    hash[4] = n % 5 === 0 ? 0 : hash[4]!;
    const key = Buffer.from(hash).toString('hex');
    index.set(hash, { pack: 1, position: n * 8, bytes: n });
    model.set(key, n);
    if (n % 3 === 0) {
      const gone = [...model.keys()][0]!;
      assert.ok(index.delete(Buffer.from(gone, 'hex')));
      model.delete(gone);
    }
  }
  const keys = [...model.keys()].sort();
  const listed = index.page(undefined, 1e9).map(({ hash }) => Buffer.from(hash).toString('hex'));
  assert.deepEqual(listed, keys);
  for (const key of keys) assert.equal(index.get(Buffer.from(key, 'hex'))?.bytes, model.get(key));
  const large = new BlobIndex();
  for (let n = 0; n < 100_000; n++) large.set(random.bytes(32), { pack: 1, position: 8, bytes: 1 });
  assert.ok(large.memoryBytes / large.count <= 60, `${large.memoryBytes / large.count} bytes`);
});
