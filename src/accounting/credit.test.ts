import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LedgerBatch } from '#accounting/ledger/ledger-batch.ts';
import { RECORD_FLAG, type TransferRecord } from '#accounting/transfers/transfer-record.ts';
import { type CreditWindow, creditAt, NO_END_MS, REAL_BYTES } from './credit.ts';

const FREELEECH: CreditWindow = {
  uploadCreditPercent: 100,
  downloadCreditPercent: 0,
  fromMs: 1000,
  untilMs: 2000,
};
const percent = fc.integer({ min: 0, max: 65_535 });
const window = fc.record({
  uploadCreditPercent: percent,
  downloadCreditPercent: percent,
  fromMs: fc.integer({ min: 0, max: 100 }),
  untilMs: fc.integer({ min: 0, max: 100 }),
});
const moment = fc.integer({ min: 0, max: 100 });

test('a window counts from its first millisecond until just before its end', () => {
  const taken = (atMs: number) => creditAt(REAL_BYTES, [FREELEECH], atMs).downloadCreditPercent;
  assert.deepEqual([999, 1000, 1999, 2000].map(taken), [100, 0, 0, 100]);
  const endless = { ...FREELEECH, untilMs: NO_END_MS };
  assert.equal(creditAt(REAL_BYTES, [endless], 2 ** 52).downloadCreditPercent, 0);
});

test('of all that is open the best counts, in whatever order it stands', () => {
  fc.assert(
    fc.property(fc.array(window), moment, (windows, atMs) => {
      const credit = creditAt(REAL_BYTES, windows, atMs);
      assert.deepEqual(creditAt(REAL_BYTES, windows.toReversed(), atMs), credit);
      const open = windows.filter((one) => one.fromMs <= atMs && atMs < one.untilMs);
      const ups = [100, ...open.map((one) => one.uploadCreditPercent)];
      const downs = [100, ...open.map((one) => one.downloadCreditPercent)];
      assert.equal(credit.uploadCreditPercent, Math.max(...ups));
      assert.equal(credit.downloadCreditPercent, Math.min(...downs));
    }),
  );
});

test('a window never makes it worse for the member, and credit is never negative', () => {
  fc.assert(
    fc.property(fc.array(window), window, moment, (windows, more, atMs) => {
      const before = creditAt(REAL_BYTES, windows, atMs);
      const after = creditAt(REAL_BYTES, [...windows, more], atMs);
      assert.ok(after.uploadCreditPercent >= before.uploadCreditPercent);
      assert.ok(after.downloadCreditPercent <= before.downloadCreditPercent);
      assert.ok(after.downloadCreditPercent >= 0);
    }),
  );
});

test('multipliers change what is credited and never what is recorded', () => {
  const bytes = fc.integer({ min: 0, max: 2 ** 40 });
  fc.assert(
    fc.property(fc.array(window), moment, bytes, bytes, (windows, atMs, up, down) => {
      const real = totals(up, down, REAL_BYTES);
      const credited = totals(up, down, creditAt(REAL_BYTES, windows, atMs));
      assert.deepEqual(
        [credited.uploadedBytes, credited.downloadedBytes],
        [real.uploadedBytes, real.downloadedBytes],
      );
      assert.ok(credited.creditedUploadedBytes >= real.creditedUploadedBytes);
      assert.ok(credited.creditedDownloadedBytes <= real.creditedDownloadedBytes);
      assert.ok(credited.creditedDownloadedBytes >= 0);
    }),
  );
});

function totals(up: number, down: number, credit: ReturnType<typeof creditAt>) {
  const record: TransferRecord = {
    event: 0,
    flags: RECORD_FLAG.seededBefore,
    door: 0,
    family: 0,
    port: 0,
    memberId: 1,
    torrentId: 1,
    peerId: new Uint8Array(20),
    key: 0,
    sequence: 2,
    elapsedSeconds: 60,
    uploadedDelta: up,
    downloadedDelta: down,
    uploaded: up,
    downloaded: down,
    left: 0,
    timeMs: 1,
    address: new Uint8Array(16),
    ...credit,
    hashVersion: 1,
  };
  const batch = new LedgerBatch();
  batch.add(record);
  return batch.entries[0]!;
}
