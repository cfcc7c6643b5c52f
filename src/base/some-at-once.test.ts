import assert from 'node:assert/strict';
import { test } from 'node:test';
import { someAtOnce } from './some-at-once.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a few run at once, each thing once', async () => {
  const done: number[] = [];
  let underWay = 0;
  let most = 0;
  await someAtOnce([...Array(20).keys()], 3, async (item) => {
    underWay += 1;
    most = Math.max(most, underWay);
    for (let turns = 0; turns <= item % 4; turns++) await turn();
    done.push(item);
    underWay -= 1;
  });
  assert.equal(most, 3);
  assert.deepEqual(
    done.toSorted((a, b) => a - b),
    [...Array(20).keys()],
  );
  await someAtOnce([], 3, () => assert.fail('there is nothing'));
});

test('the first error is told when nothing is under way, and nothing more is begun', async () => {
  const begun: number[] = [];
  let underWay = 0;
  const run = someAtOnce([...Array(20).keys()], 3, async (item) => {
    begun.push(item);
    underWay += 1;
    await turn();
    if (item > 0) await turn();
    underWay -= 1;
    if (item === 0) throw new Error('the first');
    if (item === 1) throw new Error('another');
  });
  await assert.rejects(run, /the first/);
  assert.equal(underWay, 0);
  assert.deepEqual(begun, [0, 1, 2]);
});
