import assert from 'node:assert/strict';
import test from 'node:test';
import { accountingConfig } from '#accounting/config.ts';
import { peerIdOf, TestAnnounces } from '#accounting/test-announces.ts';
import { TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import { toHex } from '#base/bytes.ts';
import { type LogLine, memoryLogger } from '#base/logger.ts';
import { below, SeededRandom } from '#base/random.ts';
import { SimClock } from '#sim/clock.ts';
import { SimDisk } from '#sim/disk.ts';
import { MemoryLog } from '#sim/memory-log.ts';
import type { Baseline } from './baseline.ts';
import {
  BASELINE_ENTRY_BYTES,
  BASELINE_HEADER_BYTES,
  decodeBaseline,
  decodeBaselineHeader,
  encodeBaseline,
  encodeBaselineHeader,
  entriesAt,
} from './baseline-file.ts';
import { BaselineStore, type TransferBarrier } from './baseline-store.ts';
import { leaveStream, newStreams, STREAM_TRAIT, type Streams, widenGaps } from './streams.ts';

const FOLDER = '/baselines';
const NOW_SECONDS = Date.UTC(2026, 0, 1) / 1000;
const SETTLED: TransferBarrier = {
  losses: 0,
  appendedTo: undefined,
  settled: async () => undefined,
};

function baseline(over: Partial<Baseline> = {}): Baseline {
  return {
    memberId: 7,
    torrentId: 9,
    peerId: peerIdOf('a'),
    uploaded: 2 ** 40,
    downloaded: 3,
    key: 0xdead_beef,
    sequence: 5,
    higherAtSeconds: NOW_SECONDS - 10,
    left: Number.MAX_SAFE_INTEGER,
    completed: true,
    passed: false,
    lastSeenSeconds: NOW_SECONDS,
    ...over,
  };
}

interface World {
  disk: SimDisk;
  readonly log: MemoryLog;
  readonly clock: SimClock;
  readonly lines: LogLine[];
  open(): Promise<BaselineStore>;
}

function world(seed = 1): World {
  const made: World = {
    disk: new SimDisk({ random: new SeededRandom(seed) }),
    log: new MemoryLog(),
    clock: new SimClock(),
    lines: [],
    open: () =>
      BaselineStore.open({
        disk: made.disk,
        folder: FOLDER,
        log: made.log,
        clock: made.clock,
        logger: memoryLogger(made.lines),
        config: accountingConfig.parse({}),
      }),
  };
  return made;
}

async function snapshot(
  store: BaselineStore,
  baselines: Iterable<Baseline> = [],
): Promise<boolean> {
  const writer = store.beginSnapshot(SETTLED);
  for (const each of baselines) writer.add(each);
  return await writer.commit();
}

test('a snapshot has these bytes and no others', () => {
  const header = encodeBaselineHeader({
    logId: 'log-1',
    epoch: 1,
    nextOffset: 258,
    madeAtMs: 1_767_225_600_000,
    entries: 2,
  });
  assert.equal(
    toHex(header),
    '53574b4241534532' +
      `6c6f672d31${'00'.repeat(59)}` +
      '0100000000000000' +
      '0201000000000000' +
      '00a8da769b010000' +
      '0200000000000000' +
      '00'.repeat(20) +
      '85e8dbe9',
  );
  const entry = new Uint8Array(BASELINE_ENTRY_BYTES);
  encodeBaseline(entry, 0, baseline());
  assert.equal(
    toHex(entry),
    '00000007000000092d5452343035302d612e2e2e2e2e2e2e2e2e2e2eefbeadde0500000001000000' +
      '00000000000100000300000000000000ffffffffffff1f00' +
      'f6b8556900b955690ec3679b',
  );
});

/** Two streams, as of a client that began anew and then had a second tier. */
function streams(): Streams {
  const made = newStreams();
  leaveStream(made, { uploaded: 2 ** 53 - 1, downloaded: 7, key: 9, passed: true }, NOW_SECONDS);
  widenGaps(made, -5, 2 ** 40);
  leaveStream(made, { uploaded: 1, downloaded: 2, key: 0 }, NOW_SECONDS - 1, STREAM_TRAIT.outrun);
  return made;
}

test('a baseline with streams has these bytes and no others, and comes back as it was', () => {
  const whole = baseline({ passed: true, streams: streams() });
  const bytes = new Uint8Array(3 * BASELINE_ENTRY_BYTES);
  encodeBaseline(bytes, 0, whole);
  assert.equal(entriesAt(bytes, 0), 3);
  assert.deepEqual(decodeBaseline(bytes, 0), whole);
  assert.equal(toHex(bytes.subarray(36, 40)), '23000000');
  assert.equal(
    toHex(bytes.subarray(BASELINE_ENTRY_BYTES, 2 * BASELINE_ENTRY_BYTES)),
    '00000007000000092d5452343035302d612e2e2e2e2e2e2e2e2e2e2e0900000000b9556902010000' +
      'ffffffffffff1f00070000000000000000000000000014c000000000000070423b30faa6',
  );
  // A stream that is damaged, missing or another's takes its baseline with it.
  for (const at of [BASELINE_ENTRY_BYTES + 50, 3 * BASELINE_ENTRY_BYTES - 1]) {
    const damaged = bytes.slice();
    damaged[at]! ^= 1;
    assert.equal(decodeBaseline(damaged, 0), undefined);
  }
  assert.equal(decodeBaseline(bytes.subarray(0, 2 * BASELINE_ENTRY_BYTES), 0), undefined);
  assert.equal(decodeBaseline(bytes, BASELINE_ENTRY_BYTES), undefined);
});

test('a snapshot of version 1 is read as one without streams', () => {
  const header = Buffer.from(
    `53574b42415345316c6f672d31${'00'.repeat(59)}0100000000000000020100000000000000a8da769b010000` +
      `0200000000000000${'00'.repeat(20)}819dd151`,
    'hex',
  );
  const sizeBytes = BASELINE_HEADER_BYTES + 2 * BASELINE_ENTRY_BYTES;
  assert.equal(decodeBaselineHeader(header, sizeBytes)?.nextOffset, 258);
  const entry = new Uint8Array(BASELINE_ENTRY_BYTES);
  encodeBaseline(entry, 0, baseline());
  assert.equal(decodeBaseline(entry, 0)?.streams, undefined);
});

test('streams come back from a snapshot wherever they stand in it, and from the next one', async () => {
  const w = world();
  let store = await w.open();
  const members = Array.from({ length: 3000 }, (_, at) => at + 1);
  const of = (memberId: number): Baseline =>
    baseline({ memberId, ...(memberId % 3 !== 0 && { streams: streams() }) });
  for (let round = 0; round < 2; round++) {
    for (const memberId of members) if (memberId % 2 === round) store.keep(of(memberId));
    await snapshot(store);
    await store.close();
    store = await w.open();
  }
  for (const memberId of members) assert.deepEqual(await store.find(of(memberId)), of(memberId));
  assert.equal([...store.recent(0)].flat().length, members.length);
  await store.close();
});

test('decoding a snapshot refuses what its checksums and length do not fit, and never throws', () => {
  const random = new SeededRandom(1);
  const entry = new Uint8Array(BASELINE_ENTRY_BYTES);
  encodeBaseline(entry, 0, baseline());
  assert.deepEqual(decodeBaseline(entry, 0), baseline());
  const shape = { logId: 'x'.repeat(64), epoch: 3, nextOffset: 9, madeAtMs: 1, entries: 4 };
  const header = encodeBaselineHeader(shape);
  const sizeBytes = BASELINE_HEADER_BYTES + 4 * BASELINE_ENTRY_BYTES;
  assert.deepEqual(decodeBaselineHeader(header, sizeBytes), shape);
  assert.equal(decodeBaselineHeader(header, sizeBytes + 1), undefined);
  assert.equal(decodeBaselineHeader(header.subarray(1), sizeBytes), undefined);
  for (let round = 0; round < 500; round++) {
    const damaged = [entry.slice(), header.slice()] as const;
    for (const bytes of damaged) bytes[below(random, bytes.length)]! ^= 1 + below(random, 255);
    assert.equal(decodeBaseline(damaged[0], 0), undefined);
    assert.equal(decodeBaselineHeader(damaged[1], sizeBytes), undefined);
  }
});

test('what was kept and what was in the swarm is found after a restart', async () => {
  const w = world();
  const store = await w.open();
  store.keep(baseline({ memberId: 1 }));
  assert.equal(await snapshot(store, [baseline({ memberId: 2 }), baseline({ memberId: 3 })]), true);
  assert.equal(store.overlayEntries, 0);
  await store.close();
  const again = await w.open();
  for (const memberId of [1, 2, 3]) {
    assert.deepEqual(await again.find(baseline({ memberId })), baseline({ memberId }));
  }
  assert.equal(await again.find(baseline({ memberId: 4 })), undefined);
  assert.equal([...again.recent(NOW_SECONDS)].flat().length, 3);
});

test('thousands are found by reading a few entries, and none that is not there', async () => {
  const w = world();
  const store = await w.open();
  const random = new SeededRandom(3);
  const many = Array.from({ length: 6000 }, (_, at) =>
    baseline({ memberId: 1 + below(random, 500), torrentId: at, uploaded: at }),
  );
  await snapshot(store, many);
  // A second one merges with the first.
  await snapshot(
    store,
    many.slice(0, 3000).map((each) => ({ ...each, sequence: 6 })),
  );
  for (let round = 0; round < 500; round++) {
    const one = many[below(random, many.length)]!;
    const found = await store.find(one);
    assert.equal(found?.uploaded, one.uploaded);
    assert.equal(found?.sequence, one.torrentId < 3000 ? 6 : 5);
    assert.equal(await store.find({ ...one, torrentId: one.torrentId + 6000 }), undefined);
  }
});

test('of two of the same client the one with the highest sequence wins', async () => {
  const w = world();
  const store = await w.open();
  await snapshot(store, [baseline({ sequence: 5, uploaded: 50 })]);
  store.keep(baseline({ sequence: 8, uploaded: 80 }));
  assert.equal((await store.find(baseline()))?.uploaded, 80);
  await snapshot(store, [baseline({ sequence: 7, uploaded: 70 })]);
  assert.equal((await store.find(baseline()))?.uploaded, 80);
  await snapshot(store, [baseline({ sequence: 6, uploaded: 60 })]);
  assert.equal((await store.find(baseline()))?.uploaded, 80);
});

test('after 21 days of silence a baseline is gone', async () => {
  const w = world();
  const store = await w.open();
  store.keep(baseline({ memberId: 1 }));
  await snapshot(store, [baseline({ memberId: 2 })]);
  await w.clock.run(21 * 86_400_000 + 1000);
  assert.equal(await store.find(baseline({ memberId: 1 })), undefined);
  assert.equal(await store.find(baseline({ memberId: 2 })), undefined);
  store.keep(baseline({ memberId: 3, lastSeenSeconds: w.clock.nowMs() / 1000 }));
  await snapshot(store);
  await store.close();
  const file = await w.disk.stat(`${FOLDER}/baselines-00000002.snapshot`);
  assert.equal(file?.sizeBytes, BASELINE_HEADER_BYTES + BASELINE_ENTRY_BYTES);
});

test('records behind the snapshot are read from the log at start', async () => {
  const w = world();
  await w.log.createTopic(TRANSFERS_TOPIC);
  const announces = new TestAnnounces();
  const append = async (uploaded: number, at: number): Promise<void> => {
    const value = announces.announce({ uploaded, at, key: at === 2 ? 0 : 77 });
    await w.log.append(TRANSFERS_TOPIC, [{ value }]);
  };
  await append(10, 1);
  const store = await w.open();
  await snapshot(store);
  await append(30, 2);
  await append(20, 3);
  await store.close();
  const again = await w.open();
  const found = await again.find({ memberId: 1, torrentId: 1, peerId: peerIdOf('a') });
  const [expected] = announces.baselines.values();
  assert.deepEqual(found, expected);
  assert.equal(found?.uploaded, 30);
  assert.equal(found?.key, 77);
});

test('a snapshot is given up when records were lost while it was made', async () => {
  const w = world();
  const store = await w.open();
  let losses = 0;
  const barrier: TransferBarrier = {
    get losses() {
      return losses;
    },
    appendedTo: undefined,
    settled: async () => {
      losses++;
    },
  };
  const writer = store.beginSnapshot(barrier);
  writer.add(baseline());
  assert.equal(await writer.commit(), false);
  assert.equal(await store.find(baseline()), undefined);
  assert.equal(await snapshot(store, [baseline()]), true);
});

test('a snapshot that knows more than the log is not used', async () => {
  const w = world();
  await w.log.createTopic(TRANSFERS_TOPIC);
  await w.log.append(TRANSFERS_TOPIC, [{ value: new TestAnnounces().announce({}) }]);
  const store = await w.open();
  await snapshot(store, [baseline()]);
  await store.close();
  w.log.cut(TRANSFERS_TOPIC, 0);
  assert.equal(await (await w.open()).find(baseline()), undefined);
});

test('a damaged snapshot is set aside and the one before it is used', async () => {
  const w = world();
  const store = await w.open();
  await snapshot(store, [baseline({ memberId: 1 })]);
  await snapshot(store, [baseline({ memberId: 2 })]);
  await store.close();
  const file = await w.disk.open(`${FOLDER}/baselines-00000002.snapshot`, { write: true });
  await file.write(new Uint8Array([1]), 3);
  await file.close();
  const again = await w.open();
  assert.equal((await again.find(baseline({ memberId: 1 })))?.memberId, 1);
  assert.equal(await again.find(baseline({ memberId: 2 })), undefined);
  assert.ok((await w.disk.list(FOLDER)).includes('baselines-00000002.snapshot.damaged'));
  await snapshot(again);
  assert.deepEqual(
    (await w.disk.list(FOLDER)).filter((name) => name.endsWith('.snapshot')),
    ['baselines-00000001.snapshot', 'baselines-00000003.snapshot'].slice(
      (await w.disk.list(FOLDER)).includes('baselines-00000001.snapshot') ? 0 : 1,
    ),
  );
});

test('a damaged entry is left out alone', async () => {
  const w = world();
  const store = await w.open();
  await snapshot(
    store,
    Array.from({ length: 10 }, (_, at) => baseline({ memberId: at + 1 })),
  );
  await store.close();
  const file = await w.disk.open(`${FOLDER}/baselines-00000001.snapshot`, { write: true });
  await file.write(new Uint8Array([0xff, 0xff]), BASELINE_HEADER_BYTES + 42);
  await file.close();
  const again = await w.open();
  await snapshot(again);
  const found = await Promise.all(
    Array.from({ length: 10 }, (_, at) => again.find(baseline({ memberId: at + 1 }))),
  );
  assert.equal(found.filter((each) => each !== undefined).length, 9);
  assert.ok(w.lines.some((line) => line.level === 'warn'));
});

test('power lost at any moment of a snapshot leaves the old one or the new one', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const w = world(seed);
    const store = await w.open();
    await snapshot(store, [baseline({ uploaded: 1, sequence: 1 })]);
    const stopAt = w.disk.operations + 1 + (seed % 14);
    w.disk.onOperation = () => (w.disk.operations >= stopAt ? 'EIO' : undefined);
    const done = await snapshot(store, [baseline({ uploaded: 2, sequence: 2 })]).catch(() => false);
    w.disk = w.disk.crash();
    const found = await (await w.open()).find(baseline());
    const words = `seed ${seed}: node -C swarmkeep-src --test src/accounting/baselines/baseline-store.test.ts`;
    if (done) assert.equal(found?.uploaded, 2, words);
    else assert.ok(found?.uploaded === 1 || found?.uploaded === 2, words);
  }
});

test('memory is bounded: the oldest are forgotten, and it is said', async () => {
  const lines: LogLine[] = [];
  const w = world();
  const store = await BaselineStore.open({
    disk: w.disk,
    folder: FOLDER,
    log: w.log,
    clock: w.clock,
    logger: memoryLogger(lines),
    config: { ...accountingConfig.parse({}), baselineOverlayEntriesMax: 10 },
  });
  for (let at = 1; at <= 15; at++) store.keep(baseline({ memberId: at }));
  assert.equal(store.overlayEntries, 10);
  assert.equal(await store.find(baseline({ memberId: 5 })), undefined);
  assert.equal((await store.find(baseline({ memberId: 6 })))?.memberId, 6);
  assert.equal(lines.length, 1);
  assert.equal(store.isSnapshotDue, true);
});
