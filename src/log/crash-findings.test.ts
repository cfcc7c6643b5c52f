// What the crash tests found in the log, each as a scene of its own, so that it stays found.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { codeOf } from '#base/errors.ts';
import { LogWorld } from '#sim/log-world.ts';
import type { Appended, Consistency } from './log.ts';

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
