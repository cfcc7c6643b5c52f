import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import type { BlobRef } from '#base/ids.ts';
import { SeededRandom } from '#base/random.ts';
import { DirectoryStore } from '#store/directory.ts';
import { type FaultRule, FaultStore } from '#store/fault.ts';
import { MemoryStore } from '#store/memory.ts';
import { describeStore } from '#store/store.conformance.ts';
import { refOf, type Store } from '#store/store.ts';
import { CacheStore } from './cache.ts';
import { orderFile } from './order-file.ts';

const clock = new SystemClock();
const disk = new SystemDisk();

function faulty(store: Store, rules: readonly FaultRule[] = []): FaultStore {
  return new FaultStore(store, { clock, random: new SeededRandom(5) }, rules);
}

const always = (method: FaultRule['method'], kind: FaultRule['kind']): FaultRule => ({
  ...{ method, kind, percent: 100 },
});

async function made(bytesMax: number, smallBytesMax = 0) {
  const near = new MemoryStore();
  const far = faulty(new MemoryStore());
  const trouble: unknown[] = [];
  const onTrouble = (error: unknown) => trouble.push(error);
  const cache = await CacheStore.open({ near, far, bytesMax, smallBytesMax, onTrouble });
  return { cache, near, far, trouble };
}

const blob = (n: number, bytes = 100) => new Uint8Array(bytes).fill(n);
const kept = async (near: Store) => (await near.list()).map(({ ref }) => ref).sort();

describeStore('cache', async () => {
  const root = await mkdtemp(join(tmpdir(), 'swarmkeep-cache-'));
  const open = async () =>
    CacheStore.open({
      near: await DirectoryStore.open({ folder: `${root}/near`, disk }),
      far: await DirectoryStore.open({ folder: `${root}/far`, disk }),
      ...{ bytesMax: 10_000, smallBytesMax: 100, order: orderFile(disk, `${root}/near`) },
    });
  const store = await open();
  return {
    store,
    reopen: async () => {
      await store.close();
      return open();
    },
    dispose: () => rm(root, { recursive: true, force: true }),
  };
});

it('what was used least lately goes first, and the bound holds', async () => {
  const { cache, near } = await made(350);
  for (let n = 0; n < 3; n++) await cache.put(blob(n));
  await holds(near, refOf(blob(2)));
  await cache.get(refOf(blob(0)));
  await cache.put(blob(3));
  await holds(near, refOf(blob(3)));
  assert.deepEqual(await kept(near), [0, 2, 3].map((n) => refOf(blob(n))).sort());
  assert.deepEqual(cache.counts, { hits: 1, misses: 0, bytes: 300 });
  await cache.get(refOf(blob(1)));
  assert.equal(cache.counts.misses, 1);
});

it('small blobs stay longer than large ones, up to a tenth of the room', async () => {
  const { cache, near } = await made(10_000, 10);
  await cache.put(blob(1, 10));
  for (let n = 2; n < 40; n++) await cache.put(blob(n, 1000));
  await holds(near, refOf(blob(39, 1000)));
  assert.ok((await kept(near)).includes(refOf(blob(1, 10))));
  for (let n = 40; n < 200; n++) await cache.put(blob(n, 10));
  await holds(near, refOf(blob(199, 10)));
  assert.ok(!(await kept(near)).includes(refOf(blob(1, 10))));
  assert.ok(cache.counts.bytes <= 10_000);
});

it('many that ask for one blob cost one read of the far store', async () => {
  const inner = new MemoryStore();
  let reads = 0;
  const get = inner.get.bind(inner);
  inner.get = (ref, options) => {
    reads++;
    return get(ref, options);
  };
  const cache = await CacheStore.open({
    ...{ near: new MemoryStore(), far: faulty(inner, [{ ...always('get', 'delay'), delayMs: 5 }]) },
    ...{ bytesMax: 1000, smallBytesMax: 0 },
  });
  const { ref } = await inner.put(blob(1));
  const signal = AbortSignal.timeout(1);
  const given = cache.get(ref, { signal }).catch((error: { code: string }) => error.code);
  const all = await Promise.all(Array.from({ length: 20 }, () => cache.get(ref)));
  assert.equal(reads, 1);
  assert.equal(await given, 'STORE_CANCELLED');
  all[0]!.fill(9);
  assert.equal(refOf(all[1]!), ref, 'each has bytes of its own');
  assert.equal(refOf(await cache.get(ref)), ref);
});

it('a near store that fails is told of and costs nothing but time', async () => {
  const far = new MemoryStore();
  const trouble: unknown[] = [];
  const near = faulty(new MemoryStore());
  const onTrouble = (error: unknown) => trouble.push(error);
  const cache = await CacheStore.open({ near, far, bytesMax: 250, smallBytesMax: 0, onTrouble });
  await cache.put(blob(1));
  await holds(near, refOf(blob(1)));
  near.rules = [always('get', 'flip')];
  assert.equal(refOf(await cache.get(refOf(blob(1)))), refOf(blob(1)));
  near.rules = [always('put', 'fail'), always('remove', 'fail'), always('get', 'fail')];
  for (let n = 2; n < 6; n++) await cache.put(blob(n));
  for (let n = 1; n < 6; n++) assert.equal(refOf(await cache.get(refOf(blob(n)))), refOf(blob(n)));
  assert.equal(await cache.remove([refOf(blob(1))]), 1);
  await assert.rejects(cache.get(refOf(blob(1))), { code: 'STORE_BLOB_MISSING' });
  assert.ok(trouble.length > 2);
});

it('a far store that fails is told, but what is near is given', async () => {
  const { cache, near, far } = await made(1000);
  await cache.put(blob(1));
  await holds(near, refOf(blob(1)));
  far.rules = [always('get', 'fail'), always('put', 'fail'), always('remove', 'fail')];
  assert.equal(refOf(await cache.get(refOf(blob(1)))), refOf(blob(1)));
  await assert.rejects(cache.put(blob(2)), { code: 'STORE_WRITE_FAILED' });
  await assert.rejects(cache.remove([refOf(blob(1))]), { code: 'STORE_WRITE_FAILED' });
  await assert.rejects(cache.get(refOf(blob(2))), { code: 'STORE_READ_FAILED' });
});

it('what is removed while it is on its way to the near store is not kept there', async () => {
  const near = faulty(new MemoryStore(), [{ ...always('put', 'delay'), delayMs: 5 }]);
  const cache = await CacheStore.open({
    ...{ near, far: new MemoryStore(), bytesMax: 1000, smallBytesMax: 0 },
  });
  await cache.put(blob(1));
  await cache.remove([refOf(blob(1))]);
  await new Promise((go) => setTimeout(go, 10));
  assert.deepEqual(await near.list(), []);
  assert.equal(cache.counts.bytes, 0);
});

it('the order outlives the process; a smaller bound is kept at once', async () => {
  const root = await mkdtemp(join(tmpdir(), 'swarmkeep-cache-'));
  try {
    const far = new MemoryStore();
    far.close = async () => {};
    const open = async (bytesMax: number) => {
      const near = await DirectoryStore.open({ folder: root, disk });
      const order = orderFile(disk, root);
      return {
        near,
        cache: await CacheStore.open({ near, far, bytesMax, order, smallBytesMax: 0 }),
      };
    };
    const first = await open(1000);
    for (let n = 1; n <= 5; n++) await first.cache.put(blob(n));
    await holds(first.near, refOf(blob(5)));
    for (const n of [4, 2]) await first.cache.get(refOf(blob(n)));
    await first.cache.close();
    const second = await open(200);
    assert.deepEqual(await kept(second.near), [2, 4].map((n) => refOf(blob(n))).sort());
    await second.cache.close();
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});

/** The near store is written after the answer. */
async function holds(near: Store, ref: BlobRef): Promise<void> {
  for (let n = 0; n < 6000 && (await near.stat([ref])).length === 0; n++) {
    await new Promise((go) => setTimeout(go, 5));
  }
}
