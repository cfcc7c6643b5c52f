import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesEqual, fromHex, toHex, utf8 } from './bytes.ts';
import { secretEqual } from './secret-equal.ts';

test('fromHex() and toHex() are inverse, and toHex() writes lower case', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      assert.deepEqual(fromHex(toHex(bytes)), bytes);
      assert.deepEqual(fromHex(toHex(bytes).toUpperCase()), bytes);
    }),
  );
  assert.equal(toHex(Uint8Array.of(0, 0xab, 255)), '00abff');
});

test('toHex() of a view writes the view and not its buffer', () => {
  assert.equal(toHex(Uint8Array.of(1, 2, 3, 4).subarray(1, 3)), '0203');
});

test('fromHex() refuses what is not pairs of digits', () => {
  for (const text of ['0', 'zz', '0x00', ' 00', '00 ', 'é0']) {
    assert.equal(fromHex(text), undefined, text);
  }
});

test('bytesEqual() and secretEqual() compare contents, and lengths', () => {
  for (const equal of [bytesEqual, secretEqual]) {
    assert.equal(equal(utf8('abc'), utf8('abc')), true);
    assert.equal(equal(utf8('abc'), utf8('abd')), false);
    assert.equal(equal(utf8('abc'), utf8('ab')), false);
    assert.equal(equal(utf8(''), utf8('')), true);
  }
});
