import assert from 'node:assert/strict';
import { it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { SystemClock } from '#base/clock.ts';
import { below, SeededRandom } from '#base/random.ts';
import { type FaultRule, FaultStore } from '#store/fault.ts';
import { MemoryStore } from '#store/memory.ts';
import { describeStore } from '#store/store.conformance.ts';
import { readStore, refOf } from '#store/store.ts';
import { PlacedStore } from './placed.ts';
import { byFreeSpace, byHash, byRendezvous, inOrder, type Placement } from './placement.ts';

const parts = (count: number, from: readonly MemoryStore[] = []) =>
  Array.from({ length: count }, (_, at) => {
    const store = from[at] ?? new MemoryStore();
    const freeBytes = async () => 1e6 - (await store.stats()).bytes;
    return { name: `disk-${at}`, store, freeBytes };
  });

const POLICIES: Record<string, Placement> = { byHash, byRendezvous, byFreeSpace, inOrder };
for (const [name, placement] of Object.entries(POLICIES)) {
  describeStore(`placed ${name}`, async () => ({
    store: new PlacedStore(parts(3), placement),
    reopen: undefined,
    dispose: async () => {},
  }));
}

for (const [name, placement, most] of [
  ['rendezvous', byRendezvous, 0.3],
  ['hash', byHash, 0.9],
] as const) {
  it(`by ${name}: a store that is added takes its share, and every blob is found before and after`, async () => {
    const four = parts(4);
    const old = new PlacedStore(four, placement);
    const blobs = Array.from({ length: 400 }, (_, n) => utf8(`blob ${n}`));
    for (const blob of blobs) await old.put(blob);
    for (const { store } of four) {
      assert.ok((await store.stats()).blobs > 60, `${(await store.stats()).blobs} of 400`);
    }
    const five = parts(
      5,
      four.map(({ store }) => store),
    );
    const grown = new PlacedStore(five, placement);
    for (const blob of blobs) assert.equal(refOf(await grown.get(refOf(blob))), refOf(blob));
    assert.equal((await grown.put(blobs[0]!)).new, false, 'it is put once, wherever it lies');
    const { moved, failed } = await grown.rebalance();
    assert.deepEqual(failed, []);
    assert.ok(moved > 40 && moved < most * 400, `${moved} of 400 moved`);
    assert.equal((await grown.rebalance()).moved, 0);
    assert.equal((await grown.stats()).blobs, 400, 'none lies twice');
    assert.equal((await grown.list({ limit: 1000 })).length, 400);
  });
}

it('by free space: the emptier one is filled first', async () => {
  const two = parts(2);
  await two[0]!.store.put(new Uint8Array(5000));
  const store = new PlacedStore(two, byFreeSpace);
  for (let n = 0; n < 4; n++) await store.put(new Uint8Array(1000).fill(n + 1));
  assert.equal((await two[1]!.store.stats()).blobs, 4);
});

it('a part that cannot answer is not taken for one that has nothing', async () => {
  const clock = new SystemClock();
  const away = new FaultStore(new MemoryStore(), { clock, random: new SeededRandom(1) }, []);
  const store = new PlacedStore([{ name: 'a', store: away }, ...parts(1)], inOrder);
  const { ref } = await store.put(utf8('blob'));
  away.rules = (['get', 'stat', 'list', 'remove'] as const).map((method) => ({
    ...{ method, kind: 'fail', percent: 100 },
  }));
  const failed = { code: 'STORE_READ_FAILED' };
  await assert.rejects(store.get(ref), failed);
  await assert.rejects(store.stat([ref]), failed);
  await assert.rejects(store.list(), failed);
  await assert.rejects(store.remove([ref]), failed);
});

it('blobs are moved, put and removed at once without loss or return, over many seeds', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new SeededRandom(seed);
    const three = parts(3);
    const blobs = Array.from({ length: 30 }, (_, n) => utf8(`${seed} ${n}`));
    const before = new PlacedStore(three.slice(0, 2), byRendezvous);
    for (const blob of blobs) await before.put(blob);
    // Answers in another order than the questions.
    const slow = (['put', 'get', 'stat', 'remove'] as const).map((method) => ({
      ...{ method, kind: 'delay', percent: 40, delayMs: 1 },
    })) as FaultRule[];
    const world = { clock: new SystemClock(), random };
    const parted = three.map((one) => ({ ...one, store: new FaultStore(one.store, world, slow) }));
    const store = new PlacedStore(parted, byRendezvous);
    const there = new Set(blobs.map(refOf));
    const change = async (blob: Uint8Array): Promise<void> => {
      if (below(random, 2) === 0) {
        there.delete(refOf(blob));
        await store.remove([refOf(blob)]);
      } else {
        await store.put(blob);
        there.add(refOf(blob));
      }
    };
    const own = blobs.filter(() => below(random, 2) === 0);
    const [{ failed }] = await Promise.all([store.rebalance(), ...own.map(change)]);
    assert.deepEqual(failed, []);
    const left = (await store.list()).map(({ ref }) => ref);
    assert.deepEqual(left, [...there].sort(), `seed ${seed}`);
    const read = new Set<string>();
    for await (const { ref, body } of readStore(store)) {
      assert.equal(refOf(body!), ref);
      read.add(ref);
    }
    assert.deepEqual([...read].sort(), left);
  }
});
