import assert from 'node:assert/strict';
import { it } from 'node:test';
import { toHex } from '#base/bytes.ts';
import { decodeSegmentHeader, encodeSegmentHeader, segmentName, segmentOffset } from './segment.ts';

const HEADER = {
  logId: '000102030405060708090a0b0c0d0e0f',
  epoch: 7,
  firstOffset: 4096,
  createdMs: 1_700_000_000_000,
};
const GOLDEN = [
  '534b5331', // magic
  'f4db4f7f', // checksum
  '0100', // version
  '0000', // reserved
  '00020000', // alignment 512
  '000102030405060708090a0b0c0d0e0f', // log id
  '07000000', // epoch
  '00000000', // reserved
  '0010000000000000', // first offset
  '0068e5cf8b010000', // created
].join('');

it('a segment header has the bytes that its file says, then zeros', () => {
  const bytes = encodeSegmentHeader(HEADER);
  assert.equal(bytes.byteLength, 512);
  assert.equal(toHex(bytes.subarray(0, 56)), GOLDEN);
  assert.ok(bytes.subarray(56).every((byte) => byte === 0));
  assert.deepEqual(decodeSegmentHeader(bytes), { kind: 'good', header: HEADER });
});

it('a segment header with any one byte changed is bad', () => {
  const bytes = encodeSegmentHeader(HEADER);
  for (let at = 0; at < bytes.byteLength; at++) {
    bytes[at] = bytes[at]! ^ 1;
    assert.equal(decodeSegmentHeader(bytes).kind, 'bad', `byte ${at}`);
    bytes[at] = bytes[at]! ^ 1;
  }
  assert.equal(decodeSegmentHeader(bytes.subarray(0, 511)).kind, 'bad');
});

it('a segment is named by its first offset in 20 digits, and nothing else is a segment', () => {
  assert.equal(segmentName(4096), '00000000000000004096.log');
  assert.equal(segmentOffset('00000000000000004096.log'), 4096);
  for (const name of [
    '4096.log',
    '00000000000000004096.index',
    '99999999999999999999.log',
    'mark',
  ]) {
    assert.equal(segmentOffset(name), undefined, name);
  }
});
