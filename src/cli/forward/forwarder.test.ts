import assert from 'node:assert/strict';
import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { SystemClock, sleep } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { silentLogger } from '#base/logger.ts';
import { below, SeededRandom, SystemRandom } from '#base/random.ts';
import { logConfig } from '#log/config.ts';
import { LogError } from '#log/errors.ts';
import { LocalLog } from '#log/local-log.ts';
import type { Log } from '#log/log.ts';
import type { PackedRecords } from '#log/segment/packed-records.ts';
import { Registry } from '#metrics/registry.ts';
import { testSeed } from '#sim/seed.ts';
import { FileTail } from './file-tail.ts';
import { Forwarder, sizesFor } from './forwarder.ts';
import { LineIntake } from './line-intake.ts';

const clock = new SystemClock();
const config = logConfig.parse({ batchBytesMax: 65_536 });

describe('log forward', () => {
  let folder = '';
  let local: LocalLog;

  beforeEach(async () => {
    folder = mkdtempSync(`${tmpdir()}/sk-forward-`);
    local = await LocalLog.open({
      disk: new SystemDisk(),
      clock,
      random: new SystemRandom(),
      logger: silentLogger,
      metrics: new Registry(),
      config,
      folder: `${folder}/log`,
    });
    await local.createTopic('lines', { consistency: 'durable' });
  });

  afterEach(async () => {
    await local.close();
    rmSync(folder, { recursive: true });
  });

  /** Forwards until `lines` have arrived, then stops as a kill would: between two of its steps. */
  async function forwardUntil(lines: number, log: Log = local, topic = 'lines'): Promise<void> {
    const abort = new AbortController();
    const { readBytes, lineBytesMax } = sizesFor(config);
    const forwarder = newForwarder(log, topic);
    const path = `${folder}/app.log`;
    const position = forwarder.positionOf(path);
    const tail = new FileTail({ path, lineBytesMax, position, fromStart: true });
    const running = forwarder.run(
      { tails: [tail], intake: new LineIntake(lineBytesMax) },
      readBytes,
      abort.signal,
    );
    const deadlineMs = clock.monotonicMs() + 60_000;
    const hasThem = async (): Promise<boolean> =>
      (await local.topics()).some(({ name, nextOffset }) => name === topic && nextOffset >= lines);
    while (!(await hasThem()) && clock.monotonicMs() < deadlineMs) await sleep(clock, 2);
    abort.abort();
    await running;
    tail.close();
  }

  function newForwarder(log: Log, topic = 'lines'): Forwarder {
    return new Forwarder({
      log,
      topic,
      create: topic !== 'lines',
      statePath: `${folder}/state`,
      clock,
      random: new SystemRandom(),
      logger: silentLogger,
      pollMs: 2,
    });
  }

  async function arrived(): Promise<string[]> {
    const { records } = await local.read('lines', { from: 0 });
    return records.map(({ value }) => new TextDecoder().decode(value));
  }

  const path = (name: string): string => `${folder}/${name}`;

  it('takes lines as they are written, and a last one when its end comes', async () => {
    writeFileSync(path('app.log'), 'one\ntwo\r\n\nhal');
    await forwardUntil(3);
    appendFileSync(path('app.log'), 'f\n');
    await forwardUntil(4);
    assert.deepEqual(await arrived(), ['one', 'two', '', 'half']);
  });

  it('reads a renamed file to its end, also one that was renamed while nobody looked', async () => {
    writeFileSync(path('app.log'), 'a\n');
    await forwardUntil(1);
    appendFileSync(path('app.log'), 'b\nlast without end');
    renameSync(path('app.log'), path('app.log.1'));
    writeFileSync(path('app.log'), 'c\n');
    renameSync(path('app.log.1'), path('app.log.2'));
    await sleep(clock, 20);
    renameSync(path('app.log'), path('app.log.1'));
    await sleep(clock, 20);
    writeFileSync(path('app.log'), 'd\n');
    await forwardUntil(5);
    assert.deepEqual(await arrived(), ['a', 'b', 'last without end', 'c', 'd']);
  });

  it('finds in the copy what a truncation took, also when the file is longer again', async () => {
    writeFileSync(path('app.log'), 'first day 1\nfirst day 2\n');
    await forwardUntil(2);
    appendFileSync(path('app.log'), 'first day 3\n');
    copyFileSync(path('app.log'), path('app.log.1'));
    truncateSync(path('app.log'), 0);
    appendFileSync(path('app.log'), `second day ${'x'.repeat(100)}\n`);
    await forwardUntil(4);
    assert.deepEqual((await arrived()).slice(0, 3), ['first day 1', 'first day 2', 'first day 3']);
    assert.equal((await arrived()).length, 4);
  });

  it('cuts lines that are longer than a batch may be', async () => {
    writeFileSync(path('app.log'), `${'x'.repeat(40_000)}\nshort\n`);
    await forwardUntil(4);
    assert.deepEqual(
      (await arrived()).map((line) => line.length),
      [16_384, 16_384, 7_232, 5],
    );
  });

  it('loses and doubles no line when answers are lost and it is stopped at random', async (t) => {
    const seed = testSeed(t, 3);
    const random = new SeededRandom(seed);
    const lossy = losing(local, random);
    const expected = ['start'];
    writeFileSync(path('app.log'), 'start\n');
    await forwardUntil(1, lossy);
    for (let round = 0; round < 12; round++) {
      const count = 1 + below(random, 40);
      const lines = Array.from({ length: count }, (_, nth) => `${round} ${nth}`);
      expected.push(...lines);
      appendFileSync(path('app.log'), `${lines.join('\n')}\n`);
      if (below(random, 3) === 0) {
        renameSync(path('app.log'), path(`app.log.${round}`));
        await sleep(clock, 20);
      }
      await forwardUntil(below(random, expected.length + 1), lossy);
    }
    writeFileSync(path('app.log'), 'end\n', { flag: 'a' });
    await forwardUntil(expected.length + 1, lossy);
    assert.deepEqual(await arrived(), [...expected, 'end'], `seed ${seed}`);
  });

  it('goes on when the server is lost while it makes the topic', async () => {
    let isLost = false;
    const losingOnce = new Proxy(local, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (name !== 'createTopic' || isLost) {
          return typeof value === 'function' ? value.bind(target) : value;
        }
        return async () => {
          isLost = true;
          throw new LogError('LOG_UNANSWERED', 'the server was killed');
        };
      },
    });
    writeFileSync(path('app.log'), 'one\n');
    await forwardUntil(1, losingOnce, 'made');
    assert.equal(isLost, true);
    assert.equal((await local.stats('made')).nextOffset, 1);
  });

  it('takes messages from a stream, waits for the log, and ends with it', async () => {
    const intake = new LineIntake(1000);
    const stream = new PassThrough();
    intake.add(stream);
    stream.write('m1\nm2\nm');
    stream.end('3');
    const forwarder = newForwarder(local);
    await forwarder.run({ tails: [], intake }, 1000, new AbortController().signal);
    assert.deepEqual(await arrived(), ['m1', 'm2', 'm3']);
  });
});

/** Some appends fail before they are written, some after; a repetition of the last is known. */
function losing(log: LocalLog, random: SeededRandom): Log {
  let last = 0;
  return new Proxy(log, {
    get(target, name) {
      if (name !== 'append') {
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      }
      return async (...args: Parameters<Log['append']>) => {
        const [topic, records, options] = args;
        const sequence = options?.producer?.sequence ?? 0;
        if (below(random, 4) === 0) throw new LogError('LOG_TIMED_OUT', 'lost on the way there');
        const isKnown = sequence === last;
        if (!isKnown) await target.append(topic, records, { consistency: 'durable' });
        last = sequence;
        if (below(random, 4) === 0) throw new LogError('LOG_TIMED_OUT', 'lost on the way back');
        return {
          firstOffset: 0,
          count: Array.isArray(records) ? records.length : (records as PackedRecords).count,
        };
      };
    },
  });
}
