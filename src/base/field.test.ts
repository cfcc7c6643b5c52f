// The kinds of settings: what a person may write, and what memory holds then.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { bytes, count, list, ms, port, text } from './field.ts';

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

test('count(), port(), text() and list() keep their bounds', () => {
  assert.equal(count({ min: 1, max: 3 }).safeParse(3).success, true);
  assert.equal(count({ min: 1, max: 3 }).safeParse(4).success, false);
  assert.equal(count().safeParse(-1).success, false);
  assert.equal(port().safeParse(65_535).success, true);
  assert.equal(port().safeParse(65_536).success, false);
  assert.equal(text(4).safeParse('four').success, true);
  assert.equal(text(4).safeParse('fiver').success, false);
  assert.equal(text().safeParse('a\nb').success, false);
  assert.equal(list(port(), 2).safeParse([1, 2]).success, true);
  assert.equal(list(port(), 2).safeParse([1, 2, 3]).success, false);
});
