// A thread that holds a LocalLog and serves it on the port it is given, as cli's log thread does;
// for tests and benchmarks.

import { type MessagePort, workerData } from 'node:worker_threads';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { silentLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import { servePortLog } from '#log/port/port-log.ts';
import { Registry } from '#metrics/registry.ts';

const { folder, port } = workerData as { folder: string; port: MessagePort };
const log = await LocalLog.open({
  disk: new SystemDisk(),
  clock: new SystemClock(),
  random: new SystemRandom(),
  logger: silentLogger,
  metrics: new Registry(),
  config: logConfig.parse({ intervalMs: 1 }),
  folder,
});
servePortLog(port, log);
