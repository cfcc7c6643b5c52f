// What other logs have lost or served wrong, each as a scene that this one has to play right.
// docs/crash-tests.md has the whole list, with the tests that stand elsewhere.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { SimDisk } from '#sim/disk.ts';
import { LogWorld } from '#sim/log-world.ts';

const FIRST = '/log/events/00000000000000000000.log';
const MARK = '/log/events/mark';
const BATCH_BYTES = 512;
/** Each loss of power of a simulated disk turns out in another way. */
const CRASHES = 20;

/** Opens what twenty losses of power at this moment leave, one after the other. */
async function afterEachCrash(
  world: LogWorld,
  disk: SimDisk,
  check: () => Promise<void>,
): Promise<void> {
  for (let nth = 0; nth < CRASHES; nth++) {
    world.lines.length = 0;
    await world.reopen(disk.crash());
    await check();
    assert.deepEqual(
      world.lines.filter(({ level }) => level === 'error'),
      [],
    );
  }
}

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, nth) => `${nth}`);
}

/** Ten records of one batch each, closed in order. */
async function filled(): Promise<LogWorld> {
  const world = await LogWorld.open();
  for (const text of numbers(10)) await world.append(text);
  await world.close();
  return world;
}

it('a full segment is on disk before the next one is made, answered from memory or not', async () => {
  const world = await LogWorld.open({ segmentBytesMax: 4096, intervalMs: 60_000 }, 'memory');
  const { disk } = world;
  let isNext = false;
  disk.onOperation = (operation, path) => {
    isNext ||= operation === 'create' && path.endsWith('.log') && path !== FIRST;
    return undefined;
  };
  let count = 0;
  for (; !isNext; count++) await world.append(`${count}`, 'memory');
  // The last one went into the new segment and waits for a sync.
  await afterEachCrash(world, disk, async () => {
    assert.deepEqual((await world.texts()).slice(0, count - 1), numbers(count - 1));
  });
});

it('a log closed in order is on disk, answered from memory or not', async () => {
  const world = await LogWorld.open({ intervalMs: 60_000 }, 'memory');
  for (const text of numbers(5)) await world.append(text, 'memory');
  await world.close();
  await afterEachCrash(world, world.disk, async () => {
    assert.deepEqual(await world.texts(), numbers(5));
  });
});

it('an append that waits for the timed sync gets it without another append', async () => {
  const world = await LogWorld.open({ intervalMs: 50 }, 'interval');
  await world.append('0', 'interval');
  await afterEachCrash(world, world.disk, async () => {
    assert.deepEqual(await world.texts(), ['0']);
  });
});

it('a topic that was made is there after a loss of power, with its options', async () => {
  const world = await LogWorld.open();
  const options = { consistency: 'durable', bytesMax: 4096, whenFull: 'removeOldest' } as const;
  await world.until(world.log.createTopic('ring', options));
  await afterEachCrash(world, world.disk, async () => {
    for (let nth = 0; nth < 12; nth++) {
      await world.until(world.log.append('ring', [{ value: new Uint8Array(900) }]));
    }
    const { bytes, nextOffset } = await world.until(world.log.stats('ring'));
    assert.deepEqual([bytes <= 4096, nextOffset], [true, 12]);
  });
});

it('a file that grew before its data, by zeros, garbage or an old block, loses and adds nothing', async () => {
  const world = await filled();
  const good = world.disk.bytesOf(FIRST);
  const mark = world.disk.bytesOf(MARK);
  const old = good.subarray(BATCH_BYTES, 3 * BATCH_BYTES);
  const garbage = new Uint8Array(900).map((_, nth) => (nth * 151 + 7) & 0xff);
  for (const added of [
    new Uint8Array(2000),
    garbage,
    old,
    new Uint8Array(1),
    old.subarray(0, 77),
  ]) {
    const bytes = new Uint8Array(good.byteLength + added.byteLength);
    bytes.set(good);
    bytes.set(added, good.byteLength);
    world.disk.damage(FIRST, bytes);
    await world.reopen();
    assert.deepEqual(await world.texts(), numbers(10));
    await world.append('after');
    assert.deepEqual(await world.texts(), [...numbers(10), 'after']);
    await world.close();
    const said = world.lines.filter(({ level }) => level === 'error');
    assert.deepEqual(said, [], 'a torn tail is no damage');
    world.disk.damage(MARK, mark);
  }
});

it('one flipped byte anywhere in a segment costs the batch that it hit, and no other', async () => {
  const world = await filled();
  const good = world.disk.bytesOf(FIRST);
  for (let at = 0; at < good.byteLength; at += 61) {
    const hit = Math.floor(at / BATCH_BYTES) - 1;
    const rest = numbers(10).filter((text) => text !== `${hit}`);
    world.flip('00000000000000000000.log', at);
    await world.reopen();
    const found = await world.texts();
    const isWhole = found.length === 10;
    assert.deepEqual(found, isWhole ? numbers(10) : rest, `byte ${at}`);
    await world.close();
    world.disk.damage(FIRST, good);
  }
});

it('an index that is made again over damage leads to every good batch', async () => {
  const world = await LogWorld.open({ segmentBytesMax: 4096 });
  for (const text of numbers(10)) await world.append(text);
  await world.close();
  const index = '/log/events/00000000000000000000.index';
  assert.ok(world.disk.bytesOf(index).byteLength > 0);
  world.disk.damage(index, new Uint8Array(0));
  world.flip('00000000000000000000.log', 3 * BATCH_BYTES + 70);
  await world.reopen();
  assert.deepEqual(
    await world.texts(),
    numbers(10).filter((text) => text !== '2'),
  );
  assert.deepEqual((await world.texts(5))[0], '5');
});

it('a batch that was written in the place of another is never served at a wrong offset', async () => {
  const world = await filled();
  const good = world.disk.bytesOf(FIRST);
  for (const [from, to] of [
    [7, 2],
    [2, 7],
  ] as const) {
    const bytes = good.slice();
    const at = (nth: number): number => BATCH_BYTES * (1 + nth);
    bytes.set(good.subarray(at(from), at(from + 1)), at(to));
    world.disk.damage(FIRST, bytes);
    await world.reopen();
    const { records, gaps, nextOffset } = await world.read();
    for (const { offset, value } of records) {
      assert.equal(new TextDecoder().decode(value), `${offset}`);
    }
    const lost = gaps.reduce((sum, { first, next }) => sum + next - first, 0);
    assert.deepEqual([records.length + lost, nextOffset], [10, 10], 'what is missing is told');
    await world.close();
  }
});
