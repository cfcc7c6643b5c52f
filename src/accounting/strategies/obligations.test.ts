// Due dates and buffers against the strategies themselves: what these say will happen is what happens.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rulesConfig } from '#accounting/rules-config.ts';
import { bufferOf } from './buffer.ts';
import { seedTimeSettings } from './make-strategy.ts';
import { obligationsOf } from './obligations.ts';
import { seedTime } from './seed-time.ts';
import type { MemberHistory, TorrentHistory } from './strategy.ts';
import { uploadDownload } from './upload-download.ts';

const GIB = 2 ** 30;
const NOW_MS = 1_800_000_000_000;
const SETTINGS = seedTimeSettings(rulesConfig.parse({}));

const TORRENT: TorrentHistory = {
  ...{ torrentId: 1, name: 'Survey', sizeBytes: GIB, uploadedBytes: 0, downloadedBytes: GIB },
  ...{ seedSeconds: 60, completedMs: NOW_MS - 3_600_000, lastSeenMs: NOW_MS - 60_000 },
  ...{ lastSeededMs: NOW_MS - 60_000, isSeeding: false, leechers: 1, isExempt: false },
};

function historyOf(torrent: TorrentHistory, nowMs = NOW_MS): MemberHistory {
  return {
    ...{ nowMs, joinedMs: 0, uploadedBytes: 0, downloadedBytes: GIB, days: [] },
    torrents: [torrent],
  };
}

test('an obligation is due at the very moment at which the strategy counts a hit and run', () => {
  const [owed] = obligationsOf(SETTINGS, historyOf(TORRENT));
  assert.equal(owed?.state, 'away');
  assert.equal(owed.seedSecondsLeft, SETTINGS.seedSecondsRequired - 60);
  const dueMs = owed.dueMs ?? 0;
  const runsAt = (nowMs: number): boolean =>
    seedTime(SETTINGS)
      .judge(historyOf(TORRENT, nowMs))
      .findings.some((finding) => finding.kind === 'hit-and-run');
  assert.deepEqual([runsAt(dueMs - 1), runsAt(dueMs)], [false, true]);
});

test('who seeds, and what nobody wants, has no date; what was given back, or is exempt, is no obligation', () => {
  const of = (change: Partial<TorrentHistory>) =>
    obligationsOf(SETTINGS, historyOf({ ...TORRENT, ...change }));
  assert.deepEqual(
    [of({ isSeeding: true })[0]?.state, of({ isSeeding: true })[0]?.dueMs],
    ['seeding', undefined],
  );
  assert.deepEqual(
    [of({ leechers: 0 })[0]?.state, of({ leechers: 0 })[0]?.dueMs],
    ['unwanted', undefined],
  );
  assert.deepEqual(of({ isExempt: true }), []);
  assert.deepEqual(of({ uploadedBytes: 10 * GIB }), []);
  assert.deepEqual(of({ seedSeconds: SETTINGS.seedSecondsRequired }), []);
  assert.deepEqual(of({ downloadedBytes: 1 }), []);
});

test('a buffer is what may be taken, or is to be given, to the byte', () => {
  const strategy = uploadDownload({ required: 0.6, graceBytes: GIB });
  for (const [uploadedBytes, downloadedBytes] of [
    [7 * GIB, 10 * GIB],
    [6 * GIB, 10 * GIB],
    [GIB, 10 * GIB],
    [0, 2 * GIB],
    [123_456_789, 987_654_321_000],
  ] as const) {
    const judged = (given: number, taken: number) =>
      strategy.judge({ ...historyOf(TORRENT), uploadedBytes: given, downloadedBytes: taken });
    const moved = { uploadedBytes, downloadedBytes };
    const buffer = bufferOf(judged(uploadedBytes, downloadedBytes), moved);
    assert.ok(buffer !== undefined);
    // A byte of room more or less is a rounding; a kilobyte would not be.
    if (buffer.kind === 'room') {
      assert.equal(judged(uploadedBytes, downloadedBytes + buffer.bytes - 1).state, 'met');
      assert.equal(judged(uploadedBytes, downloadedBytes + buffer.bytes + 1024).state, 'short');
    } else {
      assert.equal(judged(uploadedBytes + buffer.bytes + 1, downloadedBytes).state, 'met');
      assert.equal(judged(uploadedBytes + buffer.bytes - 1024, downloadedBytes).state, 'short');
    }
  }
  const grace = strategy.judge({ ...historyOf(TORRENT), downloadedBytes: GIB / 4 });
  const moved = { uploadedBytes: 0, downloadedBytes: GIB / 4 };
  assert.deepEqual(bufferOf(grace, moved), {
    ...{ kind: 'room', bytes: (3 * GIB) / 4, required: undefined },
  });
  assert.equal(bufferOf({ state: 'met', findings: [{ kind: 'no-rule' }] }, moved), undefined);
});
