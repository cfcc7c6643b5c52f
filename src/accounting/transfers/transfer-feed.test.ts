// What the feed shows is what the log has at the same offsets, whatever is lost, overtaken or appended
// by somebody else; with threads that push meanwhile: transfer-queue.threads.test.ts.

import assert from 'node:assert/strict';
import test from 'node:test';
import { accountingConfig } from '#accounting/config.ts';
import { silentLogger } from '#base/logger.ts';
import { below, SeededRandom } from '#base/random.ts';
import { Registry } from '#metrics/registry.ts';
import { SimClock, settle } from '#sim/clock.ts';
import { MemoryLog } from '#sim/memory-log.ts';
import { testSeed } from '#sim/seed.ts';
import { TransferFeed } from './transfer-feed.ts';
import { TransferQueue } from './transfer-queue.ts';
import { TRANSFER_RECORD_BYTES, TRANSFERS_TOPIC } from './transfer-record.ts';
import { TransferWriter } from './transfer-writer.ts';

/** Of 16 places. */
const SETTINGS = { batchRecordsMax: 4, batchAgeMsMax: 1000, recordsPendingMax: 10 };
const PLACES = 16;
const SEEDS = 3;
const STEPS = 100;
/** The words of the queue's head, of what has settled and of what was sent: they begin anywhere. */
const POSITION_WORDS = [0, 16, 32];
const POSITION_MAX = 0x3fff_ffff;

async function bench(position = 0) {
  const config = accountingConfig.parse(SETTINGS);
  const memory = TransferQueue.reserve(config);
  for (const word of POSITION_WORDS) new Int32Array(memory)[word] = position;
  const log = new MemoryLog();
  await log.createTopic(TRANSFERS_TOPIC);
  const clock = new SimClock();
  const world = { clock, config, memory };
  const writer = new TransferWriter({
    ...world,
    ...{ log, logger: silentLogger, metrics: new Registry(), onLost: () => undefined },
  });
  const feed = new TransferFeed(world);
  let pushed = 0;
  return {
    ...{ log, writer, feed },
    push: async (count: number) => {
      for (let nth = 0; nth < count; nth++) {
        const record = new Uint8Array(TRANSFER_RECORD_BYTES);
        new Uint32Array(record.buffer).fill(++pushed);
        writer.push(record);
      }
      writer.flush();
      await settle();
    },
    /** The numbers of the records from `from` on that the feed has. */
    shown: (from: number, recordsMax = 1000) => {
      const numbers: number[] = [];
      const count = feed.read(from, recordsMax, (words, at) => {
        const record = words.subarray(at, at + TRANSFER_RECORD_BYTES / 4);
        assert.equal(new Set(record).size, 1, 'a record is shown as it was pushed');
        numbers.push(record[0]!);
      });
      assert.equal(numbers.length, count);
      return numbers;
    },
    stored: () =>
      log.recordsOf(TRANSFERS_TOPIC).map(({ value }) => new Uint32Array(value.slice().buffer)[0]!),
  };
}

test('the feed shows what is on disk, from any offset, and no more than it is asked for', async () => {
  const { push, shown } = await bench();
  assert.deepEqual(shown(0), []);
  await push(6);
  assert.deepEqual(shown(0), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(shown(4), [5, 6]);
  assert.deepEqual(shown(1, 2), [2, 3]);
  assert.deepEqual(shown(6), []);
  assert.deepEqual(shown(7), []);
});

test('the feed shows nothing that is not on disk', async () => {
  const { log, push, shown } = await bench();
  let answer = (): void => undefined;
  log.delay = () => new Promise((resolve) => (answer = resolve));
  await push(3);
  assert.deepEqual(shown(0), []);
  answer();
  await settle();
  assert.deepEqual(shown(0), [1, 2, 3]);
});

test('records whose places were taken again are not shown: the log has them', async () => {
  const { push, shown, writer } = await bench();
  for (let round = 0; round < 3; round++) await push(8);
  assert.deepEqual(shown(0), []);
  assert.deepEqual(shown(24 - PLACES - 1), []);
  assert.equal(shown(24 - PLACES).length, PLACES);
  // Not yet on disk, and in the place of the oldest.
  writer.push(new Uint8Array(TRANSFER_RECORD_BYTES));
  assert.deepEqual(shown(24 - PLACES), []);
  assert.equal(shown(24 - PLACES + 1).length, PLACES - 1);
});

test('behind a lost append or records of somebody else the feed begins anew', async () => {
  const { log, push, shown, stored } = await bench();
  await push(2);
  log.beforeAppend = () => {
    log.beforeAppend = undefined;
    throw new Error('planted');
  };
  await push(3);
  assert.deepEqual(shown(0), [1, 2]);
  await push(2);
  assert.deepEqual(stored(), [1, 2, 6, 7]);
  assert.deepEqual(shown(0), []);
  assert.deepEqual(shown(2), [6, 7]);
  const other = new Uint8Array(TRANSFER_RECORD_BYTES).fill(9);
  await log.append(TRANSFERS_TOPIC, [{ value: other }]);
  await push(1);
  assert.deepEqual(shown(2), []);
  assert.deepEqual(shown(5), [8]);
});

test('whatever is pushed, lost and asked for, the feed says what the log says', async (context) => {
  const first = testSeed(context, 1);
  const count = process.env['SWARMKEEP_SEED'] === undefined ? SEEDS : 1;
  let shownOften = 0;
  for (let seed = first; seed < first + count; seed++) {
    const random = new SeededRandom(seed);
    // Positions and offsets that wrap.
    const { log, push, shown, stored } = await bench(POSITION_MAX - below(random, STEPS));
    for (let step = 0; step < STEPS; step++) {
      const failure = below(random, 30);
      log.beforeAppend = failure === 0 ? refuse : undefined;
      log.afterAppend = failure === 1 ? refuse : undefined;
      await push(below(random, 8));
      const all = stored();
      const from = Math.max(0, all.length - below(random, PLACES + 8));
      const recordsMax = 1 + below(random, PLACES);
      const some = shown(from, recordsMax);
      assert.deepEqual(some, all.slice(from, from + some.length), `seed ${seed}`);
      shownOften += some.length;
    }
  }
  assert.ok(shownOften > count * STEPS, 'the feed is of use');
});

function refuse(): never {
  throw new Error('planted');
}
