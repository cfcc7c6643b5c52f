import assert from 'node:assert/strict';
import { it } from 'node:test';
import { sleep } from '#base/clock.ts';
import type { BlobRef } from '#base/ids.ts';
import { silentLogger } from '#base/logger.ts';
import { below, SeededRandom } from '#base/random.ts';
import { Registry } from '#metrics/registry.ts';
import { SimClock } from '#sim/clock.ts';
import { StoreError } from '#store/errors.ts';
import { FaultStore } from '#store/fault.ts';
import { MemoryStore } from '#store/memory.ts';
import { assertBlob, type Store, walkStore } from '#store/store.ts';
import { comparePrefixes, copyStore, PREFIXES } from './compare.ts';
import type { DurableQueue, QueuedBlob, QueueRead } from './durable-queue.ts';
import { StoreSync } from './store-sync.ts';
import type { SyncBook, SyncFailure, SyncState } from './sync-book.ts';
import { SyncMetrics } from './sync-metrics.ts';

const NAME = 'far';
const body = (n: number): Uint8Array => Buffer.from(`blob ${n}`);
const forever = new AbortController().signal;

class TestQueue implements DurableQueue {
  readonly queued: QueuedBlob[] = [];
  first = 0;
  place: number | undefined = 0;

  async add(refs: readonly BlobRef[]): Promise<void> {
    for (const ref of refs) this.queued.push({ ref, queuedMs: 0 });
  }

  readonly #clock: SimClock;

  constructor(clock: SimClock) {
    this.#clock = clock;
  }

  async read(
    _reader: string,
    options: { readonly limit: number; readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<QueueRead> {
    const { limit, waitMs, signal } = options;
    const from = Math.max(this.place ?? this.queued.length, this.first);
    if (from === this.queued.length) await sleep(this.#clock, waitMs, signal).catch(() => {});
    const blobs = this.queued.slice(from, from + limit);
    return { blobs, next: from + blobs.length, hasLost: from !== this.place };
  }

  async commit(_reader: string, next: number): Promise<void> {
    this.place = next;
  }

  async lag() {
    return { blobs: this.queued.length - (this.place ?? 0), sinceMs: 0 };
  }
}

class TestBook implements SyncBook {
  readonly failures = new Map<BlobRef, SyncFailure>();
  saved: SyncState = {
    ...{ isOwed: false, prefix: undefined, failedPrefixes: [] },
    ...{ comparedMs: 0, sampledMs: 0 },
  };

  async state(): Promise<SyncState> {
    return this.saved;
  }

  async change(_sync: string, change: Partial<SyncState>): Promise<void> {
    this.saved = { ...this.saved, ...change };
  }

  async failed(sync: string, failures: readonly { ref: BlobRef; code: string }[]): Promise<void> {
    for (const { ref, code } of failures) {
      const tries = (this.failures.get(ref)?.tries ?? 0) + 1;
      this.failures.set(ref, { sync, ref, code, firstMs: 0, lastMs: 0, tries, isCopied: false });
    }
  }

  async copied(_sync: string, refs: readonly BlobRef[]): Promise<void> {
    for (const ref of refs) {
      const known = this.failures.get(ref);
      if (known !== undefined) this.failures.set(ref, { ...known, isCopied: true });
    }
  }

  async uncopied(_sync: string, page: { readonly after?: BlobRef }): Promise<BlobRef[]> {
    const open = [...this.failures.values()].filter((one) => !one.isCopied).map(({ ref }) => ref);
    return open.filter((ref) => ref > (page.after ?? '')).sort();
  }

  async unacknowledged(): Promise<SyncFailure[]> {
    return [...this.failures.values()];
  }

  async unacknowledgedCount(): Promise<number> {
    return this.failures.size;
  }

  async acknowledge(): Promise<number> {
    return 0;
  }
}

class World {
  readonly clock = new SimClock();
  readonly random = new SeededRandom(5);
  readonly from = new MemoryStore();
  readonly to = new MemoryStore();
  readonly queue = new TestQueue(this.clock);
  readonly book = new TestBook();

  sync(stores: { from?: Store; to?: Store } = {}): StoreSync {
    const { clock, random, queue, book, from, to } = this;
    return new StoreSync({
      ...{ name: NAME, reader: 'r', from, to, ...stores, queue, book, clock, random },
      ...{ logger: silentLogger, metrics: new SyncMetrics(new Registry()) },
      ...{ compareEveryMs: 7 * 86_400_000, sampleBytes: 1_000_000 },
    });
  }

  /** Received, and in the queue. */
  async receive(from: number, to: number): Promise<BlobRef[]> {
    const refs: BlobRef[] = [];
    for (let n = from; n < to; n++) refs.push((await this.from.put(body(n))).ref);
    await this.queue.add(refs);
    return refs;
  }

  async assertEqual(): Promise<void> {
    assert.deepEqual(await namesOf(this.to), await namesOf(this.from));
  }
}

async function namesOf(store: Store): Promise<BlobRef[]> {
  const names: BlobRef[] = [];
  for await (const { ref } of walkStore(store)) names.push(ref);
  return names;
}

/** A store of which some calls are other ones. */
function changed(store: Store, calls: Partial<Store>): Store {
  const bound = Object.fromEntries(
    (['put', 'get', 'getRange', 'stat', 'list', 'remove', 'stats', 'flush', 'close'] as const).map(
      (name) => [name, (store[name] as (...words: unknown[]) => unknown).bind(store)],
    ),
  );
  return { ...(bound as unknown as Store), ...calls };
}

it('what was received is copied, and the queue is committed only then', async () => {
  const world = new World();
  await world.receive(0, 1500);
  const sync = world.sync();
  await sync.takeBatch(forever);
  assert.equal(world.queue.place, 1000);
  await sync.takeBatch(forever);
  await world.assertEqual();
  assert.equal((await world.queue.lag()).blobs, 0);
});

it('at most five blobs are copied at once', async () => {
  const world = new World();
  await world.receive(0, 100);
  let now = 0;
  let most = 0;
  const to = changed(world.to, {
    put: async (bytes, options) => {
      most = Math.max(most, ++now);
      await Promise.resolve();
      const done = await world.to.put(bytes, options);
      now--;
      return done;
    },
  });
  await world.sync({ to }).takeBatch(forever);
  assert.equal(most, 5);
});

it('while the far store is away nothing is committed or listed, and then everything comes', async () => {
  const world = new World();
  await world.receive(0, 50);
  for (const method of ['stat', 'put'] as const) {
    const rules = [{ method, kind: 'fail', percent: 100 }] as const;
    const away = world.sync({ to: new FaultStore(world.to, world, rules) });
    for (let round = 0; round < 10; round++) {
      await assert.rejects(world.clock.until(away.takeBatch(forever)), StoreError);
    }
  }
  assert.deepEqual([world.queue.place, world.book.failures.size], [0, 0]);
  await world.sync().takeBatch(forever);
  await world.assertEqual();
});

it('one blob that can never be copied is listed, keeps no other from coming, and comes when it can', async () => {
  const world = new World();
  const refs = await world.receive(0, 1200);
  const bad = refs[3]!;
  let isBad = true;
  const to = changed(world.to, {
    put: async (bytes, options) => {
      if (isBad && options?.ref === bad) throw new StoreError('STORE_S3_REFUSED', 'planted');
      return await world.to.put(bytes, options);
    },
  });
  const sync = world.sync({ to });
  for (let round = 0; round < 6; round++) {
    await world.clock.until(sync.takeBatch(forever)).catch(() => {});
  }
  assert.equal(world.queue.place, 1200);
  assert.deepEqual(
    [...world.book.failures.values()].map(({ ref, code }) => [ref, code]),
    [[bad, 'STORE_S3_REFUSED']],
  );
  await world.clock.until(sync.retry(forever));
  assert.equal(world.book.failures.get(bad)?.isCopied, false);
  isBad = false;
  await world.clock.until(sync.retry(forever));
  assert.equal(world.book.failures.get(bad)?.isCopied, true);
  await world.assertEqual();
});

it('a blob that is rotten here is listed at once, and one removed since is not', async () => {
  const world = new World();
  const [rotten, gone] = (await world.receive(0, 3)) as [BlobRef, BlobRef];
  await world.from.remove([gone]);
  const from = changed(world.from, {
    get: async (ref, options) => {
      if (ref === rotten) assertBlob(ref, body(99));
      return await world.from.get(ref, options);
    },
  });
  await world.sync({ from }).takeBatch(forever);
  assert.equal(world.queue.place, 3);
  assert.deepEqual([...world.book.failures.keys()], [rotten]);
  assert.equal((await namesOf(world.to)).length, 1);
});

it('what the queue let go unread is found by a comparison', async () => {
  const world = new World();
  await world.receive(0, 400);
  world.queue.first = 300;
  const sync = world.sync();
  await sync.takeBatch(forever);
  assert.equal((await namesOf(world.to)).length, 100);
  assert.equal(world.book.saved.isOwed, true);
  await sync.care(forever);
  await world.assertEqual();
  assert.deepEqual([world.book.saved.isOwed, world.book.saved.prefix], [false, undefined]);
});

it('a comparison goes on with other prefixes when one fails, and the failed one is retried', async () => {
  const world = new World();
  await world.receive(0, 400);
  let failures = 3;
  const broken = changed(world.to, {
    list: async (options) => {
      const isThird = options?.after?.startsWith('sha256-7f') === true;
      if (isThird && failures-- > 0) throw new StoreError('STORE_READ_FAILED', 'planted');
      return await world.to.list(options);
    },
  });
  const sync = world.sync({ to: broken });
  await world.clock.until(sync.compare(forever));
  assert.equal(world.book.saved.failedPrefixes.length, 64);
  const there = (await namesOf(world.to)).length;
  assert.ok(there > 200 && there < 400, `${there} were copied`);
  await world.clock.until(sync.retry(forever));
  await world.assertEqual();
  assert.deepEqual(world.book.saved.failedPrefixes, []);
});

it('an attempt at a prefix that failed is made again, and its copies are counted once', async () => {
  const world = new World();
  await world.receive(0, 300);
  let flushes = 0;
  const to = changed(world.to, {
    flush: async () => {
      if (flushes++ === 0) throw new StoreError('STORE_WRITE_FAILED', 'planted');
    },
  });
  const pair = { from: world.from, to, clock: world.clock };
  const done = await world.clock.until(comparePrefixes(pair, { first: 0, end: PREFIXES }));
  assert.deepEqual([done.seen, done.copied], [300, 300]);
});

it('a comparison that was interrupted goes on where it ended, and one that always fails gives up', async () => {
  const world = new World();
  await world.receive(0, 200);
  const rules = [{ method: 'list', kind: 'fail', percent: 100 }] as const;
  const away = world.sync({ to: new FaultStore(world.to, world, rules) });
  await assert.rejects(world.clock.until(away.compare(forever)), { code: 'STORE_READ_FAILED' });
  assert.deepEqual([world.book.saved.prefix, world.book.saved.failedPrefixes], [0, []]);
  world.book.saved = { ...world.book.saved, prefix: 128 };
  await world.sync().compare(forever);
  const names = await namesOf(world.to);
  assert.ok(names.length > 0 && names.every((ref) => ref >= 'sha256-80'));
});

it('a sample finds what is rotten at the far side, mends it, and lists it', async () => {
  const world = new World();
  const refs = await world.receive(0, 20);
  await world.sync().takeBatch(forever);
  const rotten = new Set([refs[4]!]);
  const to = changed(world.to, {
    get: async (ref, options) => {
      if (rotten.has(ref)) assertBlob(ref, body(99));
      return await world.to.get(ref, options);
    },
    remove: async (wanted) => {
      for (const ref of wanted) rotten.delete(ref);
      return await world.to.remove(wanted);
    },
  });
  const sync = world.sync({ to });
  for (let hour = 0; hour < 20 && world.book.failures.size === 0; hour++) {
    await sync.sample(forever);
  }
  const [found] = world.book.failures.values();
  assert.deepEqual(
    [found?.ref, found?.code, found?.isCopied],
    [refs[4], 'STORE_CORRUPT_BLOB', true],
  );
  assert.ok((await to.get(refs[4]!)).byteLength > 0, 'it is sound now');
});

it('a sync that is interrupted a hundred times, with faults on both sides, converges', async (t) => {
  const world = new World();
  const { random, clock } = world;
  let received = 0;
  let interrupted = 0;
  const faults = (store: Store) =>
    new FaultStore(store, world, [
      { method: 'put', kind: 'lose', percent: 4 },
      { method: 'put', kind: 'fail', percent: 4 },
      { method: 'get', kind: 'fail', percent: 4 },
      { method: 'list', kind: 'fail', percent: 4 },
      { method: 'put', kind: 'delay', percent: 30, delayMs: 40 },
    ]);
  while (interrupted < 100) {
    await world.receive(received, received + 7);
    received += 7;
    // Now and then the queue lets go of some, and once more of all.
    if (below(random, 4) === 0) world.queue.first = below(random, world.queue.queued.length);
    const stop = new AbortController();
    clock.after(below(random, 3000), () => stop.abort());
    const sync = world.sync({ from: faults(world.from), to: faults(world.to) });
    await clock.until(sync.run(stop.signal));
    interrupted++;
  }
  const sync = world.sync();
  for (let turn = 0; turn < 8; turn++) {
    await clock.until(sync.takeBatch(forever));
    await clock.until(sync.care(forever));
  }
  await clock.until(sync.retry(forever));
  t.diagnostic(`${received} blobs, ${interrupted} interruptions`);
  await world.assertEqual();
});

it('copyStore() tells which parts it could not compare, and fails when it can compare none', async () => {
  const world = new World();
  await world.receive(0, 100);
  const list = (percent: number) => [{ method: 'list', kind: 'fail', percent }] as const;
  const away = new FaultStore(world.to, world, list(100));
  const { clock } = world;
  await assert.rejects(world.clock.until(copyStore(world.from, away, { clock })), {
    code: 'STORE_READ_FAILED',
  });
  const third = changed(world.to, {
    list: async (options) => {
      if (options?.after?.startsWith('sha256-7f') === true) {
        throw new StoreError('STORE_READ_FAILED', 'planted');
      }
      return await world.to.list(options);
    },
  });
  const done = await clock.until(copyStore(world.from, third, { clock }));
  assert.deepEqual(done.failedPrefixes, [{ first: 128, end: 192 }]);
});
