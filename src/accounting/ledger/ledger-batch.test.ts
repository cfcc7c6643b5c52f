import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  creditOf,
  RECORD_FLAG,
  type TransferRecord,
} from '#accounting/transfers/transfer-record.ts';
import { below, SeededRandom } from '#base/random.ts';
import { MemoryLog } from '#sim/memory-log.ts';
import { LedgerBatch, type LedgerEntry } from './ledger-batch.ts';
import { LedgerDays } from './ledger-days.ts';
import { ReadBatch } from './ledger-read.ts';

const DAY_MS = 86_400_000;
const FIRST_MS = 20_000 * DAY_MS;

function recordOf(random: SeededRandom, pair: number): TransferRecord {
  const peerId = random.bytes(20);
  // Half of them are clients that say what they are.
  if (below(random, 2) === 0) peerId.set(Buffer.from('-TR4060-'));
  return {
    event: 0,
    flags: below(random, 4) === 0 ? RECORD_FLAG.completes : 0,
    door: 0,
    family: 4,
    port: 6881,
    memberId: pair % 61,
    torrentId: 1 + Math.floor(pair / 61),
    peerId,
    key: 1,
    sequence: 1,
    elapsedSeconds: below(random, 5000),
    uploadedDelta: below(random, 9) === 0 ? Number.MAX_SAFE_INTEGER : below(random, 1_000_000),
    downloadedDelta: below(random, 1_000_000),
    uploaded: Number.MAX_SAFE_INTEGER,
    downloaded: 1_000_000,
    left: below(random, 3),
    timeMs: FIRST_MS + below(random, 8 * DAY_MS),
    address: new Uint8Array(16),
    uploadCreditPercent: [0, 50, 100, 200][below(random, 4)]!,
    downloadCreditPercent: 100,
    hashVersion: 1,
  };
}

const held = (...parts: readonly number[]): number => {
  const sum = parts.reduce((one, other) => one + BigInt(other), 0n);
  return sum > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(sum);
};

function sumsOf(records: readonly TransferRecord[]) {
  const of = (value: (record: TransferRecord) => number): number => held(...records.map(value));
  return {
    uploadedBytes: of((record) => record.uploadedDelta),
    downloadedBytes: of((record) => record.downloadedDelta),
    creditedUploadedBytes: of((one) => creditOf(one.uploadedDelta, one.uploadCreditPercent)),
    creditedDownloadedBytes: of((one) => creditOf(one.downloadedDelta, one.downloadCreditPercent)),
  };
}

function entryOf(records: readonly TransferRecord[]): LedgerEntry {
  const { memberId, torrentId } = records[0]!;
  const { left, peerId } = records.at(-1)!;
  const times = records.map(({ timeMs }) => timeMs);
  const completing = records.filter(({ flags }) => flags === RECORD_FLAG.completes);
  const client = Buffer.from(peerId.subarray(0, 8)).toString('latin1');
  return {
    memberId,
    torrentId,
    ...sumsOf(records),
    seedSeconds: 0,
    seedingPlace: -1,
    records: records.length,
    firstSeenMs: Math.min(...times),
    lastSeenMs: Math.max(...times),
    completedMs: completing[0]?.timeMs ?? 0,
    completions: completing.length,
    leftBytes: left,
    client: /^[\x20-\x7e]{8}$/.test(client) ? client : '',
  };
}

/** One by one: what differs in thousands of them at once takes gigabytes to tell. */
function assertSame(some: readonly object[], others: readonly object[]): void {
  assert.equal(some.length, others.length);
  for (const [at, one] of some.entries()) assert.deepEqual(one, others[at]);
}

test('a batch has the sums of each pair, however many there are, and goes on from what it had', () => {
  const random = new SeededRandom(11);
  const all = Array.from({ length: 9000 }, () => recordOf(random, below(random, 2600)));
  const expected = [...Map.groupBy(all, (one) => `${one.memberId}:${one.torrentId}`).values()];
  const whole = new LedgerBatch();
  for (const record of all) whole.add(record);
  assert.ok(whole.size > 2048);
  assertSame(whole.entries, expected.map(entryOf));
  const second = new LedgerBatch();
  const first = new LedgerBatch();
  for (const record of all.slice(0, 4000)) first.add(record);
  for (const entry of first.entries) second.begin(entry);
  assertSame(second.entries, first.entries);
  for (const record of all.slice(4000)) second.add(record);
  assertSame(second.entries, whole.entries);
});

test('the days of members have the sums of theirs, however many there are', () => {
  const random = new SeededRandom(12);
  const all = Array.from({ length: 4000 }, () => recordOf(random, below(random, 2600)));
  const named = all.filter(({ memberId }) => memberId !== 0);
  const dayOf = ({ timeMs }: TransferRecord): number => Math.floor(timeMs / DAY_MS);
  const expected = [...Map.groupBy(named, (one) => `${one.memberId}:${dayOf(one)}`).values()];
  const days = new LedgerDays();
  for (const record of all) days.add(record);
  assert.ok(days.size > 256);
  assertSame(
    days.days,
    expected.map((records) => ({
      memberId: records[0]!.memberId,
      day: dayOf(records[0]!),
      ...sumsOf(records),
      seedSeconds: 0,
      leechSeconds: held(...records.map((record) => Math.min(3600, record.elapsedSeconds))),
    })),
  );
  const copy = new LedgerDays();
  for (const day of days.days) copy.begin(day);
  copy.addSeeded(1, FIRST_MS, 7);
  days.addSeeded(1, FIRST_MS, 7);
  assertSame(copy.days, days.days);
});

function tellsOf(batch: LedgerBatch): readonly object[] {
  const all: object[] = [];
  batch.tells.forEach((pair, told) => {
    all.push({ pair, ...told });
  });
  return all;
}

for (const [name, records, pairs] of [
  ['few', 9000, 2600],
  ['more than are kept room for', 270_000, 70_000],
] as const) {
  test(`a batch that begins anew has nothing of the one before: ${name}`, () => {
    const random = new SeededRandom(14);
    const some = Array.from({ length: 5000 }, () => recordOf(random, below(random, 1300)));
    const read = new ReadBatch({ log: new MemoryLog() }, 7);
    for (let nth = 0; nth < records; nth++) {
      const [torrentId, before] = [1 + (nth % pairs), some[nth % some.length]!];
      const record = { ...before, torrentId, memberId: torrentId, left: 0 };
      read.batch.add(record);
      read.days.add(record);
    }
    assert.equal(read.batch.entries[3]?.seedingPlace, -1);
    read.batch.placeSeeding(3, 5);
    read.batch.addSeeded(3, 60);
    assert.equal(read.batch.entries[3]?.seedingPlace, 5);
    read.restart(100);
    assert.deepEqual([read.from, read.nextOffset, read.records, read.batch.size], [100, 100, 0, 0]);
    const fresh = new ReadBatch({ log: new MemoryLog() }, 100);
    for (const { batch, days } of [read, fresh]) {
      for (const record of some) {
        batch.add(record);
        days.add(record);
      }
    }
    assertSame(read.batch.entries, fresh.batch.entries);
    assertSame(read.days.days, fresh.days.days);
    assertSame(tellsOf(read.batch), tellsOf(fresh.batch));
    assert.deepEqual(read.batch.tells.pairs, fresh.batch.tells.pairs);
  });
}

test('a read of what is waited for ends by its pairs, and otherwise by its records', () => {
  const batch = new ReadBatch({ log: new MemoryLog() }, 0);
  const random = new SeededRandom(13);
  for (let pair = 0; pair < 3; pair++) {
    for (let times = 0; times < 3; times++) batch.batch.add(recordOf(random, pair));
  }
  assert.equal(batch.isFull({ recordsMax: 10, pairsMax: 4 }), false);
  assert.equal(batch.isFull({ recordsMax: 10, pairsMax: 3 }), true);
  assert.equal(batch.isFull({ recordsMax: 9, pairsMax: 4 }), true);
});
