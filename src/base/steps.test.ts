import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endInTurns, endOfSteps, type Steps, sortInSteps } from './steps.ts';

function* counting(to: number, seen: number[]): Steps<string> {
  for (let at = 1; at <= to; at++) {
    seen.push(at);
    yield;
  }
  return `${to} steps`;
}

test('steps are run to their end at once, or with a turn of others between any two', async () => {
  const seen: number[] = [];
  assert.equal(endOfSteps(counting(3, seen)), '3 steps');
  assert.deepEqual(seen, [1, 2, 3]);
  const order: number[] = [];
  let turns = 0;
  let isDone = false;
  const others = (): void => {
    if (isDone) return;
    turns += 1;
    setImmediate(others);
  };
  setImmediate(others);
  assert.equal(await endInTurns(counting(5, order)), '5 steps');
  isDone = true;
  assert.ok(turns >= 4, `${turns} turns between 5 steps`);
});

test('what a step throws comes out', async () => {
  // biome-ignore lint/correctness/useYield: it throws before it would
  function* failing(): Steps<never> {
    throw new Error('in a step');
  }
  assert.throws(() => endOfSteps(failing()), /in a step/);
  await assert.rejects(endInTurns(failing()), /in a step/);
});

test('a list is sorted by steps as it would be at once', () => {
  for (const length of [0, 1, 4000, 4001, 8000, 30_007]) {
    const items = Array.from({ length }, (_, at) => ({ key: (at * 7919) % 1009, at }));
    const byKey = (one: { key: number }, other: { key: number }): number => one.key - other.key;
    const sorting = sortInSteps(items, byKey);
    let steps = 0;
    let last = sorting.next();
    for (; last.done !== true; steps++) last = sorting.next();
    assert.deepEqual(last.value, items.toSorted(byKey), `${length} items`);
    assert.ok(steps >= Math.floor(length / 4000), `${steps} steps`);
  }
});
