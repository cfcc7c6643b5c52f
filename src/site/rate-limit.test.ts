import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '#sim/clock.ts';
import { addressKey, RateLimit } from './rate-limit.ts';

test('a bucket gives its attempts at once, then one for each part of the period', () => {
  const clock = new SimClock();
  const limit = new RateLimit({ clock, attempts: 3, periodMs: 60_000, entriesMax: 10 });
  assert.deepEqual([limit.take('a'), limit.take('a'), limit.take('a')], [0, 0, 0]);
  assert.equal(limit.take('a'), 20_000);
  assert.equal(limit.take('b'), 0);
  clock.advance(20_000);
  assert.equal(limit.take('a'), 0);
  assert.ok(limit.take('a') > 0);
  limit.giveBack('a');
  assert.equal(limit.take('a'), 0);
});

test('no more than entriesMax keys are remembered, the longest unused is forgotten', () => {
  const clock = new SimClock();
  const limit = new RateLimit({ clock, attempts: 1, periodMs: 60_000, entriesMax: 2 });
  limit.take('a');
  limit.take('b');
  assert.ok(limit.take('a') > 0);
  limit.take('c');
  assert.ok(limit.take('a') > 0, 'a was used after b');
  assert.equal(limit.take('b'), 0, 'b was forgotten');
});

test('an IPv6 network counts as one address, however it is written', () => {
  assert.equal(addressKey('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2');
  assert.equal(addressKey('2001:0DB8:1:2::6'), '2001:db8:1:2');
  assert.equal(addressKey('2001:db8::1'), '2001:db8:0:0');
  assert.equal(addressKey('::1'), '0:0:0:0');
  assert.equal(addressKey('192.0.2.7'), '192.0.2.7');
});
