// A topic at its size: refused and readable, or without its oldest segments, also after a crash.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { codeOf, messageOf } from '#base/errors.ts';
import type { LogConfig } from '#log/config.ts';
import type { TopicOptions, TopicStats } from '#log/log.ts';
import { LogWorld } from '#sim/log-world.ts';

const BYTES_MAX = 16_384;
const RECORD_BYTES = 900;

const isFull = (error: unknown): boolean => codeOf(error) === 'LOG_TOPIC_FULL';

async function worldWith(
  topic: string,
  options: TopicOptions,
  config: Partial<LogConfig> = {},
): Promise<LogWorld> {
  const world = await LogWorld.open(config);
  await world.until(world.log.createTopic(topic, { consistency: 'durable', ...options }));
  return world;
}

function append(world: LogWorld, topic: string, bytes = RECORD_BYTES): Promise<unknown> {
  return world.until(world.log.append(topic, [{ value: new Uint8Array(bytes) }]));
}

function stats(world: LogWorld, topic: string): Promise<TopicStats> {
  return world.until(world.log.stats(topic));
}

async function fill(world: LogWorld, topic: string): Promise<number> {
  for (let count = 0; ; count++) {
    try {
      await append(world, topic);
    } catch (error) {
      assert.ok(isFull(error), messageOf(error));
      assert.match(messageOf(error), new RegExp(`"${topic}".*nothing was written`));
      return count;
    }
  }
}

it('a topic at its size refuses appends by name, is read, and does so after a restart', async () => {
  const world = await worldWith('small', { bytesMax: BYTES_MAX });
  const count = await fill(world, 'small');
  assert.equal(count, BYTES_MAX / 1024);
  const { bytes, nextOffset } = await stats(world, 'small');
  assert.deepEqual([bytes, nextOffset], [BYTES_MAX, count]);
  await world.append('another topic goes on');
  await world.reopen(world.disk.crash());
  await assert.rejects(append(world, 'small'), isFull);
  const { records } = await world.until(world.log.read('small', { from: 0 }));
  assert.equal(records.length, count);
});

it('of appends that wait together those that fit are written, and never more than the size', async () => {
  const world = await worldWith('small', { bytesMax: BYTES_MAX });
  const many = Array.from({ length: 40 }, () => append(world, 'small'));
  const results = await Promise.allSettled(many);
  const refused = results.filter((result) => result.status === 'rejected');
  assert.ok(refused.length > 0 && refused.every(({ reason }) => isFull(reason)));
  const { bytes, nextOffset } = await stats(world, 'small');
  assert.ok(bytes <= BYTES_MAX);
  assert.equal(nextOffset, 40 - refused.length);
});

it('a topic that removes its oldest segments stays below its size and keeps the newest', async () => {
  const world = await worldWith('ring', { bytesMax: BYTES_MAX, whenFull: 'removeOldest' });
  for (let nth = 0; nth < 100; nth++) {
    await append(world, 'ring');
    assert.ok((await stats(world, 'ring')).bytes <= BYTES_MAX);
  }
  const { firstOffset, nextOffset } = await stats(world, 'ring');
  assert.equal(nextOffset, 100);
  assert.ok(firstOffset > 80 && firstOffset < 96);
  const { records, gaps } = await world.until(world.log.read('ring', { from: firstOffset }));
  assert.deepEqual([records.length, gaps.length], [100 - firstOffset, 0]);
  const removed = world.until(world.log.read('ring', { from: 0 }));
  await assert.rejects(removed, (error) => codeOf(error) === 'LOG_OFFSET_REMOVED');
  const large = append(world, 'ring', BYTES_MAX);
  await assert.rejects(large, isFull);
  assert.equal((await stats(world, 'ring')).firstOffset, firstOffset, 'it removed nothing in vain');
});

it('a crash at any point of a removal leaves no hole and no offset twice', async () => {
  for (let point = 1; ; point++) {
    const world = await worldWith('ring', { bytesMax: 4096, whenFull: 'removeOldest' });
    for (let nth = 0; nth < 4; nth++) await append(world, 'ring');
    let left = point;
    world.disk.onOperation = () => (--left < 0 ? 'EIO' : undefined);
    const answer = await Promise.allSettled([append(world, 'ring')]);
    const isDone = left >= 0;
    world.disk.onOperation = undefined;
    await world.reopen(world.disk.crash());
    const { firstOffset, nextOffset } = await stats(world, 'ring');
    const acknowledged = answer[0]?.status === 'fulfilled' ? 5 : 4;
    assert.ok(nextOffset >= acknowledged, `point ${point}: ${nextOffset}`);
    const { records, gaps } = await world.until(world.log.read('ring', { from: firstOffset }));
    assert.deepEqual([records.length, gaps.length], [nextOffset - firstOffset, 0]);
    if (isDone) return;
  }
});

it('a segment that cannot be removed refuses the append, and the next one removes it', async () => {
  const world = await worldWith('ring', { bytesMax: 4096, whenFull: 'removeOldest' });
  for (let nth = 0; nth < 4; nth++) await append(world, 'ring');
  world.disk.onOperation = (operation, path) =>
    operation === 'remove' && path.endsWith('.log') ? 'EIO' : undefined;
  await assert.rejects(append(world, 'ring'), isFull);
  assert.equal((await stats(world, 'ring')).firstOffset, 0);
  world.disk.onOperation = undefined;
  assert.deepEqual(await append(world, 'ring'), { firstOffset: 4, count: 1 });
});

it('transfers and control have the size that is configured, and lose nothing', async () => {
  for (const [topic, key] of [
    ['transfers', 'transfersBytesMax'],
    ['control', 'controlBytesMax'],
  ] as const) {
    const world = await worldWith(topic, {}, { [key]: BYTES_MAX });
    const count = await fill(world, topic);
    const { firstOffset, nextOffset } = await stats(world, topic);
    assert.deepEqual([firstOffset, nextOffset], [0, count]);
  }
});

it('a size that makes no sense is refused when the topic is made', async () => {
  const world = await LogWorld.open();
  const isInvalid = (error: unknown): boolean => codeOf(error) === 'LOG_TOPIC_OPTIONS_INVALID';
  for (const bytesMax of [0, 4095, 1e300, Number.NaN]) {
    await assert.rejects(world.until(world.log.createTopic('x', { bytesMax })), isInvalid);
  }
  await assert.rejects(
    world.until(world.log.createTopic('x', { whenFull: 'removeOldest' })),
    isInvalid,
  );
});
