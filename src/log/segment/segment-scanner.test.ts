// What the scanner gives: views for the moment, and batches that are lent for good.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { BATCH_HEADER_BYTES, sealBatch } from './batch.ts';
import { SegmentScanner } from './segment-scanner.ts';

const BATCHES = 8;
const BATCH_BYTES = 1024;

/** Batches one after the other, each of another byte. */
function batches(): Uint8Array {
  const bytes = new Uint8Array(BATCHES * BATCH_BYTES);
  for (let nth = 0; nth < BATCHES; nth++) {
    const start = nth * BATCH_BYTES;
    bytes.fill(nth + 1, start + BATCH_HEADER_BYTES, start + BATCH_BYTES);
    const fields = { firstOffset: nth, records: 1, span: 1, epoch: 1, timeMs: 1, durableOffset: 0 };
    sealBatch(bytes, start, start + BATCH_BYTES, fields);
  }
  return bytes;
}

it('a batch that was lent stays as it is while the scanner goes on over many windows', async () => {
  const all = batches();
  const file = {
    read: async (into: Uint8Array, position: number): Promise<number> => {
      const piece = all.subarray(position, position + into.byteLength);
      into.set(piece);
      return piece.byteLength;
    },
  };
  const end = all.byteLength;
  const windowBytes = 2 * BATCH_BYTES;
  const scanner = new SegmentScanner({ file, position: 0, end, offset: 0, windowBytes });
  const lent: Uint8Array[] = [];
  for (let item = await scanner.next(); item !== undefined; item = await scanner.next()) {
    assert.ok(item.kind === 'batch');
    lent.push(scanner.lend(item));
  }
  assert.equal(lent.length, BATCHES);
  for (const [nth, bytes] of lent.entries()) {
    assert.deepEqual(bytes, all.subarray(nth * BATCH_BYTES, (nth + 1) * BATCH_BYTES));
  }
});
