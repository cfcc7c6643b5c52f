// What the crash tests found in the log, each as a scene of its own, so that it stays found.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { codeOf } from '#base/errors.ts';
import type { Appended, Consistency } from '#log/log.ts';
import type { SimDisk } from '#sim/disk.ts';
import { LogWorld } from '#sim/log-world.ts';

function produce(world: LogWorld, consistency: Consistency): Promise<Appended> {
  const options = { consistency, producer: { id: 1, sequence: 1 } };
  return world.log.append('events', [{ value: utf8('a') }], options);
}

it('a repetition that wants the disk waits for it, also of an append answered from memory', async () => {
  const world = await LogWorld.open({ intervalMs: 60_000 }, 'memory');
  const first = await world.until(produce(world, 'memory'));
  assert.deepEqual(await world.until(produce(world, 'durable')), first);
  await world.reopen(world.disk.crash());
  assert.deepEqual(await world.texts(), ['a']);
});

it('a repetition whose sync fails is refused, and is then appended anew', async () => {
  const world = await LogWorld.open({ intervalMs: 60_000 }, 'memory');
  await world.until(produce(world, 'memory'));
  world.disk.onOperation = (operation) => {
    if (operation !== 'datasync') return undefined;
    world.disk.onOperation = undefined;
    return 'EIO';
  };
  await assert.rejects(
    world.until(produce(world, 'durable')),
    (error) => codeOf(error) === 'LOG_APPEND_FAILED',
  );
  await world.until(produce(world, 'durable'));
  await world.reopen(world.disk.crash());
  assert.deepEqual(await world.texts(1), ['a']);
});

it('a position that a failed write left in the page cache costs not the one on the medium', async () => {
  for (const operation of ['write', 'datasync'] as const) {
    for (let point = 1; point <= 12; point++) {
      const world = await LogWorld.open();
      for (const text of ['a', 'b', 'c']) await world.append(text);
      const commit = (offset: number) => world.until(world.log.commit('events', 'me', offset));
      await commit(1);
      await world.reopen(world.disk.crash());
      const { disk } = world;
      disk.onOperation = (current, path) => {
        if (current !== operation || !path.endsWith('/me')) return undefined;
        disk.onOperation = undefined;
        return 'EIO';
      };
      await assert.rejects(commit(2));
      // The power goes in one of the next operations, a second commit under way, in many ways.
      let left = point;
      const ways: SimDisk[] = [];
      disk.onOperation = () => {
        if (--left === 0) for (let nth = 0; nth < 60; nth++) ways.push(disk.crash());
        return undefined;
      };
      void world.log.commit('events', 'me', 3).catch(() => {});
      for (let turn = 0; turn < 60 && ways.length === 0; turn++) await world.clock.run(1);
      for (const after of ways) {
        await world.reopen(after);
        const position = await world.until(world.log.position('events', 'me'));
        assert.ok(position === 1 || position === 3, `position ${position}, operation ${point}`);
      }
    }
  }
});

it('a durable mark that a killed process had not synced is made durable before the first segment', async () => {
  const world = await LogWorld.open();
  let killed = world.disk;
  world.disk.onOperation = (operation, path) => {
    if (operation === 'datasync' && path === '/log/more/mark') killed = world.disk.kill();
    return undefined;
  };
  void world.log.createTopic('more', { consistency: 'durable' });
  while (killed === world.disk) await world.clock.run(1);
  await world.reopen(killed);
  await world.until(world.log.append('more', [{ value: utf8('a') }]));
  await world.reopen(world.disk.crash());
  const said = world.lines.map(({ message }) => message).filter((text) => /mark/.test(text));
  assert.deepEqual(said, []);
});
