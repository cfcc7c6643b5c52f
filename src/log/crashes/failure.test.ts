// What an append and a topic do when the disk refuses.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { codeOf } from '#base/errors.ts';
import type { SimOperation } from '#sim/disk.ts';
import { LogWorld } from '#sim/log-world.ts';

function failOnce(world: LogWorld, operation: SimOperation, code = 'EIO'): void {
  world.disk.onOperation = (current, path) => {
    if (current !== operation || !path.endsWith('.log')) return undefined;
    world.disk.onOperation = undefined;
    return code;
  };
}

const isFailed = (error: unknown): boolean => codeOf(error) === 'LOG_APPEND_FAILED';

for (const operation of ['write', 'datasync'] as const) {
  it(`an append whose ${operation} fails is taken back durably, and the next one goes on`, async () => {
    const world = await LogWorld.open();
    await world.append('a');
    failOnce(world, operation);
    await assert.rejects(world.append('refused'), isFailed);
    assert.deepEqual(await world.texts(), ['a']);
    await world.reopen(world.disk.crash());
    assert.deepEqual(await world.texts(), ['a'], 'the cut was durable before the answer');
    await world.append('b');
    assert.deepEqual(await world.texts(), ['a', 'b']);
    await world.reopen(world.disk.crash());
    assert.deepEqual(await world.texts(), ['a', 'b']);
  });
}

it('appends that wait together fail together, and none of them is kept', async () => {
  const world = await LogWorld.open();
  failOnce(world, 'datasync');
  const texts = ['a', 'b', 'c'];
  const results = await Promise.allSettled(texts.map((text) => world.append(text)));
  assert.ok(results.every((result) => result.status === 'rejected' && isFailed(result.reason)));
  assert.deepEqual(await world.texts(), []);
  assert.deepEqual(await world.append('d'), { firstOffset: 0, count: 1 });
});

it('a full disk refuses appends, and takes them again when there is room', async () => {
  const world = await LogWorld.open();
  await world.append('a');
  world.disk.capacityBytesMax = 0;
  for (let round = 0; round < 3; round++) await assert.rejects(world.append('b'), isFailed);
  world.disk.capacityBytesMax = Number.POSITIVE_INFINITY;
  await world.append('c');
  assert.deepEqual(await world.texts(), ['a', 'c']);
  await world.close();
  await world.reopen();
  assert.deepEqual(await world.texts(), ['a', 'c']);
  assert.deepEqual(world.fatal, []);
});

it('a sync that fails keeps what an earlier sync covered, and loses the rest as a marked gap', async () => {
  const world = await LogWorld.open({ intervalMs: 60_000 });
  await world.append('a');
  await world.append('from memory', 'memory');
  failOnce(world, 'datasync');
  await assert.rejects(world.append('refused'), isFailed);
  await world.append('b');
  const result = await world.read();
  assert.deepEqual(
    result.records.map(({ offset }) => offset),
    [0, 2],
  );
  assert.deepEqual(
    result.gaps.map(({ first, next }) => [first, next]),
    [[1, 2]],
  );
});

it('a write that fails keeps what was answered from memory before it', async () => {
  const world = await LogWorld.open({ intervalMs: 60_000 });
  await world.append('from memory', 'memory');
  failOnce(world, 'write', 'ENOSPC');
  await assert.rejects(world.append('refused'), isFailed);
  assert.deepEqual(await world.texts(), ['from memory']);
  await world.reopen(world.disk.crash());
  assert.deepEqual(await world.texts(), ['from memory']);
});

it('a topic whose cut fails refuses everything after and tells its owner; others go on', async () => {
  const world = await LogWorld.open();
  await world.append('a');
  await world.until(world.log.createTopic('other', { consistency: 'durable' }));
  let failing = false;
  world.disk.onOperation = (operation, path) => {
    if (!path.startsWith('/log/events/')) return undefined;
    failing ||= operation === 'datasync';
    return failing && operation !== 'read' && operation !== 'open' ? 'EIO' : undefined;
  };
  const isTopicFailed = (error: unknown): boolean => codeOf(error) === 'LOG_TOPIC_FAILED';
  await assert.rejects(world.append('b'), isTopicFailed);
  assert.equal(world.fatal.length, 1);
  await assert.rejects(world.append('c'), isTopicFailed);
  const other = world.log.append('other', [{ value: new Uint8Array(3) }]);
  assert.deepEqual(await world.until(other), { firstOffset: 0, count: 1 });
  assert.deepEqual(await world.texts(), ['a'], 'what is on disk can still be read');
});

it('a slow topic delays no other', async () => {
  const world = await LogWorld.open();
  await world.until(world.log.createTopic('other', { consistency: 'durable' }));
  world.disk.delayOf = (_, path) => (path.startsWith('/log/events/') ? 60_000 : undefined);
  const startMs = world.clock.monotonicMs();
  let isSlowDone = false;
  const slow = world.log.append('events', [{ value: new Uint8Array(1) }]).then(() => {
    isSlowDone = true;
  });
  for (let nth = 0; nth < 10; nth++) {
    await world.until(world.log.append('other', [{ value: new Uint8Array(1) }]));
  }
  assert.equal(isSlowDone, false);
  assert.ok(world.clock.monotonicMs() - startMs < 1000);
  await world.until(slow);
});

it('the interval sync that fails refuses those it was to answer', async () => {
  const world = await LogWorld.open({ intervalMs: 10 }, 'interval');
  await world.append('a', 'interval');
  failOnce(world, 'datasync');
  await assert.rejects(world.append('b', 'interval'), isFailed);
  assert.deepEqual(await world.texts(), ['a']);
  await world.append('c', 'interval');
  assert.deepEqual(await world.texts(), ['a', 'c']);
});

it('readers of durable and interval topics see nothing before its sync', async () => {
  for (const consistency of ['durable', 'interval'] as const) {
    const world = await LogWorld.open({ intervalMs: 1000 }, consistency);
    await world.append('a', 'memory');
    assert.deepEqual(await world.texts(), []);
    const stats = await world.until(world.log.stats('events'));
    assert.deepEqual([stats.nextOffset, stats.durableOffset], [1, 0]);
    await world.clock.run(1010);
    assert.deepEqual(await world.texts(), ['a']);
  }
});

it('a close whose sync fails is an error, and what was answered as on disk is there', async () => {
  const world = await LogWorld.open({ intervalMs: 60_000 });
  await world.append('a');
  await world.append('from memory', 'memory');
  failOnce(world, 'datasync');
  await assert.rejects(world.close(), isFailed);
  await world.reopen(world.disk.crash());
  assert.deepEqual(await world.texts(), ['a']);
});

it('a segment that cannot be made refuses the append, and is made by the next', async () => {
  for (const operation of ['create', 'syncFolder'] as const) {
    const world = await LogWorld.open();
    let failed = false;
    world.disk.onOperation = (current) => {
      if (failed || current !== operation) return undefined;
      failed = true;
      return 'EIO';
    };
    await assert.rejects(world.append('a'), isFailed);
    assert.deepEqual(await world.append('b'), { firstOffset: 0, count: 1 });
    assert.deepEqual(await world.texts(), ['b']);
  }
});
