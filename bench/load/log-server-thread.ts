// A log server in a thread of its own, on a UNIX socket, until the thread is ended.

import { parentPort, workerData } from 'node:worker_threads';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { silentLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import { LogServer } from '#log/server.ts';
import { Registry } from '#metrics/registry.ts';
import { listenNode } from '#net/stream-node.ts';

const { folder, path } = workerData as { readonly folder: string; readonly path: string };
const world = {
  clock: new SystemClock(),
  random: new SystemRandom(),
  logger: silentLogger,
  metrics: new Registry(),
  config: logConfig.parse({}),
};
const log = await LocalLog.open({ ...world, disk: new SystemDisk(), folder });
await log.createTopic('bench', { consistency: 'durable' });
const server = new LogServer({ ...world, log });
await server.listen(listenNode, { kind: 'unix', path });
parentPort?.postMessage('ready');
