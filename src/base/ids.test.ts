import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  blobRef,
  infoHash,
  infoHashFromHex,
  infoHashToHex,
  memberId,
  passkey,
  peerId,
  torrentId,
} from './ids.ts';

test('member and torrent ids are whole numbers from 1 to 2^32-1', () => {
  for (const make of [memberId, torrentId]) {
    assert.equal(make(1), 1);
    assert.equal(make(0xffff_ffff), 0xffff_ffff);
    for (const wrong of [0, -1, 1.5, 2 ** 32, Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.equal(make(wrong), undefined, String(wrong));
    }
  }
});

test('info hashes and peer ids are 20 bytes', () => {
  for (const make of [infoHash, peerId]) {
    assert.equal(make(new Uint8Array(20))?.byteLength, 20);
    assert.equal(make(new Uint8Array(19)), undefined);
    assert.equal(make(new Uint8Array(32)), undefined);
  }
  const text = '0123456789abcdef0123456789abcdef01234567';
  const hash = infoHashFromHex(text.toUpperCase());
  assert.ok(hash !== undefined);
  assert.equal(infoHashToHex(hash), text);
  assert.equal(infoHashFromHex(text.slice(2)), undefined);
  assert.equal(infoHashFromHex(`${text.slice(1)}g`), undefined);
});

test('passkeys and blob names have one form', () => {
  assert.equal(passkey('abc_-9'), 'abc_-9');
  for (const wrong of ['', 'a b', 'a/b', 'é', 'a'.repeat(65), 'a\n']) {
    assert.equal(passkey(wrong), undefined, wrong);
  }
  const name = `sha256-${'0f'.repeat(32)}`;
  assert.equal(blobRef(name), name);
  assert.equal(blobRef(name.toUpperCase()), undefined);
  assert.equal(blobRef(`${name}0`), undefined);
});
