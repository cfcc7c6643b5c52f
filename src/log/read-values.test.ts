import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { below, SeededRandom } from '#base/random.ts';
import { LogWorld } from '#sim/log-world.ts';
import type { Log, LogRecord } from './log.ts';
import { readValues, type ValueLog } from './read-values.ts';

const SEEDS = 40;
const SEGMENT_BYTES_MAX = 8192;

/** Appends of all kinds, with holes and compressed ones, in a few segments of which some are damaged. */
async function filled(random: SeededRandom): Promise<LogWorld> {
  const world = await LogWorld.open({ segmentBytesMax: SEGMENT_BYTES_MAX });
  const codec = below(random, 2) === 0 ? 'none' : 'zstd';
  await world.until(world.log.createTopic('values', { consistency: 'durable', codec }));
  for (let append = 0; append < 25; append++) {
    const records = Array.from({ length: 1 + below(random, 30) }, () => recordOf(random));
    await world.until(world.log.append('values', records));
  }
  await world.close();
  const folder = '/log/values';
  const segments = (await world.until(world.disk.list(folder))).filter((name) =>
    name.endsWith('.log'),
  );
  for (let damage = below(random, 4); damage > 0; damage--) {
    const path = `${folder}/${segments[below(random, segments.length)]}`;
    const bytes = world.disk.bytesOf(path);
    bytes[512 + below(random, bytes.byteLength - 512)]! ^= 0x55;
    world.disk.damage(path, bytes);
  }
  await world.reopen();
  return world;
}

function recordOf(random: SeededRandom): LogRecord {
  const value = utf8('v'.repeat(below(random, 200)) + below(random, 1000));
  const kind = below(random, 10);
  if (kind === 0) return { key: utf8('k'), value: new Uint8Array(0), tombstone: true };
  return kind === 1 ? { key: utf8('key'), value } : { value };
}

/** Everything from `from` on, a few at a time, as one list in which every gap is one line. */
async function walk(world: LogWorld, log: ValueLog, from: number, random: SeededRandom) {
  const seen: string[] = [];
  let gapEnd = -1;
  for (let offset = from; ; ) {
    const recordsMax = 1 + below(random, 60);
    const values: string[] = [];
    const read = await world.until(
      readValues(log, 'values', { from: offset, recordsMax }, (bytes, at, length) => {
        values.push(new TextDecoder().decode(bytes.subarray(at, at + length)));
      }),
    );
    assert.equal(values.length, read.values);
    assert.ok(values.length <= recordsMax);
    seen.push(...values);
    for (const { first, next } of read.gaps) {
      if (first !== gapEnd) seen.push(`gap from ${first}`);
      gapEnd = next;
    }
    if (read.nextOffset === offset) return { seen, offset, gapEnd };
    offset = read.nextOffset;
  }
}

test('values are shown as a read gives them, over batches, holes, codecs and damage', async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const world = await filled(new SeededRandom(seed));
    const { log } = world;
    const plain: Log = Object.create(log, { readBatches: { value: undefined } });
    plain.read = (topic, options) => log.read(topic, options);
    const from = seed % 3 === 0 ? 0 : below(new SeededRandom(seed), 200);
    const random = () => new SeededRandom(seed + 1);
    const expected = await walk(world, plain, from, random());
    assert.deepEqual(await walk(world, log, from, random()), expected, `seed ${seed}`);
    await world.close();
  }
});

test('values wait for a first one, and a removed place is told as by a read', async () => {
  const world = await LogWorld.open();
  const options = { from: 0, recordsMax: 10, waitMs: 10_000 };
  const seen: number[] = [];
  const waiting = readValues(world.log, 'events', options, (_, __, length) => seen.push(length));
  await world.append('abc');
  assert.deepEqual(await world.until(waiting), { values: 1, nextOffset: 1, gaps: [] });
  assert.deepEqual(seen, [3]);
  await assert.rejects(
    world.until(readValues(world.log, 'events', { from: 9, recordsMax: 1 }, () => undefined)),
    { code: 'LOG_OFFSET_BEYOND_END' },
  );
  await world.close();
});
