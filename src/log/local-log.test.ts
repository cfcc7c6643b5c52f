import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '#base/clock.ts';
import { type Disk, SystemDisk } from '#base/disk.ts';
import { silentLogger } from '#base/logger.ts';
import { SeededRandom, SystemRandom } from '#base/random.ts';
import { Registry } from '#metrics/registry.ts';
import { SimClock } from '#sim/clock.ts';
import { SimDisk } from '#sim/disk.ts';
import { type LogConfig, logConfig } from './config.ts';
import { LocalLog } from './local-log.ts';
import { describeLog, type LogUnderTest } from './log.conformance.ts';
import type { TopicOptions } from './log.ts';

const FAST: Partial<LogConfig> = { intervalMs: 1 };

async function onSystemDisk(config: Partial<LogConfig>): Promise<LogUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), 'swarmkeep-log-'));
  return openSystem(folder, config);
}

async function openSystem(folder: string, config: Partial<LogConfig>): Promise<LogUnderTest> {
  const log = await LocalLog.open({
    disk: new SystemDisk(),
    clock: new SystemClock(),
    random: new SystemRandom(),
    logger: silentLogger,
    metrics: new Registry(),
    config: logConfig.parse({ ...FAST, ...config }),
    folder: `${folder}/log`,
  });
  return {
    log,
    settle: (promise) => promise,
    reopen: async () => {
      await log.close();
      return openSystem(folder, config);
    },
    dispose: () => rm(folder, { recursive: true, force: true }),
  };
}

async function onSimDisk(config: Partial<LogConfig>): Promise<LogUnderTest> {
  const clock = new SimClock();
  const random = new SeededRandom(7);
  return openSim(clock, new SimDisk({ random, clock }), config);
}

async function openSim(
  clock: SimClock,
  disk: Disk,
  config: Partial<LogConfig>,
): Promise<LogUnderTest> {
  const settle = <T>(promise: Promise<T>): Promise<T> => clock.until(promise);
  const opening = LocalLog.open({
    disk,
    clock,
    random: new SeededRandom(8),
    logger: silentLogger,
    metrics: new Registry(),
    config: logConfig.parse({ ...FAST, ...config }),
    folder: '/log',
  });
  const log = await settle(opening);
  return {
    log,
    settle,
    reopen: async () => {
      await settle(log.close());
      return openSim(clock, disk, config);
    },
    dispose: async () => {},
  };
}

describeLog({ name: 'LocalLog on the system disk', open: onSystemDisk });
describeLog({ name: 'LocalLog on a simulated disk', open: onSimDisk });

const TABLE: {
  name: string;
  consistency: 'memory' | 'interval' | 'durable';
  config: Partial<LogConfig>;
  topic?: TopicOptions;
}[] = [
  { name: 'tiny segments', consistency: 'durable', config: { segmentBytesMax: 4096 } },
  { name: 'batches of one', consistency: 'interval', config: { writeBytesMax: 1024 } },
  { name: 'no room ahead', consistency: 'memory', config: { preallocateBytes: 0 } },
  {
    name: 'few files and indexes',
    consistency: 'durable',
    config: { openFilesMax: 4, indexesMax: 1 },
  },
  { name: 'zstd', consistency: 'durable', config: {}, topic: { codec: 'zstd' } },
  {
    name: 'gzip in tiny segments',
    consistency: 'interval',
    config: { segmentBytesMax: 4096 },
    topic: { codec: 'gzip' },
  },
];
for (const { name, consistency, config, topic } of TABLE) {
  describeLog({
    name: `LocalLog with ${name}, "${consistency}"`,
    consistency,
    ...(topic === undefined ? {} : { topic }),
    open: (overrides) => onSimDisk({ ...config, ...overrides }),
  });
}
