// Rewriting sealed segments, on a simulated disk that loses power.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { codeOf } from '#base/errors.ts';
import { type LogLine, memoryLogger } from '#base/logger.ts';
import { below, SeededRandom } from '#base/random.ts';
import { logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import { Registry } from '#metrics/registry.ts';
import { SimClock } from '#sim/clock.ts';
import { SimDisk } from '#sim/disk.ts';

const CONFIG = logConfig.parse({ segmentBytesMax: 4096, scrubBytesPerSecond: 0 });
/** `old 3` becomes `### 3`, up to the number that is asked for. */
const CHANGES = new Map([
  [
    'hide',
    (input: unknown) => (value: Uint8Array) => {
      const text = new TextDecoder().decode(value);
      if (!text.startsWith('old ') || Number(text.slice(4)) >= (input as number)) return false;
      value.set(utf8('###'));
      return true;
    },
  ],
]);

interface World {
  readonly clock: SimClock;
  readonly lines: LogLine[];
  disk: SimDisk;
  log: LocalLog;
}

async function open(disk: SimDisk, clock = new SimClock()): Promise<World> {
  const lines: LogLine[] = [];
  const log = await LocalLog.open({
    disk,
    clock,
    random: new SeededRandom(2),
    logger: memoryLogger(lines),
    metrics: new Registry(),
    config: CONFIG,
    folder: '/log',
    changes: CHANGES,
  });
  return { clock, lines, disk, log };
}

/** Twenty records in three segments of seven, seven and six, a second between any two. */
async function filled(seed = 1): Promise<World> {
  const world = await open(new SimDisk({ random: new SeededRandom(seed) }));
  await world.log.createTopic('events', { consistency: 'durable' });
  for (let nth = 0; nth < 20; nth++) {
    await world.log.append('events', [{ value: utf8(`old ${nth}`) }]);
    world.clock.advance(1000);
  }
  return world;
}

async function texts(log: LocalLog): Promise<string[]> {
  const { records, gaps } = await log.read('events', { from: 0 });
  assert.deepEqual(gaps, []);
  return records.map(({ offset, value }) => `${offset}: ${new TextDecoder().decode(value)}`);
}

function expected(hidden: number): string[] {
  return Array.from({ length: 20 }, (_, nth) => `${nth}: ${nth < hidden ? '###' : 'old'} ${nth}`);
}

async function hideAll(log: LocalLog, limit: number): Promise<number> {
  let changed = 0;
  for (let from: number | undefined = 0; from !== undefined; ) {
    const result = await log.rewriteSegment('events', { from, change: 'hide', input: limit });
    changed += result.changed;
    from = result.nextOffset;
  }
  return changed;
}

it('records of sealed segments change in place; the last segment waits', async () => {
  const world = await filled();
  assert.equal(await hideAll(world.log, 10), 10);
  assert.deepEqual(await texts(world.log), expected(10));
  assert.equal(await hideAll(world.log, 10), 0, 'there is nothing left to change');
  assert.equal(await hideAll(world.log, 20), 4, 'the segment that is being written is left alone');
  await world.log.close();
  const again = await open(world.disk);
  assert.deepEqual(await texts(again.log), expected(14));
  assert.deepEqual(again.lines, [], 'recovery and indexes find nothing to say');
  await again.log.close();
});

it('who read the old file before reads the new one after', async () => {
  const world = await filled();
  assert.deepEqual(await texts(world.log), expected(0));
  await hideAll(world.log, 20);
  assert.deepEqual(await texts(world.log), expected(14));
  await world.log.close();
});

it('segments that are too new or too old are passed over unread', async () => {
  const world = await filled();
  const startMs = world.clock.nowMs() - 20_000;
  const next = (from: number, range: { newestMsMin?: number; oldestMsMax?: number }) =>
    world.log.rewriteSegment('events', { from, change: 'hide', input: 20, ...range });
  assert.deepEqual(await next(0, { newestMsMin: startMs + 8000 }), {
    nextOffset: 7,
    records: 0,
    changed: 0,
  });
  assert.equal((await next(7, { oldestMsMax: startMs + 6000 })).records, 0);
  assert.equal((await next(7, { oldestMsMax: startMs + 7000 })).changed, 7);
  await world.log.close();
});

it('power lost at any moment leaves every segment as it was or as it was to be', async () => {
  const whole = await filled();
  const before = whole.disk.operations;
  await hideAll(whole.log, 20);
  const operations = whole.disk.operations - before;
  let isChanged = 0;
  for (let seed = 1; seed <= 150; seed++) {
    const world = await filled(seed);
    const random = new SeededRandom(seed);
    const stopAt = world.disk.operations + 1 + below(random, operations);
    world.disk.onOperation = () => (world.disk.operations >= stopAt ? 'EIO' : undefined);
    await hideAll(world.log, 20).catch(() => undefined);
    const again = await open(world.disk.crash());
    const words = `seed ${seed}: node -C swarmkeep-src --test src/log/segment/rewrite-segment.test.ts`;
    const found = await texts(again.log);
    const hidden = found.filter((text) => text.includes('###')).length;
    assert.ok([0, 7, 14].includes(hidden), `${words}: ${hidden}`);
    assert.deepEqual(
      found,
      hidden === 7 && found[0] === '0: old 0' ? found : expected(hidden),
      words,
    );
    if (hidden > 0) isChanged++;
    // What was left lying about is gone after the next run, which ends what this one began.
    await hideAll(again.log, 20);
    assert.deepEqual(await texts(again.log), expected(14), words);
    const names = await again.disk.list('/log/events');
    assert.ok(!names.some((name) => name.endsWith('.rewrite')), words);
    await again.log.close();
  }
  assert.ok(isChanged > 20 && isChanged < 150, `${isChanged} of 150 had begun to change`);
});

it('a full disk leaves the old segment, and the next run does it', async () => {
  const world = await filled();
  world.disk.capacityBytesMax = 0;
  await assert.rejects(hideAll(world.log, 20), (e) => codeOf(e) === 'LOG_REWRITE_FAILED');
  assert.deepEqual(await texts(world.log), expected(0));
  world.disk.capacityBytesMax = Number.POSITIVE_INFINITY;
  assert.equal(await hideAll(world.log, 20), 14);
  await world.log.close();
});

it('damage in a segment stays where it is, and costs its neighbours nothing', async () => {
  const world = await filled();
  const path = '/log/events/00000000000000000000.log';
  const bytes = world.disk.bytesOf(path);
  bytes[512 * 3 + 70] = bytes[512 * 3 + 70]! ^ 0x55;
  world.disk.damage(path, bytes);
  assert.equal(await hideAll(world.log, 20), 13);
  const { records, gaps } = await world.log.read('events', { from: 0 });
  assert.equal(records.length, 19);
  assert.deepEqual(
    gaps.map(({ first, next }) => [first, next]),
    [[2, 3]],
  );
  await world.log.close();
});

it('a rewriting that is cancelled rejects with the reason and changes nothing', async () => {
  const world = await filled();
  const reason = new Error('enough');
  const options = { from: 0, change: 'hide', input: 20, signal: AbortSignal.abort(reason) };
  await assert.rejects(world.log.rewriteSegment('events', options), reason);
  assert.deepEqual(await texts(world.log), expected(0));
  await world.log.close();
});
