import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '#sim/clock.ts';
import { type Clock, HeldClock, SystemClock, sleep } from './clock.ts';

test('sleep() ends when its time has come, not before', async () => {
  const clock = new SimClock();
  let isAwake = false;
  const sleeping = sleep(clock, 100).then(() => {
    isAwake = true;
  });
  await clock.run(99);
  assert.equal(isAwake, false);
  await clock.run(1);
  assert.equal(isAwake, true);
  await sleeping;
});

test('sleep() rejects with the reason of its signal, before or during the wait', async () => {
  const clock = new SimClock();
  const reason = new Error('enough');
  await assert.rejects(sleep(clock, 100, AbortSignal.abort(reason)), reason);
  const control = new AbortController();
  const sleeping = sleep(clock, 100, control.signal);
  control.abort(reason);
  await assert.rejects(sleeping, reason);
});

test('sleep() leaves no timer behind when its signal aborts', async () => {
  let waiting = 0;
  const clock: Clock = {
    nowMs: () => 0,
    monotonicMs: () => 0,
    after() {
      waiting++;
      return { cancel: () => waiting-- };
    },
  };
  const control = new AbortController();
  const sleeping = sleep(clock, 100, control.signal);
  assert.equal(waiting, 1);
  control.abort(new Error('enough'));
  await assert.rejects(sleeping);
  assert.equal(waiting, 0);
});

test('the system clock runs a timer once, not when it was cancelled, and never goes back', async () => {
  const clock = new SystemClock();
  let cancelledRuns = 0;
  const cancelled = clock.after(0, () => cancelledRuns++);
  cancelled.cancel();
  cancelled.cancel();
  const before = clock.monotonicMs();
  await sleep(clock, 5);
  assert.ok(clock.monotonicMs() - before >= 4);
  assert.equal(cancelledRuns, 0);
  assert.ok(Number.isInteger(clock.nowMs()) && clock.nowMs() > Date.UTC(2024, 0));
});

test('a held clock stands until it is released, and is then the one below it', () => {
  const below = new SimClock();
  const clock = new HeldClock(below);
  clock.hold();
  const [nowMs, monotonicMs] = [clock.nowMs(), clock.monotonicMs()];
  below.advance(5000);
  assert.deepEqual([clock.nowMs(), clock.monotonicMs()], [nowMs, monotonicMs]);
  clock.release();
  assert.deepEqual([clock.nowMs(), clock.monotonicMs()], [nowMs + 5000, monotonicMs + 5000]);
  clock.hold();
  assert.equal(clock.nowMs(), nowMs + 5000);
  // A hold within a hold sees the same time, and only the last release ends it.
  below.advance(1000);
  clock.hold();
  assert.equal(clock.nowMs(), nowMs + 5000);
  clock.release();
  assert.equal(clock.nowMs(), nowMs + 5000);
  clock.release();
  assert.equal(clock.nowMs(), nowMs + 6000);
});
