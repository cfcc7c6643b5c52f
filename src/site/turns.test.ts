import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Turns } from './turns.ts';

test('turns are taken in order, so many at once, and beyond the line nothing runs', async () => {
  const turns = new Turns({ atOnce: 2, waitingMax: 2 });
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const take = (number: number): Promise<number | undefined> =>
    turns.take(async () => {
      begun.push(number);
      await new Promise<void>((resolve) => ends.push(resolve));
      return number;
    });
  const all = [1, 2, 3, 4].map(take);
  assert.equal(await take(5), undefined);
  assert.deepEqual([begun, turns.waiting], [[1, 2], 2]);
  ends.shift()?.();
  assert.equal(await all[0], 1);
  await Promise.resolve();
  assert.deepEqual(begun, [1, 2, 3]);
  const late = take(6);
  for (let round = 0; round < 4; round++) {
    ends.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(await Promise.all([...all, late]), [1, 2, 3, 4, 6]);
  assert.deepEqual(begun, [1, 2, 3, 4, 6]);
});

test('a turn that fails is given on', async () => {
  const turns = new Turns({ atOnce: 1, waitingMax: 5 });
  const failing = turns.take(async () => {
    throw new Error('no');
  });
  const next = turns.take(async () => 'yes');
  await assert.rejects(failing, /no/);
  assert.equal(await next, 'yes');
  assert.equal(await turns.take(async () => 'again'), 'again');
});
