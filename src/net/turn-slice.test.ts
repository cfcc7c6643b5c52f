import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TurnSlice } from './turn-slice.ts';

test('all sockets of a thread together leave the event loop a turn every 10 ms', () => {
  const slice = new TurnSlice();
  assert.ok(slice.ms < 10);
  for (let sockets = 1; sockets <= 32; sockets++) {
    slice.opened();
    assert.ok(slice.ms * sockets < 10 && slice.ms > 0);
  }
  for (let sockets = 0; sockets < 31; sockets++) slice.closed();
  assert.equal(slice.ms, new TurnSlice().ms);
});
