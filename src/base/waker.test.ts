import assert from 'node:assert/strict';
import test from 'node:test';
import { SimClock, settle } from '#sim/clock.ts';
import { Waker } from './waker.ts';

function bench() {
  const clock = new SimClock();
  const waker = new Waker(clock);
  const control = new AbortController();
  let slept = 0;
  return {
    ...{ clock, waker, control },
    sleep: () => void waker.sleep(100, control.signal).then(() => slept++),
    slept: async () => {
      await settle();
      return slept;
    },
  };
}

test('sleep() ends when its time has come', async () => {
  const { clock, sleep, slept } = bench();
  sleep();
  await clock.run(99);
  assert.equal(await slept(), 0);
  await clock.run(1);
  assert.equal(await slept(), 1);
});

test('who calls ends the sleep, or the next one that begins before reset()', async () => {
  const { waker, sleep, slept } = bench();
  sleep();
  waker.wake();
  assert.equal(await slept(), 1);
  assert.equal(waker.isWoken, true);
  sleep();
  assert.equal(await slept(), 2);
  waker.reset();
  assert.equal(waker.isWoken, false);
  sleep();
  assert.equal(await slept(), 2);
  waker.wake();
  assert.equal(await slept(), 3);
});

test('a signal that aborts ends the sleep, and leaves nothing behind', async () => {
  const { clock, control, sleep, slept } = bench();
  sleep();
  control.abort();
  assert.equal(await slept(), 1);
  sleep();
  assert.equal(await slept(), 2);
  await clock.run(200);
  assert.equal(await slept(), 2);
});
