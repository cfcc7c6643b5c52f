import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseRange, parseSeedPath } from './seed-request.ts';

const TOKEN = `2s-${'0123456789abcdef'.repeat(2)}`;
const HASH = 'ab'.repeat(20);

describe('the path of a web seed', () => {
  it('has token, hash and names, as clients build it', () => {
    const at = `/seed/${TOKEN}/${HASH}`;
    const names = (rest: string) => parseSeedPath(at + rest)?.names;
    assert.deepEqual(parseSeedPath(`${at}/a/b.bin`), {
      token: TOKEN,
      infoHash: HASH,
      names: ['a', 'b.bin'],
    });
    assert.deepEqual(names('/'), []);
    assert.deepEqual(names(''), []);
    assert.deepEqual(names('/a%20b/%C3%A9%23%3F.bin'), ['a b', 'é#?.bin']);
    // Clients that escape nothing.
    assert.deepEqual(names('/a/what?.bin'), ['a', 'what?.bin']);
    assert.deepEqual(names('/a/100% sure.bin'), ['a', '100% sure.bin']);
    assert.deepEqual(names('/a/%2E%2E%2Fb'), ['a', '../b']);
  });

  it('is refused without token and hash, and when it is no text', () => {
    for (const target of [
      '/seed/',
      `/seed/${HASH}/${HASH}/a`,
      `/seed/${TOKEN}/`,
      `/seed/${TOKEN}/${HASH}0/a`,
      `/seed/${TOKEN}/${HASH}/%ff`,
      `/seed/${TOKEN}/${HASH}/${'a'.repeat(9000)}`,
      `/sea/${TOKEN}/${HASH}/a`,
    ]) {
      assert.equal(parseSeedPath(target), undefined, target);
    }
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        parseSeedPath(`/seed/${TOKEN}/${HASH}/${text}`);
        parseSeedPath(text);
        parseRange(text, 10);
        parseRange(`bytes=${text}`, 10);
      }),
    );
  });
});

describe('a range', () => {
  it('is read as RFC 9110 has it', () => {
    const cases: [string | undefined, ReturnType<typeof parseRange>][] = [
      [undefined, 'whole'],
      ['bytes=0-0', { start: 0, end: 1 }],
      ['bytes=0-99', { start: 0, end: 100 }],
      ['bytes=10-', { start: 10, end: 100 }],
      ['bytes=90-200', { start: 90, end: 100 }],
      ['bytes=-10', { start: 90, end: 100 }],
      ['bytes=-200', { start: 0, end: 100 }],
      ['Bytes= 5-6 ', { start: 5, end: 7 }],
      ['bytes=100-', 'unsatisfiable'],
      ['bytes=-0', 'unsatisfiable'],
      ['bytes=9-5', 'whole'],
      ['bytes=-', 'whole'],
      ['bytes=0-1,5-6', 'whole'],
      ['lines=0-1', 'whole'],
      ['bytes=0x1-2', 'whole'],
      ['bytes=99999999999999999-', 'unsatisfiable'],
    ];
    for (const [header, range] of cases) assert.deepEqual(parseRange(header, 100), range, header);
    assert.equal(parseRange('bytes=0-', 0), 'unsatisfiable');
  });
});
