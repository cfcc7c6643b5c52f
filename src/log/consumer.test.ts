import assert from 'node:assert/strict';
import { it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { LogWorld } from '#sim/log-world.ts';
import { Consumer } from './consumer.ts';

/** A batch of one, a batch of four, a batch of one: offsets 0, 1 to 4, 5. */
async function open(): Promise<LogWorld> {
  const world = await LogWorld.open();
  await world.append('0');
  const values = ['1', '2', '3', '4'].map((text) => ({ value: utf8(text) }));
  await world.until(world.log.append('events', values));
  await world.append('5');
  return world;
}

function consumer(world: LogWorld, unfinishedMax = 100): Promise<Consumer> {
  const { log } = world;
  return world.until(Consumer.open({ log, topic: 'events', name: 'work', unfinishedMax }));
}

async function hand(world: LogWorld, from: Consumer, recordsMax = 100): Promise<number[]> {
  const { records } = await world.until(from.next({ recordsMax }));
  return records.map(({ offset }) => offset);
}

async function restart(world: LogWorld): Promise<Consumer> {
  await world.reopen(world.disk.crash());
  return consumer(world);
}

it('a consumer goes on at the first record not finished: of a batch of one, first, middle, last', async () => {
  const world = await open();
  let current = await consumer(world);
  for (let offset = 0; offset < 6; offset++) {
    assert.deepEqual(await hand(world, current, 1), [offset]);
    current.finish(offset);
    await world.until(current.commit());
    current = await restart(world);
    assert.equal(current.position, offset + 1);
  }
  assert.deepEqual(await hand(world, current), []);
});

it('records finished out of order are committed up to the first that is not', async () => {
  const world = await open();
  let current = await consumer(world);
  assert.deepEqual(await hand(world, current), [0, 1, 2, 3, 4, 5]);
  for (const offset of [5, 3, 0, 1]) current.finish(offset);
  assert.equal(current.position, 2);
  await world.until(current.commit());
  current = await restart(world);
  assert.deepEqual(await hand(world, current), [2, 3, 4, 5]);
  for (const offset of [4, 2, 3, 5]) {
    current.finish(offset);
    await world.until(current.commit());
  }
  current = await restart(world);
  assert.equal(current.position, 6);
});

it('a consumer that commits nothing is given everything again', async () => {
  const world = await open();
  let current = await consumer(world);
  await hand(world, current, 3);
  current = await restart(world);
  assert.deepEqual(await hand(world, current), [0, 1, 2, 3, 4, 5]);
});

it('next() gives nothing while unfinishedMax records are unfinished', async () => {
  const world = await open();
  const current = await consumer(world, 2);
  assert.deepEqual(await hand(world, current), [0, 1]);
  assert.deepEqual(await hand(world, current), []);
  current.finish(0);
  assert.deepEqual(await hand(world, current), [2]);
});

it('seek() hands out again', async () => {
  const world = await open();
  const current = await consumer(world);
  await hand(world, current);
  current.seek(4);
  assert.deepEqual(await hand(world, current), [4, 5]);
});
