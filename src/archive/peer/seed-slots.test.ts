import assert from 'node:assert/strict';
import test from 'node:test';
import { SimClock } from '#sim/clock.ts';
import { SeedSlots, SLOT_MS_MIN } from './seed-slots.ts';

/** What was said to them, in order. */
function holders(names: readonly string[], said: string[]) {
  return names.map((name) => ({
    address: name.slice(0, 1),
    unchoke: () => said.push(`+${name}`),
    choke: () => said.push(`-${name}`),
  }));
}

test('slots go to who waits longest, and an address with fewer goes before', () => {
  const clock = new SimClock();
  const slots = new SeedSlots({ clock, slotsMax: 2 });
  const said: string[] = [];
  const [a1, a2, a3, b1] = holders(['a1', 'a2', 'a3', 'b1'], said);
  assert.ok(a1 && a2 && a3 && b1);
  for (const one of [a1, a2, a3, b1]) slots.want(one);
  slots.want(a1);
  assert.deepEqual(said.splice(0), ['+a1', '+a2']);
  slots.leave(a1);
  assert.deepEqual(said.splice(0), ['+b1'], 'a has one already');
  slots.turn();
  assert.deepEqual(said.splice(0), [], 'nobody has had it for long');
  slots.leave(b1);
  assert.deepEqual(said.splice(0), ['+a3']);
});

test('who held a slot for long gives it to who waits, and waits in turn', () => {
  const clock = new SimClock();
  const slots = new SeedSlots({ clock, slotsMax: 1 });
  const said: string[] = [];
  const [a, b] = holders(['a', 'b'], said);
  assert.ok(a && b);
  slots.want(a);
  clock.advance(SLOT_MS_MIN);
  slots.turn();
  assert.deepEqual(said.splice(0), ['+a'], 'nobody else wants it');
  slots.want(b);
  slots.turn();
  assert.deepEqual(said.splice(0), ['-a', '+b']);
  clock.advance(SLOT_MS_MIN - 1);
  slots.turn();
  assert.deepEqual(said.splice(0), []);
  clock.advance(1);
  slots.turn();
  assert.deepEqual(said.splice(0), ['-b', '+a']);
  slots.leave(b);
  slots.leave(a);
  assert.deepEqual(said.splice(0), []);
});
