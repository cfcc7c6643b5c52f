import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  RECORD_FLAG,
  TRANSFER_EVENT,
  type TransferRecord,
} from '#accounting/transfers/transfer-record.ts';
import { RecentMap } from './recent-map.ts';
import { type SignalSettings, SignalWatch } from './signal-watch.ts';

const GIB = 2 ** 30;
const HOUR = 3_600_000;
const SETTINGS: SignalSettings = {
  lineBytesPerSecondMax: 125_000_000,
  networksMax: 3,
  isEverybodyNamed: true,
};
const SIZES = new Map([[1, 10 * GIB]]);

function record(more: Partial<TransferRecord> & { readonly atHours?: number }): TransferRecord {
  const { atHours = 0, ...rest } = more;
  return {
    event: TRANSFER_EVENT.none,
    flags: 0,
    door: 0,
    family: 4,
    port: 1,
    memberId: 1,
    torrentId: 1,
    peerId: new Uint8Array(20),
    key: 0,
    sequence: 2,
    elapsedSeconds: 1800,
    uploadedDelta: 0,
    downloadedDelta: 0,
    uploaded: 0,
    downloaded: 0,
    left: 0,
    timeMs: atHours * HOUR,
    address: new Uint8Array(16),
    uploadCreditPercent: 100,
    downloadCreditPercent: 100,
    hashVersion: 1,
    ...rest,
  };
}

/** The kinds of signals, record by record. */
function kinds(records: readonly TransferRecord[], settings = SETTINGS): string[][] {
  const watch = new SignalWatch(settings);
  return records.map((one) => watch.see(one, SIZES).map((signal) => signal.kind));
}

test('who gives faster than a line can is shown, also when the interval is short', () => {
  const fast = { uploadedDelta: 300 * GIB, elapsedSeconds: 1800 };
  const fine = { uploadedDelta: 200 * GIB, elapsedSeconds: 1800 };
  assert.deepEqual(kinds([record(fast), record(fine)]), [['too-fast'], []]);
  // A second says nothing: it counts as a minute.
  assert.deepEqual(kinds([record({ uploadedDelta: 5 * GIB, elapsedSeconds: 1 })]), [[]]);
  assert.deepEqual(kinds([record({ uploadedDelta: 9 * GIB, elapsedSeconds: 1 })]), [['too-fast']]);
});

test('who gives where nobody else wanted anything is shown, once all of the time is known', () => {
  const giving = { uploadedDelta: GIB, downloaded: 1 };
  const leecher = { memberId: 2, left: 5 };
  assert.deepEqual(
    kinds([
      // Nobody knows yet who was there before.
      record({ ...giving, atHours: 0 }),
      record({ ...leecher, atHours: 1 }),
      record({ ...giving, atHours: 2 }),
      record({ ...giving, atHours: 3 }),
      // The leecher was seen last four hours ago.
      record({ ...giving, atHours: 5 }),
      // Wanting it oneself is nobody to give to.
      record({ ...giving, atHours: 6, left: 5 }),
    ]),
    [[], [], [], [], ['no-leechers'], ['no-leechers']],
  );
  const open = { ...SETTINGS, isEverybodyNamed: false };
  const late = [record({ atHours: 0 }), record({ ...giving, atHours: 9 })];
  assert.deepEqual(
    [kinds(late), kinds(late, open)],
    [
      [[], ['no-leechers']],
      [[], []],
    ],
  );
});

test('more networks in an hour than are allowed are shown once an hour', () => {
  const from = (network: number, atHours: number): TransferRecord =>
    record({ address: Uint8Array.from([10, network, ...Array(14).fill(1)]), atHours });
  const hops = [1, 2, 3, 1, 4, 5].map((network, at) => from(network, at / 10));
  assert.deepEqual(kinds(hops).flat(), ['many-networks']);
  const slow = [1, 2, 3, 4, 5, 6].map((network, at) => from(network, at / 2));
  assert.deepEqual(kinds(slow).flat(), []);
  const dual = [1, 2, 3].flatMap((network) => [
    from(network, 0),
    record({ family: 6, address: Uint8Array.from([32, 1, 0, network, ...Array(12).fill(1)]) }),
  ]);
  assert.deepEqual(kinds(dual).flat(), []);
});

test('missing much less than before without having taken it is shown, but for a client that starts', () => {
  const taken = { left: 6 * GIB, downloadedDelta: 4 * GIB, downloaded: 4 * GIB };
  const steps = [
    record({ left: 10 * GIB }),
    record(taken),
    record({ left: GIB, downloaded: 4 * GIB }),
  ];
  assert.deepEqual(kinds(steps), [[], [], ['left-jump']]);
  const restarts = [
    record({ left: 10 * GIB }),
    record({ left: 0, event: TRANSFER_EVENT.started }),
    record({ left: 10 * GIB, peerId: new Uint8Array(20).fill(7) }),
    record({ left: 0, flags: RECORD_FLAG.reset, peerId: new Uint8Array(20).fill(7) }),
  ];
  assert.deepEqual(kinds(restarts).flat(), []);
});

test('who has nothing and gives is shown', () => {
  const empty = { left: 10 * GIB, uploadedDelta: GIB };
  assert.deepEqual(kinds([record(empty)]), [['gives-without-any']]);
  assert.deepEqual(kinds([record({ ...empty, downloaded: 1 })]), [[]]);
  assert.deepEqual(kinds([record({ ...empty, torrentId: 2 })]), [[]]);
});

test('who is not named makes no signal, and what is remembered is bounded', () => {
  assert.deepEqual(kinds([record({ memberId: 0, uploadedDelta: 300 * GIB })]), [[]]);
  const map = new RecentMap<number, number>(2);
  for (const key of [1, 2, 1, 3]) map.set(key, key);
  assert.deepEqual([map.size, map.get(1), map.get(2), map.get(3)], [2, 1, undefined, 3]);
});
