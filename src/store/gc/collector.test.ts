import assert from 'node:assert/strict';
import { it } from 'node:test';
import { codeOf } from '#base/errors.ts';
import type { BlobRef } from '#base/ids.ts';
import { SeededRandom } from '#base/random.ts';
import { SimClock } from '#sim/clock.ts';
import { SimDisk } from '#sim/disk.ts';
import { StoreError } from '#store/errors.ts';
import { MemoryStore } from '#store/memory.ts';
import { describeStore } from '#store/store.conformance.ts';
import { refOf, type Store } from '#store/store.ts';
import { type CollectOptions, Collector } from './collector.ts';
import { GuardedStore } from './guard.ts';
import { Marks } from './marks.ts';
import type { RootSource } from './roots.ts';

const AGE_MS = 86_400_000;
const body = (n: number): Uint8Array => Buffer.from(`blob ${n}`);
const refs = (from: number, to: number): BlobRef[] =>
  Array.from({ length: to - from }, (_, n) => refOf(body(from + n)));

class World {
  readonly clock = new SimClock();
  readonly disk = new SimDisk({ random: new SeededRandom(1) });
  readonly below = new MemoryStore();
  needed: readonly BlobRef[] = [];
  store!: GuardedStore;
  collector!: Collector;
  /** Since when the machine runs, by the clock that only goes on; undefined tells nothing of it. */
  bootedMs: number | undefined;
  bootId = 'first';

  static async open(blobs: number, rootsMax = 1_000_000): Promise<World> {
    const world = new World();
    await world.reopen(rootsMax);
    for (let n = 0; n < blobs; n++) await world.below.put(body(n));
    return world;
  }

  async reopen(rootsMax = 1_000_000, below: Store = this.below): Promise<void> {
    this.store = new GuardedStore(below, await Marks.open({ disk: this.disk, folder: '/marks' }));
    const roots = [this.#roots()];
    const { store, clock } = this;
    const { bootedMs, bootId: id } = this;
    const boot = { id, uptimeMs: () => clock.monotonicMs() - (bootedMs ?? 0) };
    const world = { store, roots, clock, ageMs: AGE_MS, rootsMax };
    this.collector = new Collector(bootedMs === undefined ? world : { ...world, boot });
  }

  /** What was removed, when all goes well. */
  async collect(options?: CollectOptions): Promise<number> {
    return (await this.collector.collect(options)).removed.blobs;
  }

  async there(wanted: readonly BlobRef[]): Promise<number> {
    return (await this.below.stat(wanted)).length;
  }

  #roots(): RootSource {
    const needed = (): readonly BlobRef[] => this.needed;
    return {
      name: 'test',
      async *refs() {
        yield* needed();
      },
    };
  }
}

describeStore('guarded', async () => {
  const world = await World.open(0);
  return { store: world.store, reopen: undefined, dispose: async () => {} };
});

it('what nothing refers to is marked, and removed when a day later it still is so', async () => {
  const world = await World.open(10);
  world.needed = refs(0, 4);
  const first = await world.collector.collect();
  assert.deepEqual([first.seen.blobs, first.reachable.blobs, first.marked.blobs], [10, 4, 6]);
  world.clock.advance(AGE_MS - 1);
  world.needed = refs(0, 5);
  assert.equal(await world.collect(), 0);
  world.clock.advance(1);
  const last = await world.collector.collect();
  assert.deepEqual([last.removed.blobs, last.waiting.blobs], [5, 0]);
  assert.equal(last.removed.bytes, 5 * 'blob 5'.length);
  assert.equal(await world.there(refs(0, 5)), 5);
  assert.equal(await world.there(refs(5, 10)), 0);
  assert.equal(await world.collect(), 0, 'nothing is left to do');
});

it('a reference that comes and goes begins the day anew', async () => {
  const world = await World.open(2);
  world.needed = refs(0, 1);
  await world.collect();
  world.clock.advance(AGE_MS / 2);
  world.needed = refs(0, 2);
  await world.collect();
  world.needed = refs(0, 1);
  world.clock.advance(AGE_MS / 2);
  assert.equal(await world.collect(), 0);
  world.clock.advance(AGE_MS);
  assert.equal(await world.collect(), 1);
});

it('a put or a stat between mark and removal keeps the blob for a day, also after a restart', async () => {
  const world = await World.open(4);
  world.needed = refs(0, 1);
  await world.collect();
  world.clock.advance(AGE_MS);
  assert.equal((await world.store.put(body(1))).new, false);
  assert.equal((await world.store.stat(refs(2, 3))).length, 1);
  await world.reopen();
  assert.equal(await world.collect(), 1);
  assert.equal(await world.there(refs(0, 3)), 3);
  world.clock.advance(AGE_MS);
  assert.equal(await world.collect(), 2);
});

it('a put and a stat that cross a removal of their blob wait, and the put is made again', async () => {
  const world = await World.open(3);
  world.needed = refs(0, 1);
  const gate = Promise.withResolvers<void>();
  const answers = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  let isSlow = false;
  const slow: Store = Object.assign(Object.create(world.below) as Store, {
    // They look before the removal, and answer after it.
    put: async (bytes: Uint8Array) => {
      const found = await world.below.put(bytes);
      if (isSlow) await answers.promise;
      return found;
    },
    stat: async (wanted: readonly BlobRef[]) => {
      const found = await world.below.stat(wanted);
      if (isSlow) await answers.promise;
      return found;
    },
    list: (options: object) => world.below.list(options),
    remove: async (wanted: readonly BlobRef[]) => {
      begun.resolve();
      await gate.promise;
      return await world.below.remove(wanted);
    },
  });
  await world.reopen(1000, slow);
  await world.collect();
  world.clock.advance(AGE_MS);
  isSlow = true;
  const early = world.store.put(body(1));
  const asked = world.store.stat(refs(2, 3));
  const collecting = world.collect();
  await begun.promise;
  const late = world.store.put(body(1));
  answers.resolve();
  gate.resolve();
  await collecting;
  await Promise.all([early, late]);
  assert.equal(await world.there(refs(1, 2)), 1, 'both puts were told that it is there');
  assert.deepEqual(await asked, [], 'the stat was asked again');
});

it('what was put since the look at it is not swept, nor after a pass that was cancelled', async () => {
  const world = await World.open(3);
  world.needed = refs(0, 1);
  await world.collect();
  world.clock.advance(AGE_MS);
  await world.store.put(body(1));
  assert.deepEqual(await world.store.sweep(refs(1, 2)), []);
  const stop = new AbortController();
  const cancelled = world.collector.collect({ signal: stop.signal });
  stop.abort();
  await assert.rejects(cancelled, { code: 'STORE_CANCELLED' });
  assert.equal(await world.collect(), 1);
  assert.equal(await world.there(refs(0, 2)), 2);
});

it('a source of roots that fails, or is cut short by a signal, ends it with nothing removed', async () => {
  const world = await World.open(5);
  await world.collect({ markOnly: true });
  world.clock.advance(AGE_MS);
  const broken: RootSource = {
    name: 'broken',
    // biome-ignore lint/correctness/useYield: it fails before.
    async *refs() {
      throw new Error('the table is gone');
    },
  };
  const stop = new AbortController();
  const short: RootSource = {
    name: 'short',
    async *refs() {
      yield* refs(0, 1);
      stop.abort();
    },
  };
  const { store, clock } = world;
  for (const [source, code] of [
    [broken, 'STORE_ROOTS_UNREADABLE'],
    [short, 'STORE_CANCELLED'],
  ] as const) {
    const parts = { store, clock, ageMs: AGE_MS, rootsMax: 1000 };
    const collector = new Collector({ ...parts, roots: [source] });
    const signal = stop.signal;
    await assert.rejects(collector.collect({ signal }), { code });
  }
  assert.equal(await world.there(refs(0, 5)), 5);
});

it('when nothing refers to anything it refuses, unless that is said to be right', async () => {
  const world = await World.open(2);
  await world.collect({ markOnly: true });
  world.clock.advance(AGE_MS);
  await assert.rejects(world.collect(), { code: 'STORE_ROOTS_EMPTY' });
  const { due, removed } = await world.collector.collect({ dryRun: true });
  assert.deepEqual([due.blobs, removed.blobs], [2, 0]);
  assert.equal(await world.collect({ withoutRoots: true }), 2);
});

it('a dry run changes nothing, also no mark; marking alone removes nothing', async () => {
  const world = await World.open(3);
  world.needed = refs(0, 1);
  await world.collector.collect({ dryRun: true });
  assert.equal(await world.disk.stat('/marks'), undefined);
  await world.collect();
  world.clock.advance(AGE_MS);
  const dry = await world.collector.collect({ dryRun: true });
  const marked = await world.collector.collect({ markOnly: true });
  for (const found of [dry, marked]) {
    assert.deepEqual([found.due.blobs, found.removed.blobs], [2, 0]);
  }
  assert.equal(await world.collect(), 2, 'the marks are as old as they were');
});

it('cancelled anywhere it goes on there, and the marks that it made hold', async () => {
  const world = await World.open(3500);
  world.needed = refs(0, 10);
  for (const pages of [1, 2]) {
    const stop = new AbortController();
    const work = world.collector.collect({
      signal: stop.signal,
      onProgress: ({ seen }) => seen >= pages * 1000 && stop.abort(),
    });
    await assert.rejects(work, { code: 'STORE_CANCELLED' });
  }
  await world.reopen();
  const rest = await world.collector.collect();
  assert.deepEqual([rest.isWhole, rest.seen.blobs], [false, 500]);
  world.clock.advance(AGE_MS);
  const whole = await world.collector.collect();
  assert.deepEqual([whole.isWhole, whole.removed.blobs], [true, 3490]);
});

it('a removal that fails leaves marks and place, and the next collection removes', async () => {
  const world = await World.open(1500);
  world.needed = refs(0, 1);
  await world.collect();
  world.clock.advance(AGE_MS);
  let failures = 1;
  const failing: Store = Object.assign(Object.create(world.below) as Store, {
    list: (options: object) => world.below.list(options),
    remove: (wanted: readonly BlobRef[]) => {
      if (failures-- > 0) throw new StoreError('STORE_WRITE_FAILED', 'planted');
      return world.below.remove(wanted);
    },
  });
  await world.reopen(1000, failing);
  await assert.rejects(world.collect(), { code: 'STORE_WRITE_FAILED' });
  assert.equal(await world.collect(), 1499);
});

it('names taken in many stretches, because the roots do not fit, give the same result', async () => {
  const world = await World.open(6000, 1000);
  world.needed = refs(0, 4000);
  await world.collect();
  world.clock.advance(AGE_MS);
  const { roots, removed, reachable } = await world.collector.collect();
  assert.deepEqual([reachable.blobs, removed.blobs], [4000, 2000]);
  assert.ok(roots >= 4 * 4000, `${roots} references were read`);
  assert.equal(await world.there(refs(0, 4000)), 4000);
});

it('a clock that is set forward makes no blob older', async () => {
  const world = await World.open(2);
  world.needed = refs(0, 1);
  await world.collect();
  world.clock.jump(365 * AGE_MS);
  assert.equal(await world.collect(), 0);
  world.clock.advance(AGE_MS);
  assert.equal(await world.collect(), 1);
});

it('a clock that is set forward while no program runs makes no blob older', async () => {
  for (const byMs of [AGE_MS, 365 * AGE_MS]) {
    const world = await World.open(3);
    world.bootedMs = 0;
    await world.reopen();
    world.needed = refs(0, 1);
    await world.collect();
    world.clock.advance(1000);
    world.clock.jump(byMs);
    await world.reopen();
    assert.equal(await world.collect(), 0);
    // Nor does the next start of the machine, which knows of the jump from what was written down.
    world.clock.advance(AGE_MS / 2);
    world.bootedMs = world.clock.monotonicMs();
    world.bootId = 'second';
    await world.reopen();
    assert.equal(await world.collect(), 0);
    await world.below.put(body(7));
    assert.equal(await world.collect(), 0);
    world.clock.advance(AGE_MS / 2 - 1000);
    await world.reopen();
    assert.equal(
      await world.collect(),
      2,
      'what was there a day ago goes, what came since does not',
    );
    world.clock.advance(AGE_MS / 2 + 1000);
    assert.equal(await world.collect(), 1, 'and is not kept for ever');
  }
});

it('a clock that is set forward during a collection makes no blob older', async () => {
  const world = await World.open(2);
  world.needed = refs(0, 1);
  await world.collect();
  world.clock.advance(1000);
  const { list } = world.below;
  world.below.list = async (options) => {
    world.clock.jump(2 * AGE_MS);
    return await list.call(world.below, options);
  };
  assert.equal(await world.collect(), 0);
  world.below.list = list;
  assert.equal(await world.collect(), 0);
});

it('a machine that tells another uptime under the same name keeps garbage a day longer at most', async () => {
  const world = await World.open(2);
  world.bootedMs = 0;
  await world.reopen();
  world.needed = refs(0, 1);
  world.clock.advance(30 * AGE_MS);
  await world.collect();
  world.clock.advance(AGE_MS);
  world.bootedMs = world.clock.monotonicMs();
  await world.reopen();
  assert.equal(await world.collect(), 0);
  world.clock.advance(AGE_MS);
  assert.equal(await world.collect(), 1);
});

it('a clock that was behind, or ahead for a while, keeps nothing longer than a day', async () => {
  for (const steps of [
    [-365 * AGE_MS, 365 * AGE_MS],
    [365 * AGE_MS, -365 * AGE_MS],
  ]) {
    const world = await World.open(2);
    world.bootedMs = 0;
    world.needed = refs(0, 1);
    for (const step of [0, ...steps]) {
      world.clock.jump(step);
      await world.reopen();
      assert.equal(await world.collect(), 0);
      world.clock.advance(1000);
    }
    world.clock.advance(AGE_MS - 1000);
    await world.reopen();
    assert.equal(await world.collect(), 1);
  }
});

it('a clock that was ahead until the machine was started again keeps nothing for years', async () => {
  const world = await World.open(2);
  world.bootedMs = 0;
  await world.reopen();
  world.needed = refs(0, 1);
  await world.collect();
  world.clock.jump(3650 * AGE_MS);
  await world.reopen();
  assert.equal(await world.collect(), 0);
  world.clock.jump(-3650 * AGE_MS);
  world.clock.advance(1000);
  world.bootedMs = world.clock.monotonicMs();
  world.bootId = 'second';
  await world.reopen();
  let removed = await world.collect();
  for (let days = 0; days < 2; days++) {
    world.clock.advance(AGE_MS);
    removed += await world.collect();
  }
  assert.equal(removed, 1);
});

it('what was written down of the clock and cannot be read costs the knowledge alone', async () => {
  for (const text of ['', '{', 'null', '{"boot":"first","offsetMs":0,"jumps":[null]}']) {
    const world = await World.open(2);
    world.bootedMs = 0;
    await world.reopen();
    world.needed = refs(0, 1);
    await world.collect();
    await world.store.marks.writeClock(text);
    world.clock.advance(AGE_MS);
    await world.reopen();
    assert.equal(await world.collect(), 1);
  }
});

it('only one collection runs at a time', async () => {
  const world = await World.open(10);
  world.needed = refs(0, 1);
  const first = world.collect();
  const second = await world.collect().catch(codeOf);
  assert.equal(second, 'STORE_COLLECTING');
  await first;
});
