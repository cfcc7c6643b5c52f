// Compaction by key: what stays, where it stands, who sees it, and what a crash leaves.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { below, SeededRandom } from '#base/random.ts';
import type { LogConfig } from '#log/config.ts';
import type { LogRecord, ReadRecord, ReadResult, TopicOptions } from '#log/log.ts';
import { verifyLog } from '#log/repair/verify.ts';
import { LogWorld } from '#sim/log-world.ts';

const LOOK_MS = 60_000;
const CONFIG: Partial<LogConfig> = {
  segmentBytesMax: 8192,
  preallocateBytes: 0,
  retentionEveryMs: LOOK_MS,
  scrubBytesPerSecond: 0,
  tombstoneMsMin: 0,
  compactionDirtyPercent: 1,
};
const COMPACT: TopicOptions = { consistency: 'durable', compact: true };

async function worldWith(
  options: TopicOptions = COMPACT,
  config: Partial<LogConfig> = {},
): Promise<LogWorld> {
  const world = await LogWorld.open({ ...CONFIG, ...config });
  await world.until(world.log.createTopic('state', options));
  return world;
}

function append(world: LogWorld, ...records: LogRecord[]): Promise<unknown> {
  return world.until(world.log.append('state', records));
}

function record(key: string, value: string): LogRecord {
  return { key: utf8(key), value: utf8(value) };
}

function tombstone(key: string): LogRecord {
  return { key: utf8(key), value: new Uint8Array(0), tombstone: true };
}

async function readAll(world: LogWorld): Promise<ReadRecord[]> {
  const all: ReadRecord[] = [];
  const { nextOffset } = await world.until(world.log.stats('state'));
  for (let from = 0; from < nextOffset; ) {
    const read = await world.until(world.log.read('state', { from, recordsMax: 7 }));
    assert.deepEqual(read.gaps, []);
    assert.ok(read.nextOffset > from, 'a read before the end always gets on');
    all.push(...read.records);
    from = read.nextOffset;
  }
  return all;
}

async function texts(world: LogWorld): Promise<string[]> {
  return (await readAll(world)).map(({ offset, key, value, tombstone: isGone }) => {
    const name = key === undefined ? '-' : Buffer.from(key).toString();
    return `${offset} ${name}=${isGone === true ? 'gone' : Buffer.from(value).toString()}`;
  });
}

/** `count` changes of keys `k0` to `k4`, and the sealing of what they wrote. */
async function change(world: LogWorld, count: number): Promise<void> {
  for (let nth = 0; nth < count; nth++) {
    await append(world, record(`k${nth % 5}`, `${nth}`.padEnd(100)));
  }
}

async function damaged(world: LogWorld): Promise<boolean> {
  return (await world.until(verifyLog({ disk: world.disk, folder: '/log' }))).isDamaged;
}

it('of each key the newest record of the sealed segments stays, at its offset, without a gap', async () => {
  const world = await worldWith();
  await append(world, { value: utf8('no key') });
  await change(world, 60);
  const before = await texts(world);
  const { bytes } = await world.until(world.log.stats('state'));
  await world.clock.run(2 * LOOK_MS);
  const after = await texts(world);
  assert.ok(after.length < 25 && after.length >= 5, `${after.length} stay`);
  assert.ok((await world.until(world.log.stats('state'))).bytes < bytes / 2);
  assert.ok(after.every((text) => before.includes(text)));
  assert.equal(after[0], '0 -=no key');
  assert.deepEqual(after.slice(-5), before.slice(-5));
  assert.equal(await damaged(world), false);
  await world.reopen(world.disk.crash());
  assert.deepEqual(await texts(world), after);
  assert.deepEqual(
    world.lines.filter(({ level }) => level !== 'info' && level !== 'debug'),
    [],
  );
  assert.equal((await world.until(world.log.append('state', [record('k0', 'x')]))).firstOffset, 61);
});

it('a reader may begin anywhere, also in a hole, and at a time', async () => {
  const world = await worldWith();
  await change(world, 60);
  await world.clock.run(2 * LOOK_MS);
  const all = await readAll(world);
  for (let from = 0; from < 60; from++) {
    const { records, gaps } = await world.until(world.log.read('state', { from }));
    const expected = all.filter(({ offset }) => offset >= from);
    assert.deepEqual([records[0]?.offset, gaps], [expected[0]?.offset, []], `from ${from}`);
  }
  const middle = all[Math.floor(all.length / 2)]!;
  const from = { timeMs: middle.timeMs };
  const { records } = await world.until(world.log.read('state', { from }));
  assert.ok(records[0]!.timeMs >= middle.timeMs);
});

it('a tombstone hides what was before it, and goes itself once every consumer is past it', async () => {
  const world = await worldWith();
  await append(world, record('k9', 'secret'));
  await append(world, tombstone('k9'));
  await world.until(world.log.commit('state', 'slow', 1));
  await change(world, 40);
  await world.clock.run(2 * LOOK_MS);
  let now = await texts(world);
  assert.ok(!now.some((text) => text.includes('secret')));
  assert.ok(now.includes('1 k9=gone'), 'slow has not seen it');
  await world.until(world.log.commit('state', 'slow', 40));
  await change(world, 40);
  await world.clock.run(2 * LOOK_MS);
  now = await texts(world);
  assert.ok(!now.some((text) => text.includes('k9')));
});

it('a young tombstone stays, and keys beyond the bound keep all their records', async () => {
  const young = await worldWith(COMPACT, { tombstoneMsMin: 86_400_000 });
  await append(young, tombstone('k9'));
  await change(young, 40);
  await young.clock.run(2 * LOOK_MS);
  assert.equal((await texts(young))[0], '0 k9=gone');

  const narrow = await worldWith(COMPACT, { compactionKeysMax: 2 });
  await change(narrow, 40);
  await narrow.clock.run(2 * LOOK_MS);
  const kept = await texts(narrow);
  assert.equal(kept.filter((text) => text.includes(' k4=')).length, 8);
  assert.ok(kept.filter((text) => text.includes(' k0=')).length < 8);
});

it('a topic that does not ask keeps every record, and control asks by its settings', async () => {
  const plain = await worldWith({ consistency: 'durable' });
  await change(plain, 40);
  await plain.clock.run(2 * LOOK_MS);
  assert.equal((await texts(plain)).length, 40);
  for (const controlCompact of [true, false]) {
    const world = await LogWorld.open({ ...CONFIG, controlCompact });
    await world.until(world.log.createTopic('control', { consistency: 'durable' }));
    for (let nth = 0; nth < 40; nth++) {
      await world.until(world.log.append('control', [record('member:7', `${nth}`.padEnd(200))]));
    }
    await world.clock.run(2 * LOOK_MS);
    const { records } = await world.until(world.log.read('control', { from: 0 }));
    assert.equal(records.length < 30, controlCompact);
  }
});

it('power lost at any moment of a compaction shows no value that was hidden, and loses none', async () => {
  const filled = async (): Promise<LogWorld> => {
    const world = await worldWith(COMPACT, { retentionEveryMs: 5_000 });
    await append(world, record('k9', 'secret'));
    await change(world, 16);
    await append(world, tombstone('k9'));
    await change(world, 25);
    return world;
  };
  const whole = await filled();
  const before = whole.disk.operations;
  await whole.clock.run(6_000);
  const operations = whole.disk.operations - before;
  const final = await texts(whole);
  assert.ok(final.length < 25);
  for (let seed = 1; seed <= 25; seed++) {
    const world = await filled();
    const stopAt = world.disk.operations + 1 + below(new SeededRandom(seed), operations);
    const words = `seed ${seed}`;
    world.disk.onOperation = () => (world.disk.operations >= stopAt ? 'EIO' : undefined);
    await world.clock.run(6_000);
    world.disk.onOperation = undefined;
    await world.reopen(world.disk.crash());
    const found = await texts(world);
    const isHidden = found.some((text) => text.includes('k9=gone'));
    const isShown = found.some((text) => text.includes('secret'));
    assert.ok(isHidden || !isShown, words);
    for (const text of final) assert.ok(found.includes(text), `${words}: ${text} is gone`);
    assert.equal(await damaged(world), false, words);
    // The next look ends what this one began, and nothing is left lying about.
    await append(world, record('k0', 'again'));
    await world.clock.run(6_000);
    const names = await world.until(world.disk.list('/log/state'));
    assert.deepEqual(
      names.filter((name) => name.endsWith('.rewrite')),
      [],
      words,
    );
    assert.ok((await texts(world)).length <= final.length + 1, words);
  }
});

it('damage in a segment that is compacted stays damage, and its neighbours stay', async () => {
  const world = await worldWith();
  await change(world, 40);
  const path = '/log/state/00000000000000000000.log';
  const bytes = world.disk.bytesOf(path);
  bytes[512 * 3 + 80] = bytes[512 * 3 + 80]! ^ 0x55;
  world.disk.damage(path, bytes);
  await world.clock.run(2 * LOOK_MS);
  const { gaps } = await world.until(world.log.read('state', { from: 0 }));
  assert.deepEqual(
    gaps.map(({ first, next }) => [first, next]),
    [[2, 3]],
  );
});

it('readers that go on while segments are replaced lose and repeat nothing', async () => {
  const world = await worldWith(COMPACT, { retentionEveryMs: 10, openFilesMax: 4, indexesMax: 1 });
  const random = new SeededRandom(7);
  const newest = new Map<string, string>();
  for (let nth = 0; nth < 300; nth++) {
    const key = `k${below(random, 9)}`;
    newest.set(key, `${nth}`);
    await append(world, record(key, `${nth}`.padEnd(80)));
    const reading = world.log.read('state', { from: below(random, nth + 1) });
    world.clock.advance(below(random, 15));
    const { gaps, records } = await world.until(reading);
    assert.deepEqual(gaps, [], `after ${nth}`);
    assert.ok(records.every(({ offset }, at) => at === 0 || offset > records[at - 1]!.offset));
  }
  const held = new Map<string, string>();
  for (const { key, value } of await readAll(world)) {
    held.set(Buffer.from(key!).toString(), Buffer.from(value).toString().trim());
  }
  assert.deepEqual(held, newest);
  assert.ok(!world.lines.some(({ message }) => /damage/.test(message)));
});

function withoutGap({ records, gaps }: ReadResult): readonly ReadRecord[] {
  assert.deepEqual(gaps, []);
  return records;
}

it('a read that begins at any operation of a replacement finds one file or the other, whole', async () => {
  for (const openFilesMax of [4, 256]) {
    const world = await worldWith(COMPACT, { openFilesMax, indexesMax: 1, retentionEveryMs: 5000 });
    await change(world, 60);
    const reads: Promise<readonly ReadRecord[]>[] = [];
    world.disk.onOperation = (operation) => {
      if (operation !== 'read' && operation !== 'open' && reads.length < 200) {
        const reading = world.log.read('state', { from: 0, bytesMax: 100_000 });
        reads.push(reading.then(withoutGap));
      }
      return undefined;
    };
    await world.clock.run(6000);
    world.disk.onOperation = undefined;
    const all = await world.until(Promise.all(reads));
    assert.ok(all.length > 10);
    for (const records of all) {
      assert.deepEqual(
        records.slice(-5).map(({ offset }) => offset),
        [55, 56, 57, 58, 59],
      );
    }
    assert.ok(!world.lines.some(({ message }) => /damage/.test(message)));
  }
});

const FROM = [900, 1100, 2100];

/** What reads in the middle of segments give that begin at the operations of their replacement. */
async function readsDuringReplacement(): Promise<ReadResult[]> {
  // So large that its index has several entries: one of the old file leads past records of the new one.
  const config = { segmentBytesMax: 256 * 1024, openFilesMax: 4, indexesMax: 1 };
  const world = await worldWith(COMPACT, { ...config, retentionEveryMs: 5000 });
  const many = Array.from({ length: 20 }, (_, nth) => record(`k${nth}`, 'x'.repeat(200)));
  for (let nth = 0; nth < 150; nth++) await append(world, ...many, record(`own ${nth}`, 'x'));
  const { disk } = world;
  const reads: Promise<ReadResult>[] = [];
  disk.onOperation = (operation) => {
    if (operation !== 'read' && operation !== 'open' && reads.length < 400) {
      for (const from of FROM) reads.push(world.log.read('state', { from, recordsMax: 1 }));
    }
    return undefined;
  };
  await world.clock.run(15_000);
  disk.onOperation = undefined;
  const all = await world.until(Promise.all(reads));
  const isDamaged = world.lines.some(({ message }) => /damage/.test(message));
  assert.equal(isDamaged, false);
  return all;
}

it('a read that begins at any operation of a replacement, in the middle of a segment, has no gap', async () => {
  const all = await readsDuringReplacement();
  assert.ok(all.length > 20);
  for (const [nth, result] of all.entries()) {
    const [first] = withoutGap(result);
    // Of every round the last record is the newest of its key, before and after.
    const from = FROM[nth % FROM.length]!;
    const newest = from + 20 - (from % 21);
    assert.ok(first !== undefined && first.offset <= newest, `${first?.offset} from ${from}`);
  }
});
