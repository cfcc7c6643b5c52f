import assert from 'node:assert/strict';
import test from 'node:test';
import { peerIdOf } from '#accounting/test-announces.ts';
import { SeededRandom } from '#base/random.ts';
import { SimDisk } from '#sim/disk.ts';
import { type Baseline, baselineKeyText } from './baseline.ts';
import { BASELINE_ENTRY_BYTES, BASELINE_HEADER_BYTES } from './baseline-file.ts';
import { BaselineReader } from './baseline-reader.ts';
import { BaselineHeap, writeSnapshot } from './baseline-snapshot.ts';
import { RecentBaselines } from './recent-baselines.ts';
import { leaveStream, newStreams, STREAM_TRAIT } from './streams.ts';

const PATH = '/snapshot';
const SINCE = 1_767_225_600;
/** More than two of the reader's chunks. */
const BASELINES = 3000;

test('what a snapshot has of late is found in memory, and told, streams and all', async () => {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  const baselines = Array.from({ length: BASELINES }, (_, number) => baselineOf(number));
  const recent = await written(disk, baselines);
  const late = baselines.filter(({ lastSeenSeconds }) => lastSeenSeconds >= SINCE);
  assert.ok(late.length > 0 && late.length < BASELINES);
  assert.equal(recent.size, late.length);
  for (const each of baselines) {
    assert.deepEqual(recent.find(each), late.includes(each) ? each : undefined);
  }
  assert.equal(recent.find({ ...baselines[0]!, memberId: BASELINES + 1 }), undefined);
  const byKey = (list: Iterable<Baseline>) =>
    new Map([...list].map((each) => [baselineKeyText(each), each]));
  const given: Baseline[] = [];
  for (const some of recent.byTorrent(SINCE)) {
    assert.ok(some.every(({ torrentId }) => torrentId === some[0]?.torrentId));
    for (const each of some) given.push({ ...each, peerId: each.peerId.slice() });
  }
  assert.equal(given.length, late.length);
  assert.deepEqual(byKey(given), byKey(late));
});

test('what the log knows better is not told', async () => {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  const baselines = Array.from({ length: BASELINES }, (_, number) => ({
    ...baselineOf(number),
    lastSeenSeconds: SINCE,
  }));
  const recent = await written(disk, baselines);
  const replaced = baselines.filter((_, number) => number % 9 === 0);
  for (const each of replaced) recent.replace(each);
  recent.replace({ ...baselines[0]!, memberId: BASELINES + 1 });
  const given = new Set<string>();
  for (const some of recent.byTorrent(0)) {
    for (const each of some) given.add(baselineKeyText(each));
  }
  const rest = baselines.filter((each) => !replaced.includes(each));
  assert.deepEqual(given, new Set(rest.map(baselineKeyText)));
  assert.ok(recent.find(replaced[1]!) !== undefined);
});

test('a damaged baseline is left out and leads nobody astray', async () => {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  const baselines = Array.from({ length: BASELINES }, (_, number) => ({
    ...baselineOf(number),
    lastSeenSeconds: SINCE,
  }));
  const whole = await written(disk, baselines);
  // In the middle, where every search passes.
  const bytes = disk.bytesOf(PATH);
  const middle = Math.floor((bytes.byteLength - BASELINE_HEADER_BYTES) / BASELINE_ENTRY_BYTES / 2);
  bytes[BASELINE_HEADER_BYTES + middle * BASELINE_ENTRY_BYTES + 1]! ^= 0xff;
  disk.damage(PATH, bytes);
  const recent = await load(disk);
  assert.equal(recent.size, whole.size - 1);
  const missing = baselines.filter((each) => recent.find(each) === undefined);
  assert.equal(missing.length, 1);
});

async function written(disk: SimDisk, baselines: readonly Baseline[]): Promise<RecentBaselines> {
  const heap = new BaselineHeap();
  for (const each of baselines) heap.add(each);
  const header = { logId: 'log', epoch: 1, nextOffset: 0, madeAtMs: 0 };
  await writeSnapshot(disk, PATH, { header, heap, old: undefined, expiredBeforeSeconds: 0 });
  return await load(disk);
}

async function load(disk: SimDisk): Promise<RecentBaselines> {
  const reader = await BaselineReader.open(disk, PATH);
  const recent = await RecentBaselines.load(reader, SINCE);
  await reader.retire();
  return recent;
}

function baselineOf(number: number): Baseline {
  const streams = newStreams();
  leaveStream(streams, { key: 5, uploaded: 9, downloaded: 4 }, 3, STREAM_TRAIT.ended);
  return {
    memberId: 1 + number,
    torrentId: 0xffff_ff00 - (number % 40),
    peerId: peerIdOf('a'),
    ...{ uploaded: 2 ** 45 + number, downloaded: number, key: number, sequence: 0xffff_fff0 },
    ...{ left: Number.MAX_SAFE_INTEGER, completed: number % 2 === 0, passed: number % 3 === 0 },
    ...(number % 7 === 0 && { streams }),
    ...{ higherAtSeconds: 1, lastSeenSeconds: SINCE + (number % 5) - 2 },
  };
}
