import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { VerdictState } from '#accounting/strategies/strategy.ts';
import { GOOD_STANDING, mayLeech, nextStanding, type Standing } from './ratio-watch.ts';

const DAY = 86_400_000;
const GIB = 2 ** 30;
const SETTINGS = { watchMs: 14 * DAY, watchBytesMax: 10 * GIB };

interface Check {
  readonly day: number;
  readonly verdict: VerdictState;
  readonly gib?: number;
}

/** The states after each check of a member who began in good standing. */
function walk(checks: readonly Check[]): string[] {
  let standing: Standing = GOOD_STANDING;
  return checks.map(({ day, verdict, gib = 0 }) => {
    const now = { verdict, nowMs: day * DAY, downloadedBytes: gib * GIB };
    const transition = nextStanding(standing, now, SETTINGS);
    if (transition === undefined) return standing.state;
    standing = transition.to;
    return `${transition.to.state}: ${transition.reason}`;
  });
}

test('a member who falls short is watched, and restricted when two weeks are over', () => {
  const states = walk([
    { day: 1, verdict: 'met' },
    { day: 2, verdict: 'short' },
    { day: 3, verdict: 'short' },
    { day: 15.9, verdict: 'short' },
    { day: 16, verdict: 'short' },
    { day: 17, verdict: 'short' },
  ]);
  assert.deepEqual(states, [
    'good',
    'watched: fell-short',
    'watched',
    'watched',
    'restricted: watch-time-over',
    'restricted',
  ]);
});

test('more than 10 GiB taken during the watch end it early; what was taken before does not count', () => {
  const states = walk([
    { day: 1, verdict: 'short', gib: 100 },
    { day: 2, verdict: 'short', gib: 110 },
    { day: 3, verdict: 'short', gib: 110.5 },
  ]);
  assert.deepEqual(states, ['watched: fell-short', 'watched', 'restricted: watch-bytes-over']);
});

test('who meets the requirement is free at once, also of a restriction, and is watched anew later', () => {
  const states = walk([
    { day: 1, verdict: 'short' },
    { day: 2, verdict: 'met' },
    { day: 3, verdict: 'short' },
    { day: 17, verdict: 'short' },
    { day: 18, verdict: 'warned' },
    { day: 19, verdict: 'met' },
  ]);
  assert.deepEqual(states, [
    'watched: fell-short',
    'good: requirement-met',
    'watched: fell-short',
    'restricted: watch-time-over',
    'warned: requirement-met',
    'good: requirement-met',
  ]);
});

test('a warning is given once and leads to a watch when it is not heeded', () => {
  const states = walk([
    { day: 1, verdict: 'warned' },
    { day: 2, verdict: 'warned' },
    { day: 3, verdict: 'short' },
  ]);
  assert.deepEqual(states, ['warned: about-to-fall-short', 'warned', 'watched: fell-short']);
});

test('whatever the checks: nobody is restricted without a watch before, nor while the verdict is not short', () => {
  const checks = fc.array(
    fc.record({
      verdict: fc.constantFrom<VerdictState>('met', 'warned', 'short'),
      afterMs: fc.integer({ min: 1, max: 20 * DAY }),
      moreBytes: fc.integer({ min: 0, max: 12 * GIB }),
    }),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(checks, (list) => {
      let standing: Standing = GOOD_STANDING;
      let [nowMs, downloadedBytes, watches] = [0, 0, 0];
      for (const { verdict, afterMs, moreBytes } of list) {
        nowMs += afterMs;
        downloadedBytes += moreBytes;
        const now = { verdict, nowMs, downloadedBytes };
        const transition = nextStanding(standing, now, SETTINGS);
        if (transition === undefined) {
          if (verdict !== 'short') assert.ok(mayLeech(standing.state));
          continue;
        }
        assert.equal(transition.from, standing.state);
        assert.notEqual(transition.to.state, standing.state);
        if (transition.to.state === 'restricted') assert.equal(standing.state, 'watched');
        if (transition.to.state === 'watched') watches++;
        if (verdict !== 'short') assert.ok(mayLeech(transition.to.state));
        standing = transition.to;
        assert.equal(standing.watches, watches);
      }
    }),
  );
});
