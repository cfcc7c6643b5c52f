import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SegmentRooms } from './segment-rooms.ts';

const MIB = 1024 * 1024;

test('memory that was given back is used again, for as many bytes as are wanted', () => {
  const rooms = new SegmentRooms();
  const first = rooms.take(3 * MIB);
  assert.equal(first.length, 3 * MIB);
  rooms.giveBack(first);
  const second = rooms.take(4 * MIB);
  assert.equal(second.buffer, first.buffer);
  assert.equal(second.length, 4 * MIB);
  assert.notEqual(rooms.take(4 * MIB).buffer, second.buffer);
  rooms.giveBack(second);
  assert.notEqual(rooms.take(2 * MIB).buffer, second.buffer);
  const small = rooms.take(1000);
  rooms.giveBack(small);
  assert.notEqual(rooms.take(1000).buffer, small.buffer);
});

test('no more than 64 MiB are kept', () => {
  const rooms = new SegmentRooms();
  const all = Array.from({ length: 6 }, () => rooms.take(16 * MIB));
  for (const each of all) rooms.giveBack(each);
  const buffers = new Set(all.map(({ buffer }) => buffer));
  const again = Array.from({ length: 6 }, () => rooms.take(16 * MIB));
  assert.equal(again.filter(({ buffer }) => buffers.has(buffer)).length, 4);
});
