import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SystemRandom } from '#base/random.ts';
import { isCsrfToken, newCsrfToken } from './csrf-token.ts';

const random = new SystemRandom();

test('no two tokens of a visitor have anything in common, and all are good', () => {
  const tokens = Array.from({ length: 50 }, () => newCsrfToken('cookie', random));
  assert.equal(new Set(tokens).size, 50);
  for (const token of tokens) {
    assert.equal(isCsrfToken(token, 'cookie'), true);
    assert.equal(isCsrfToken(token, 'another'), false);
  }
  // Neither half is the same twice: a packed page that has a guess beside it is as long as any.
  for (const at of [0, 43]) {
    assert.equal(new Set(tokens.map((token) => token.slice(at, at + 42))).size, 50);
  }
});

test('a token with any byte changed, cut, or written in another way is none', () => {
  const token = newCsrfToken('cookie', random);
  for (let at = 0; at < token.length; at++) {
    const other = token[at] === 'A' ? 'B' : 'A';
    assert.equal(isCsrfToken(token.slice(0, at) + other + token.slice(at + 1), 'cookie'), false);
    assert.equal(isCsrfToken(token.slice(0, at), 'cookie'), false);
  }
  for (const sent of ['', ' ', `${token}A`, `${token}=`, ` ${token}`, 'ü'.repeat(43)]) {
    assert.equal(isCsrfToken(sent, 'cookie'), false, sent);
  }
});
