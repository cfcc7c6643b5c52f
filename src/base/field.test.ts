// The kinds of settings: what a person may write, and what memory holds then.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { bytes, count, ms } from './field.ts';

test('bytes() reads whole bytes and sizes with units', () => {
  const field = bytes({ min: 1024, max: 2 ** 41 });
  for (const [written, expected] of [
    [2048, 2048],
    ['2048', 2048],
    ['64 MiB', 64 * 2 ** 20],
    ['1.5 KiB', 1536],
    ['64MB', 64_000_000],
    ['2 tib', 2 ** 41],
  ] as const) {
    assert.equal(field.parse(written), expected, String(written));
  }
  for (const refused of [
    '64 MiBs',
    '',
    'MiB',
    '-1 MiB',
    '0.0001 KiB',
    1023,
    1.5,
    true,
    null,
    '3 TiB',
  ]) {
    assert.equal(field.safeParse(refused).success, false, String(refused));
  }
});

test('ms() reads whole milliseconds and times with units', () => {
  const field = ms();
  // Added to a moment it must still be a moment.
  assert.equal(field.safeParse('36525 d').success, true);
  assert.equal(field.safeParse('36526 d').success, false);
  assert.equal(field.parse(250), 250);
  assert.equal(field.parse('250 ms'), 250);
  assert.equal(field.parse('1.5 s'), 1500);
  assert.equal(field.parse('5 min'), 300_000);
  assert.equal(field.parse('21 d'), 21 * 86_400_000);
  assert.equal(field.safeParse('1 month').success, false);
  assert.equal(field.safeParse('0.1 ms').success, false);
});

test('a default is used when nothing is written, and the output is a plain number', () => {
  const schema = z.strictObject({ sizeMax: bytes().default(7), waitMs: ms().default(9) });
  const output: { sizeMax: number; waitMs: number } = schema.parse({});
  assert.deepEqual(output, { sizeMax: 7, waitMs: 9 });
});

test('count() keeps its bounds', () => {
  const field = count({ min: 1, max: 3 });
  for (const kept of [1, 3]) assert.equal(field.safeParse(kept).success, true);
  for (const refused of [0, 4, 1.5, '2']) assert.equal(field.safeParse(refused).success, false);
  assert.equal(count().safeParse(-1).success, false);
});
