import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '#sim/clock.ts';
import { Pace } from './pace.ts';

test('a rate is kept to over any amounts, and a pause is not made up for', async () => {
  const clock = new SimClock();
  const pace = new Pace(clock, 1000);
  const startMs = clock.monotonicMs();
  const take = (amount: number): Promise<void> => clock.until(pace.take(amount));
  for (const amount of [500, 1, 99, 400, 1000]) await take(amount);
  await take(1);
  assert.equal(clock.monotonicMs() - startMs, 2000);
  clock.advance(60_000);
  const laterMs = clock.monotonicMs();
  await take(1000);
  await take(1000);
  await take(1);
  assert.equal(clock.monotonicMs() - laterMs, 2000);
});

test('who waits for their turn can be cancelled', async () => {
  const clock = new SimClock();
  const pace = new Pace(clock, 1);
  const stop = new AbortController();
  await pace.take(1000, stop.signal);
  const waiting = pace.take(1, stop.signal);
  stop.abort(new Error('enough'));
  await assert.rejects(waiting, /enough/);
  await assert.rejects(new Pace(clock, 1).take(1, stop.signal), /enough/);
});
