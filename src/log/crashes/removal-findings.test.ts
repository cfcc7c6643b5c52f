// What the crash tests found in the removal of old segments, each as a scene of its own.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { codeOf } from '#base/errors.ts';
import type { TopicOptions } from '#log/log.ts';
import type { SimDisk, SimOperation } from '#sim/disk.ts';
import { LogWorld } from '#sim/log-world.ts';

const LOOK_MS = 1000;
const WAYS = 12;
const FOLDER = '/log/young';

async function worldWith(options: TopicOptions): Promise<LogWorld> {
  const world = await LogWorld.open({ retentionEveryMs: LOOK_MS, scrubBytesPerSecond: 0 });
  await world.until(world.log.createTopic('young', { consistency: 'durable', ...options }));
  return world;
}

function append(world: LogWorld): Promise<unknown> {
  return world.until(world.log.append('young', [{ value: utf8('a') }]));
}

/** Fails the first operation that fits, once. */
function failOnce(disk: SimDisk, fits: (operation: SimOperation, path: string) => boolean): void {
  disk.onOperation = (operation, path) => {
    if (!fits(operation, path)) return undefined;
    disk.onOperation = undefined;
    return 'EIO';
  };
}

/** Losses of power at one operation of what `run` does in the topic's folder, each another way. */
async function crashesAt(
  world: LogWorld,
  { point, ways }: { readonly point: number; readonly ways: number },
  run: () => Promise<unknown>,
): Promise<SimDisk[]> {
  const { disk } = world;
  const ends: SimDisk[] = [];
  let left = point;
  disk.onOperation = (_, path) => {
    if (!path.startsWith(FOLDER) || left-- !== 0) return undefined;
    for (let nth = 0; nth < ways; nth++) ends.push(disk.crash());
    return undefined;
  };
  void run().catch(() => {});
  for (let turn = 0; turn < 40 && ends.length === 0; turn++) await world.clock.run(50);
  return ends;
}

it('a topic whose only segment was cut back to nothing knows its next offset after any crash', async () => {
  for (let point = 0; point < 8; point++) {
    const world = await worldWith({ ageMsMax: 10 });
    await append(world);
    await append(world);
    await world.clock.run(3 * LOOK_MS);
    assert.equal((await world.until(world.log.stats('young'))).firstOffset, 2);
    failOnce(world.disk, (operation, path) => operation === 'datasync' && path.endsWith('2.log'));
    await assert.rejects(append(world), (error) => codeOf(error) === 'LOG_APPEND_FAILED');
    // Not waited for: in the world that ended it never resolves.
    const again = () => world.log.append('young', [{ value: utf8('a') }]);
    for (const end of await crashesAt(world, { point, ways: 6 }, again)) {
      world.lines.length = 0;
      await world.reopen(end);
      const { firstOffset, nextOffset } = await world.until(world.log.stats('young'));
      assert.ok(firstOffset === 2 && nextOffset >= 2, `${firstOffset} to ${nextOffset}`);
      const said = world.lines.filter(({ level }) => level === 'error');
      assert.deepEqual(said, [], `operation ${point}`);
    }
  }
});

it('a removal that could not be synced is synced before the next one, so that no hole comes of it', async () => {
  let removed = 0;
  for (let point = 1; point < 5; point++) {
    const world = await worldWith({ recordsMax: 1 });
    for (let nth = 0; nth < 5; nth++) await append(world);
    let isGone = false;
    failOnce(world.disk, (operation, path) => {
      isGone ||= operation === 'remove' && path.endsWith('.log');
      return isGone && operation === 'syncFolder' && path === FOLDER;
    });
    await world.clock.run(LOOK_MS + 100);
    assert.equal((await world.until(world.log.stats('young'))).firstOffset, 1, 'it has stopped');
    const look = () => world.clock.run(LOOK_MS);
    for (const end of await crashesAt(world, { point, ways: 30 }, look)) {
      await world.reopen(end);
      const { gaps, records } = await world.until(world.log.read('young', { from: 'beginning' }));
      assert.deepEqual(gaps, [], `operation ${point}`);
      if (records.length < 4) removed++;
    }
  }
  assert.ok(removed > 0, 'the next look was reached');
});

it('where a topic begins never goes back, also not by a kill and a loss of power after it', async () => {
  const world = await worldWith({ recordsMax: 1 });
  for (let nth = 0; nth < 3; nth++) await append(world);
  let killed: SimDisk | undefined;
  world.disk.onOperation = (operation, path) => {
    if (operation === 'syncFolder' && path === FOLDER) killed ??= world.disk.kill();
    return undefined;
  };
  for (let turn = 0; turn < 100 && killed === undefined; turn++) await world.clock.run(50);
  assert.ok(killed !== undefined);
  const names = killed.namesIn(FOLDER);
  await world.reopen(killed);
  const { firstOffset } = await world.until(world.log.stats('young'));
  assert.ok(names.some((name) => name.endsWith(`${firstOffset}.log`)));
  for (let nth = 0; nth < WAYS; nth++) {
    await world.reopen(world.disk.crash());
    assert.equal((await world.until(world.log.stats('young'))).firstOffset, firstOffset);
  }
});

it('who reads from the beginning or from a time is never told that it was removed', async () => {
  const world = await worldWith({ recordsMax: 1 });
  for (let nth = 0; nth < 12; nth++) await append(world);
  const reads: Promise<unknown>[] = [];
  let isReading = false;
  world.disk.onOperation = (operation, path) => {
    if (isReading || operation === 'read' || operation === 'open') return undefined;
    if (!path.startsWith(FOLDER)) return undefined;
    isReading = true;
    for (const from of ['beginning', { timeMs: 0 }] as const) {
      reads.push(world.log.read('young', { from }));
    }
    isReading = false;
    return undefined;
  };
  await world.clock.run(2 * LOOK_MS);
  world.disk.onOperation = undefined;
  assert.ok(reads.length > 40, `${reads.length} reads`);
  await world.until(Promise.all(reads));
});

it('a read that removals overtake stops before them, and tells of no damage', async () => {
  const world = await worldWith({ recordsMax: 1 });
  for (let nth = 0; nth < 12; nth++) await append(world);
  world.disk.delayOf = (operation) => (operation === 'read' ? 20 : 1);
  const reads: ReturnType<typeof world.log.read>[] = [];
  let isReading = false;
  world.disk.onOperation = (operation, path) => {
    if (isReading || !['remove', 'syncFolder', 'stat'].includes(operation)) return undefined;
    if (!path.startsWith(FOLDER)) return undefined;
    isReading = true;
    reads.push(world.log.read('young', { from: 'beginning' }));
    isReading = false;
    return undefined;
  };
  await world.clock.run(2 * LOOK_MS);
  world.disk.onOperation = undefined;
  let overtaken = 0;
  for (const { records, gaps, nextOffset } of await world.until(Promise.all(reads))) {
    assert.deepEqual(gaps, []);
    const first = records[0]?.offset ?? nextOffset;
    assert.equal(nextOffset - first, records.length, 'without a hole');
    if (nextOffset < 12) overtaken++;
  }
  assert.ok(overtaken > 0, 'no read was overtaken');
});
