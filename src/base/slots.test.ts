import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Slots } from './slots.ts';

test('no more work runs at once than there are slots, in the order it came', async () => {
  const slots = new Slots(3);
  let running = 0;
  let most = 0;
  const began: number[] = [];
  const work = (n: number) => async () => {
    began.push(n);
    most = Math.max(most, ++running);
    await turn();
    running--;
    if (n % 4 === 0) throw new RangeError(`${n}`);
    return n;
  };
  const all = Array.from({ length: 20 }, (_, n) => slots.use(work(n)));
  const ended = await Promise.allSettled(all);
  assert.equal(most, 3);
  assert.deepEqual(
    began,
    Array.from({ length: 20 }, (_, n) => n),
  );
  assert.equal(ended.filter(({ status }) => status === 'rejected').length, 5);
});

test('who is aborted while it waits leaves its place to the next', async () => {
  const slots = new Slots(1);
  const controller = new AbortController();
  const { promise, resolve } = Promise.withResolvers<void>();
  const first = slots.use(() => promise);
  const second = slots.use(async () => assert.fail('it was aborted'), controller.signal);
  const third = slots.use(async () => 'third');
  controller.abort(new RangeError('enough'));
  await assert.rejects(second, RangeError);
  resolve();
  await first;
  assert.equal(await third, 'third');
  await assert.rejects(
    slots.use(async () => 1, controller.signal),
    RangeError,
  );
});
