import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { type Clock, SystemClock } from '#base/clock.ts';
import { SeededRandom } from '#base/random.ts';
import { SimClock } from '#sim/clock.ts';
import { type FaultRule, FaultStore } from '#store/fault.ts';
import { MemoryStore } from '#store/memory.ts';
import { describeStore } from '#store/store.conformance.ts';
import { refOf, type Store } from '#store/store.ts';
import { ReplicaStore, type ReplicaTrouble } from './replica.ts';

const clock = new SystemClock();

function made(writesMin = 2, raceMs = 5, faultClock: Clock = clock) {
  const random = new SeededRandom(7);
  const stores = Array.from({ length: 3 }, () => new MemoryStore());
  const faults = stores.map((store) => new FaultStore(store, { clock: faultClock, random }, []));
  const trouble: ReplicaTrouble[] = [];
  const onTrouble = (one: ReplicaTrouble) => trouble.push(one);
  const store = new ReplicaStore(faults, { clock, writesMin, raceMs, onTrouble });
  return { store, stores, faults, trouble };
}

const always = (method: FaultRule['method'], kind: FaultRule['kind']): FaultRule => ({
  ...{ method, kind, percent: 100 },
});

describeStore('replica 2 of 3', async () => ({
  store: made().store,
  reopen: undefined,
  dispose: async () => {},
}));

it('a put is answered when enough have it, and the others get it all the same', async () => {
  const slow = new SimClock();
  const { store, stores, faults } = made(2, 5, slow);
  faults[2]!.rules = [{ ...always('put', 'delay'), delayMs: 50 }];
  const { ref } = await store.put(utf8('blob'));
  const there = await Promise.all(stores.map((one) => one.stat([ref])));
  assert.deepEqual(
    there.map(({ length }) => length),
    [1, 1, 0],
  );
  faults[2]!.rules = [];
  slow.advance(50);
  const last = stores[2] as Store;
  while ((await last.stat([ref])).length === 0) await new Promise((go) => setTimeout(go, 5));
});

it("the bytes of a put are the caller's again when it is answered, while others still write them", async () => {
  const slow = new SimClock();
  const { store, stores, faults } = made(2, 5, slow);
  faults[2]!.rules = [{ ...always('put', 'delay'), delayMs: 50 }];
  const bytes = utf8('blob');
  const { ref } = await store.put(bytes, { sha256: async (own) => hash('sha256', own, 'buffer') });
  bytes.fill(0);
  slow.advance(50);
  const last = stores[2] as Store;
  while ((await last.stat([ref])).length === 0) await new Promise((go) => setTimeout(go, 5));
  assert.deepEqual(await last.get(ref), utf8('blob'));
});

it('a put that too few take is refused, and is not found anywhere later', async () => {
  const { store, stores, faults, trouble } = made();
  await stores[0]!.put(utf8('there before'));
  for (const at of [1, 2]) faults[at]!.rules = [always('put', 'fail')];
  await assert.rejects(store.put(utf8('blob')), { code: 'STORE_WRITE_FAILED' });
  await assert.rejects(store.put(utf8('there before')), { code: 'STORE_WRITE_FAILED' });
  assert.deepEqual(trouble.map(({ at, what }) => `${at} ${what}`).sort(), [
    '1 write-failed',
    '1 write-failed',
    '2 write-failed',
    '2 write-failed',
  ]);
  for (const rules of faults) rules.rules = [];
  assert.deepEqual(
    (await store.list()).map(({ ref }) => ref),
    [refOf(utf8('there before'))],
  );
});

for (const [kind, what] of [
  ['fail', 'read-failed'],
  ['flip', 'corrupt'],
] as const) {
  it(`a read goes on to the next when one answers with ${kind}`, async () => {
    const { store, faults, trouble } = made(3);
    const { ref } = await store.put(utf8('blob'));
    for (const at of [0, 1]) faults[at]!.rules = [always('get', kind)];
    assert.equal(refOf(await store.get(ref)), ref);
    assert.deepEqual(
      trouble.slice(0, 2).map((one) => one.what),
      [what, what],
    );
    faults[2]!.rules = [always('get', kind)];
    const code = kind === 'fail' ? 'STORE_READ_FAILED' : 'STORE_CORRUPT_BLOB';
    await assert.rejects(store.get(ref), { code });
  });
}

it('a slow one is raced by the next', async () => {
  const { store, faults } = made(3, 1);
  const { ref } = await store.put(utf8('blob'));
  faults[0]!.rules = [{ ...always('get', 'delay'), delayMs: 60_000 }];
  assert.equal(refOf(await store.get(ref)), ref);
});

it('who lacks a blob that is read gets it back; a removed one stays removed', async () => {
  const { store, stores, trouble } = made(3);
  const { ref } = await store.put(utf8('blob'));
  await stores[0]!.remove([ref]);
  await store.get(ref);
  await store.close();
  assert.deepEqual(
    trouble.map(({ at, what }) => `${at} ${what}`),
    ['0 missing', '0 healed'],
  );
  const second = made(3);
  await second.store.put(utf8('blob'));
  await second.stores[0]!.remove([ref]);
  for (const at of [1, 2])
    second.faults[at]!.rules = [{ ...always('remove', 'delay'), delayMs: 20 }];
  // The read finds the blob while its removal is under way: giving it back must not win.
  const removing = second.store.remove([ref]);
  await second.store.get(ref);
  await removing;
  await new Promise((go) => setTimeout(go, 5));
  assert.deepEqual(await second.store.list(), []);
});

it('with fewer away than must take a put, the others know every blob; with more nobody guesses', async () => {
  const { store, faults } = made(2);
  const { ref } = await store.put(utf8('blob'));
  faults[0]!.rules = [always('stat', 'fail'), always('list', 'fail')];
  assert.equal((await store.stat([ref])).length, 1);
  assert.equal((await store.list()).length, 1);
  faults[1]!.rules = faults[0]!.rules;
  await assert.rejects(store.stat([ref]), { code: 'STORE_READ_FAILED' });
  await assert.rejects(store.list(), { code: 'STORE_READ_FAILED' });
});

it('a removal that one of them cannot make is told, and can be made again', async () => {
  const { store, faults } = made(2);
  const { ref } = await store.put(utf8('blob'));
  faults[1]!.rules = [always('remove', 'fail')];
  await assert.rejects(store.remove([ref]), { code: 'STORE_WRITE_FAILED' });
  faults[1]!.rules = [];
  assert.equal(await store.remove([ref]), 1);
  assert.deepEqual(await store.list(), []);
});

it('a copy lies in the same series as the others', async () => {
  const told: unknown[] = [];
  const stores = [0, 1].map(() => {
    const store = new MemoryStore();
    const put = store.put.bind(store);
    store.put = (source, options) => {
      told.push(options?.series);
      return put(source, options);
    };
    return store;
  });
  const replica = new ReplicaStore(stores, { clock: new SystemClock(), writesMin: 2, raceMs: 1 });
  const series = { name: 'file', order: 3 };
  await replica.put(utf8('segment'), { series });
  assert.deepEqual(told, [series, series]);
  await replica.close();
});
