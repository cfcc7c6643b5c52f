import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { MessageChannel, Worker } from 'node:worker_threads';
import { utf8 } from '#base/bytes.ts';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { codeOf } from '#base/errors.ts';
import { silentLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { type LogConfig, logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import { describeLog, type LogUnderTest } from '#log/log.conformance.ts';
import { Registry } from '#metrics/registry.ts';
import { PortLog, servePortLog } from './port-log.ts';

async function openLocal(folder: string, config: LogConfig): Promise<LocalLog> {
  return LocalLog.open({
    disk: new SystemDisk(),
    clock: new SystemClock(),
    random: new SystemRandom(),
    logger: silentLogger,
    metrics: new Registry(),
    config,
    folder: `${folder}/log`,
  });
}

async function openPort(folder: string, overrides: Partial<LogConfig>): Promise<LogUnderTest> {
  const config = logConfig.parse({ intervalMs: 1, ...overrides });
  const local = await openLocal(folder, config);
  const { port1, port2 } = new MessageChannel();
  servePortLog(port1, local, config);
  const log = await PortLog.connect(port2);
  const end = async (): Promise<void> => {
    await log.close();
    await local.close();
  };
  return {
    log,
    settle: (promise) => promise,
    reopen: async () => {
      await end();
      return openPort(folder, overrides);
    },
    dispose: async () => {
      await end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function openWorker(folder: string): Promise<LogUnderTest> {
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(new URL('../../../sim/log-thread.ts', import.meta.url), {
    workerData: { folder: `${folder}/log`, port: port1 },
    transferList: [port1],
  });
  const log = await PortLog.connect(port2);
  const end = async (): Promise<void> => {
    await log.close();
    await worker.terminate();
  };
  return {
    log,
    settle: (promise) => promise,
    reopen: async () => {
      await end();
      return openWorker(folder);
    },
    dispose: async () => {
      await end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const newFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'swarmkeep-port-log-'));

describeLog({
  name: 'PortLog through a MessageChannel',
  open: async (config) => openPort(await newFolder(), config),
});

it('PortLog speaks to a log in another thread, and a thread that ends ends its calls', async () => {
  const folder = await newFolder();
  try {
    let world = await openWorker(folder);
    await world.log.createTopic('events');
    const value = utf8('across');
    const options = { consistency: 'durable' } as const;
    const appends = Array.from({ length: 100 }, () =>
      world.log.append('events', [{ value }], options),
    );
    const answers = await Promise.all(appends);
    assert.deepEqual(answers.at(-1), { firstOffset: 99, count: 1 });
    assert.equal(value.byteLength, 6, 'the caller keeps its buffer');
    world = await world.reopen();
    assert.equal((await world.log.read('events', { from: 0 })).records.length, 100);
    const waiting = world.log.read('events', { from: 'end', waitMs: 30_000 });
    const ended = assert.rejects(waiting, (error) => codeOf(error) === 'LOG_CLOSED');
    await world.dispose();
    await ended;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

it('PortLog gives batches as they stand in the log, in memory of their own', async () => {
  const folder = await newFolder();
  const local = await openLocal(folder, logConfig.parse({}));
  const { port1, port2 } = new MessageChannel();
  servePortLog(port1, local);
  const log = await PortLog.connect(port2);
  try {
    await log.createTopic('events', { consistency: 'durable' });
    for (let nth = 0; nth < 5; nth++) {
      const large = { value: new Uint8Array(20_000).fill(nth) };
      await log.append('events', [large, { value: utf8(`${nth}`) }]);
    }
    const options = { from: 3, recordsMax: 5 };
    const expected = await local.readBatches('events', options);
    assert.equal(expected.batches.length, 3);
    const crossed = await log.readBatches('events', options);
    assert.deepEqual(
      crossed.batches.map((batch) => Buffer.from(batch)),
      expected.batches.map((batch) => Buffer.from(batch)),
    );
    const { batches: _, ...rest } = expected;
    assert.deepEqual({ ...crossed, batches: undefined }, { ...rest, batches: undefined });
    const empty = await log.readBatches('events', { from: 'end' });
    assert.deepEqual(empty, { batches: [], records: 0, bytes: 0, nextOffset: 10 });
    await assert.rejects(log.readBatches('events', { from: 11 }), {
      code: 'LOG_OFFSET_BEYOND_END',
    });
  } finally {
    await log.close();
    await local.close();
    await rm(folder, { recursive: true, force: true });
  }
});

it('PortLog refuses more than portRequestsMax calls and portBytesMax bytes in flight', async () => {
  const folder = await newFolder();
  const world = await openPort(folder, { portRequestsMax: 3, portBytesMax: 1024 });
  try {
    await world.log.createTopic('events');
    const reads = [1, 2, 3].map(() => world.log.read('events', { from: 0, waitMs: 50 }));
    await assert.rejects(world.log.topics(), (error) => codeOf(error) === 'LOG_QUEUE_FULL');
    await Promise.all(reads);
    const large = { value: new Uint8Array(600) };
    const first = world.log.append('events', [large]);
    const second = world.log.append('events', [large]);
    await assert.rejects(second, (error) => codeOf(error) === 'LOG_QUEUE_FULL');
    await first;
    assert.equal((await world.log.append('events', [large])).firstOffset, 1);
  } finally {
    await world.dispose();
  }
});

it('a PortLog that is dropped takes its waiting reads out of the log', async () => {
  const folder = await newFolder();
  const config = logConfig.parse({ readersMax: 1 });
  const local = await openLocal(folder, config);
  try {
    await local.createTopic('events');
    const { port1, port2 } = new MessageChannel();
    servePortLog(port1, local, config);
    const log = await PortLog.connect(port2);
    const waiting = assert.rejects(log.read('events', { from: 0, waitMs: 30_000 }));
    await log.stats('events');
    port2.close();
    await waiting;
    for (;;) {
      try {
        await local.read('events', { from: 0, waitMs: 1 });
        break;
      } catch (error) {
        assert.equal(codeOf(error), 'LOG_READERS_FULL');
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  } finally {
    await local.close();
    await rm(folder, { recursive: true, force: true });
  }
});
