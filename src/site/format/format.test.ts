import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatBytes, formatBytesExact } from './bytes.ts';
import { clientName, clientNameOf } from './client.ts';
import { formatPercent, plural } from './number.ts';
import { formatRatio, ratioFigure, ratioSentence } from './ratio.ts';
import {
  formatAgo,
  formatDate,
  formatDuration,
  formatIso,
  formatUntil,
  formatUtc,
} from './time.ts';

test('formatBytes() uses binary units and three digits', () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, '0 bytes'],
    [1, '1 byte'],
    [1023, '1,023 bytes'],
    [1024, '1.00 KiB'],
    [10_239, '10.0 KiB'],
    [1_048_575, '1.00 MiB'],
    [1_567_890_123, '1.46 GiB'],
    [2 ** 40, '1.00 TiB'],
    [Number.MAX_SAFE_INTEGER, '8.00 PiB'],
    [-2048, '-2.00 KiB'],
  ];
  for (const [count, text] of cases) assert.equal(formatBytes(count), text);
  assert.equal(formatBytesExact(1_567_890), '1,567,890 bytes');
});

test('formatBytes() never needs more than four digits before its unit', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1024, max: Number.MAX_SAFE_INTEGER }), (count) => {
      const text = formatBytes(count);
      assert.match(text, /^\d(\.\d\d|\d\.\d|\d\d) [KMGTPE]iB$/);
      const [value = '', unit = ''] = text.split(' ');
      const size = Number(value) * 1024 ** ('BKMGTPE'.indexOf(unit.charAt(0)) || 0);
      assert.ok(Math.abs(size - count) / count < 0.006, text);
    }),
  );
});

test('a ratio is a sentence that fits nothing given, nothing taken, and both', () => {
  const say = (uploadedBytes: number, downloadedBytes: number, required?: number): string =>
    ratioSentence({
      uploadedBytes,
      downloadedBytes,
      ...(required === undefined ? {} : { required }),
    });
  assert.equal(say(0, 0), 'You have not given or taken anything yet.');
  assert.equal(say(2048, 0), 'You have given 2.00 KiB and taken nothing.');
  assert.equal(say(0, 2048), 'You have taken 2.00 KiB and given nothing yet.');
  assert.equal(say(18, 10, 0.6), 'You have given 1.8 times what you took; 0.6 is required.');
  assert.equal(say(1, 4096), 'You have given 1 byte for 4.00 KiB taken.');
  assert.equal(
    ratioSentence({ uploadedBytes: 10, downloadedBytes: 10 }, { name: 'mina' }),
    'mina has given 1 times what they took.',
  );
});

test('a ratio is rounded down, so that nobody seems to have reached what they have not', () => {
  assert.equal(formatRatio(0.5999), '0.59');
  assert.equal(formatRatio(0.29), '0.29');
  assert.equal(formatRatio(17.49), '17.4');
  assert.equal(formatRatio(1234.9), '1234');
  assert.equal(ratioFigure({ uploadedBytes: 5, downloadedBytes: 0 }), '–');
});

test('only nothing is 0 % and only everything is 100 %', () => {
  assert.deepEqual([0, 0.0001, 0.5, 0.9999, 1, 7, Number.NaN].map(formatPercent), [
    '0 %',
    '1 %',
    '50 %',
    '99 %',
    '100 %',
    '100 %',
    '0 %',
  ]);
});

test('times are relative with their largest unit, exact in UTC', () => {
  const at = Date.UTC(2026, 2, 12, 14, 3, 22);
  const minute = 60_000;
  assert.equal(formatAgo(at, at - 5000), 'just now');
  assert.equal(formatAgo(at, at + 59_999), 'just now');
  assert.equal(formatAgo(at, at + minute), '1 minute ago');
  assert.equal(formatAgo(at, at + 26 * 60 * minute), '1 day ago');
  assert.equal(formatAgo(at, at + 400 * 1440 * minute), '1 year ago');
  assert.equal(formatUntil(at + 3 * 1440 * minute, at), 'in 3 days');
  assert.equal(formatUntil(at, at), 'now');
  assert.equal(formatDuration(0), '0 seconds');
  assert.equal(formatDate(at), '12 Mar 2026');
  assert.equal(formatUtc(at), '12 Mar 2026, 14:03:22 UTC');
  assert.equal(formatIso(at), '2026-03-12T14:03:22Z');
});

test('counts agree with their nouns', () => {
  assert.equal(plural(0, 'seeder'), '0 seeders');
  assert.equal(plural(1, 'entry', 'entries'), '1 entry');
  assert.equal(plural(1200, 'entry', 'entries'), '1,200 entries');
});

test('clients are named by their peer id, and strange ones do no harm', () => {
  const name = (mark: string): string => clientName(Buffer.from(mark.padEnd(20, 'x'), 'latin1'));
  assert.equal(name('-TR4050-'), 'Transmission 4.0.5');
  assert.equal(name('-TR3000-'), 'Transmission 3.0');
  assert.equal(name('-qB4630-'), 'qBittorrent 4.6.3');
  assert.equal(name('A2-1-36-0-'), 'aria2 1.36');
  assert.equal(name('-ZZ1234-'), 'ZZ 1.2.3.4');
  assert.equal(name('\x00\xff<script>'), 'Unknown client');
  assert.equal(clientNameOf(''), 'Unknown client');
});
