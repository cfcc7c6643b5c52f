// The codes against the vectors of RFC 6238 (appendix B, SHA-1, cut to six digits) and RFC 4648.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { base32, codeOf, matchingStep, stepAt, totpUri } from './totp.ts';

const SECRET = utf8('12345678901234567890');

test('codes are those of RFC 6238', () => {
  for (const [seconds, code] of [
    [59, '287082'],
    [1_111_111_109, '081804'],
    [1_111_111_111, '050471'],
    [1_234_567_890, '005924'],
    [2_000_000_000, '279037'],
    [20_000_000_000, '353130'],
  ] as const) {
    assert.equal(codeOf(SECRET, stepAt(seconds * 1000)), code);
  }
});

test('a code is taken within one step of now, once, and in any spacing', () => {
  const nowMs = 1_111_111_111_000;
  const step = stepAt(nowMs);
  const at = (typed: string, lastStep = 0) => matchingStep(SECRET, typed, { nowMs, lastStep });
  for (const near of [step - 1, step, step + 1]) assert.equal(at(codeOf(SECRET, near)), near);
  for (const far of [step - 2, step + 2]) assert.equal(at(codeOf(SECRET, far)), undefined);
  assert.equal(at(codeOf(SECRET, step), step), undefined, 'a code that was used');
  assert.equal(at(codeOf(SECRET, step - 1), step), undefined, 'a code before one that was used');
  assert.equal(at('050 471'), step);
  for (const wrong of ['', '50471', '0504710', 'abcdef', '05047１']) {
    assert.equal(at(wrong), undefined, wrong);
  }
});

test('base32 is that of RFC 4648, and the address of the QR code names site and member', () => {
  for (const [plain, coded] of [
    ['', ''],
    ['f', 'MY'],
    ['fo', 'MZXQ'],
    ['foo', 'MZXW6'],
    ['foob', 'MZXW6YQ'],
    ['fooba', 'MZXW6YTB'],
    ['foobar', 'MZXW6YTBOI'],
  ] as const) {
    assert.equal(base32(utf8(plain)), coded);
  }
  assert.equal(
    totpUri(utf8('foobar'), { site: 'Reading & Room', name: 'mina' }),
    'otpauth://totp/Reading%20%26%20Room%3Amina?secret=MZXW6YTBOI&issuer=Reading%20%26%20Room',
  );
});
