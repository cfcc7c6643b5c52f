import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '#sim/clock.ts';
import { ConnectionIds } from './connection-id.ts';

const SECRET = new Uint8Array(32).fill(7);
const ADDRESS = new Uint8Array([203, 0, 113, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

function idFor(clock: SimClock, secret = SECRET): Uint8Array {
  const id = new Uint8Array(8);
  new ConnectionIds({ clock, secret }).write(id, ADDRESS, 4);
  return id;
}

test('a connection id is good for 120 seconds', () => {
  const clock = new SimClock();
  const ids = new ConnectionIds({ clock, secret: SECRET });
  const id = idFor(clock);
  assert.ok(ids.isGood(id, ADDRESS, 4));
  clock.advance(120_000);
  assert.ok(ids.isGood(id, ADDRESS, 4));
  clock.advance(1000);
  assert.ok(!ids.isGood(id, ADDRESS, 4));
});

test('a connection id of a node whose clock is 10 seconds ahead is good, of 11 not', () => {
  const clock = new SimClock();
  const ids = new ConnectionIds({ clock, secret: SECRET });
  const ahead = new SimClock();
  ahead.advance(10_000);
  assert.ok(ids.isGood(idFor(ahead), ADDRESS, 4));
  ahead.advance(1000);
  assert.ok(!ids.isGood(idFor(ahead), ADDRESS, 4));
});

test('an id made by another node or before a restart is good when the secret is the same', () => {
  const clock = new SimClock();
  const id = idFor(clock);
  assert.ok(new ConnectionIds({ clock, secret: SECRET.slice() }).isGood(id, ADDRESS, 4));
  const other = new ConnectionIds({ clock, secret: new Uint8Array(32).fill(8) });
  assert.ok(!other.isGood(id, ADDRESS, 4));
});

test('an id is good for its address alone, and differs from second to second', () => {
  const clock = new SimClock();
  const ids = new ConnectionIds({ clock, secret: SECRET });
  const id = idFor(clock);
  const neighbour = ADDRESS.slice();
  neighbour[3] = 10;
  assert.ok(!ids.isGood(id, neighbour, 4));
  // The same first bytes as an IPv6 address are another address.
  assert.ok(!ids.isGood(id, ADDRESS, 6));
  clock.advance(1000);
  assert.notDeepEqual(idFor(clock), id);
});

test('flipping any bit of an id, or its time alone, makes it bad', () => {
  const clock = new SimClock();
  const ids = new ConnectionIds({ clock, secret: SECRET });
  const id = idFor(clock);
  for (let bit = 0; bit < 64; bit++) {
    const forged = id.slice();
    forged[bit >> 3] = forged[bit >> 3]! ^ (1 << (bit & 7));
    assert.ok(!ids.isGood(forged, ADDRESS, 4), `bit ${bit}`);
  }
});

test('an id that was found good is still bad from another address and when it is too old', () => {
  const clock = new SimClock();
  const ids = new ConnectionIds({ clock, secret: SECRET });
  const id = idFor(clock);
  const other = ADDRESS.slice();
  other[3] = 10;
  for (let round = 0; round < 2; round++) {
    assert.ok(ids.isGood(id, ADDRESS, 4));
    assert.ok(!ids.isGood(id, other, 4));
    assert.ok(!ids.isGood(id, ADDRESS, 6));
  }
  clock.advance(121_000);
  assert.ok(!ids.isGood(id, ADDRESS, 4));
});
